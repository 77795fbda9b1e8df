"""Which error stands for what, and that none shows the key."""

import logging
import pickle
import traceback

import httpx
import pytest
import scopegate
from scopegate import FieldError, Finding, ScopegateError

from .samples import FINDING, WHOAMI, answer, problem


async def _raised(face, reply):
    face.will(reply)
    with pytest.raises(ScopegateError) as caught:
        await face.call(lambda client: client.forget("m1"))
    return caught.value


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("unauthenticated", 401, "Unauthenticated"),
        ("forbidden", 403, "Forbidden"),
        ("not-found", 404, "NotFound"),
        ("method-not-allowed", 405, "ScopegateError"),
        ("conflict", 409, "Conflict"),
        ("too-large", 413, "TooLarge"),
        ("invalid", 422, "Invalid"),
        ("blocked-by-publish-gate", 422, "BlockedByPublishGate"),
        ("rate-limited", 429, "RateLimited"),
        ("gate-unavailable", 503, "Unavailable"),
        ("store-unavailable", 503, "Unavailable"),
        ("audit-unavailable", 503, "Unavailable"),
        ("brand-new", 403, "Forbidden"),
        ("brand-new", 418, "ScopegateError"),
    ],
)
async def test_each_code_has_its_error(face, code, status, kind):
    error = await _raised(face, problem(code, status))
    assert type(error).__name__ == kind
    assert (error.status, error.code, error.request_id) == (status, code, "r9")
    assert (error.title, error.detail) == (code.replace("-", " "), f"the detail of {code}")
    assert str(error) == f"the detail of {code} ({code}, request r9)"


async def test_a_denial_names_its_line(face):
    error = await _raised(face, problem("forbidden", 403, line="policy.csv:21"))
    assert error.line == "policy.csv:21"
    assert "policy.csv:21" in str(error)


async def test_an_invalid_request_names_its_fields(face):
    error = await _raised(face, problem("invalid", 422, errors=[{"field": "scope", "message": "is empty"}]))
    assert error.errors == (FieldError("scope", "is empty"),)


async def test_a_block_tells_what_was_found(face):
    error = await _raised(face, problem("blocked-by-publish-gate", 422, findings=[FINDING]))
    assert error.findings == (Finding("PERSON", "content", 0, 8, 0.85),)


@pytest.mark.parametrize(("header", "expected"), [("7", 7.0), ("0", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None)])
async def test_a_limit_tells_when_to_come_back(face, header, expected):
    error = await _raised(face, problem("rate-limited", 429, headers={"Retry-After": header}))
    assert error.retry_after_s == expected


@pytest.mark.parametrize(
    ("reply", "kind", "detail"),
    [
        (httpx.Response(502, html="<h1>Bad gateway</h1>"), "Unavailable", "HTTP 502 Bad Gateway"),
        (httpx.Response(404), "NotFound", "HTTP 404 Not Found"),
        (httpx.Response(500, json=["no"]), "ScopegateError", "HTTP 500 Internal Server Error"),
        (httpx.Response(403, json={}), "Forbidden", "the gateway gave no reason"),
    ],
)
async def test_what_stands_in_front_of_a_gateway_may_answer_too(face, reply, kind, detail):
    error = await _raised(face, reply)
    assert (type(error).__name__, error.detail) == (kind, detail)


async def test_a_redirect_is_not_followed(face):
    error = await _raised(face, httpx.Response(307, headers={"Location": "http://elsewhere.test/"}))
    assert isinstance(error, scopegate.UnexpectedAnswer)
    assert [request.url.host for request in face.requests] == ["gateway.test"]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("refused"), "ConnectionFailed"),
        (httpx.RemoteProtocolError("hung up"), "ConnectionFailed"),
        (httpx.DecodingError("not gzip"), "ConnectionFailed"),
        (httpx.ReadTimeout("slow"), "Timeout"),
        (httpx.ConnectTimeout("slow"), "Timeout"),
    ],
)
async def test_no_answer_is_an_error_of_its_own(face, failure, kind):
    error = await _raised(face, failure)
    assert type(error).__name__ == kind
    assert (error.status, error.request_id) == (None, None)
    assert "DELETE /v1/memories/m1" in str(error)


@pytest.mark.parametrize(
    "reply", [problem("forbidden", 403), httpx.ConnectError("refused"), httpx.Response(200, html="<p>")]
)
async def test_the_key_is_in_no_repr_error_or_log(face, reply, caplog):
    for chatty in (None, "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=chatty)
    error = await _raised(face, reply)
    face.will(answer(WHOAMI))
    await face.call(lambda client: client.whoami())
    shown = [repr(face.client), str(face.client.__dict__), repr(error), *traceback.format_exception(error), caplog.text]
    assert caplog.text
    assert "topsecret" not in "".join(shown)


async def test_an_error_survives_the_way_between_processes(face):
    error = await _raised(face, problem("forbidden", 403, line="policy.csv:21"))
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.problem) == (type(error), error.problem)
