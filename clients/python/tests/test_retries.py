"""What is sent again, and when."""

import httpx
import pytest
from scopegate import RateLimited, ScopegateError
from scopegate.calls import whoami
from scopegate.connection import Retries

from .samples import DECISION, HOLD, MEMORY, RECALL, STORED, WHOAMI, answer, page, problem

REPEATABLE = {
    "whoami": (lambda c: c.whoami(), answer(WHOAMI)),
    "get": (lambda c: c.get("m1"), answer(MEMORY)),
    "list": (lambda c: c.list(scope="org/acme"), answer(page(MEMORY))),
    "recall": (lambda c: c.recall("q", scope="org/acme"), answer(RECALL)),
    "check": (lambda c: c.check("read", "org/acme"), answer(DECISION)),
    "remember": (lambda c: c.remember("a", scope="org/acme"), answer(STORED, 201)),
    "remember_many": (lambda c: c.remember_many([], scope="org/acme"), answer({"results": []})),
    "publish": (lambda c: c.publish("m1", to="org/acme"), answer({"results": [STORED]}, 201)),
    "holds.list": (lambda c: c.holds.list(), answer(page(HOLD))),
    "holds.get": (lambda c: c.holds.get("h1"), answer(HOLD)),
    "keys.list": (lambda c: c.keys.list(), answer(page())),
}
ONCE = {
    "forget": lambda c: c.forget("m1"),
    "sessions.create": lambda c: c.sessions.create("org/acme"),
    "holds.approve": lambda c: c.holds.approve("h1"),
    "holds.reject": lambda c: c.holds.reject("h1"),
    "keys.create": lambda c: c.keys.create("agent:writer"),
    "keys.rotate": lambda c: c.keys.rotate("k1"),
    "keys.revoke": lambda c: c.keys.revoke("k1"),
}
PASSING = [
    problem("rate-limited", 429),
    httpx.Response(502),
    problem("store-unavailable", 503),
    httpx.Response(504),
    httpx.ConnectError("refused"),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("hung up"),
    httpx.ConnectTimeout("slow"),
]
LASTING = [
    problem("unauthenticated", 401),
    problem("forbidden", 403),
    problem("not-found", 404),
    problem("conflict", 409),
    problem("invalid", 422),
    problem("blocked-by-publish-gate", 422),
    httpx.Response(500),
    httpx.ReadTimeout("slow"),
    httpx.UnsupportedProtocol("gopher"),
]


def _named(reply):
    return type(reply).__name__ if isinstance(reply, Exception) else str(reply.status_code)


@pytest.mark.parametrize("name", REPEATABLE)
async def test_what_does_nothing_twice_is_sent_again(face, name):
    operation, reply = REPEATABLE[name]
    face.will(httpx.ConnectError("refused"), problem("store-unavailable", 503), reply)
    await face.call(operation)
    first, second, third = face.requests
    assert first.content == second.content == third.content
    assert first.headers == second.headers == third.headers
    assert len(face.pauses) == 2


@pytest.mark.parametrize("name", ONCE)
@pytest.mark.parametrize("reply", PASSING, ids=_named)
async def test_what_might_do_something_twice_is_sent_once(face, name, reply):
    face.will(reply)
    with pytest.raises(ScopegateError):
        await face.call(ONCE[name])
    assert (len(face.requests), face.pauses) == (1, [])


@pytest.mark.parametrize("reply", PASSING, ids=_named)
async def test_what_may_pass_is_tried_again(face, reply):
    face.will(reply, answer(WHOAMI))
    await face.call(lambda client: client.whoami())
    assert len(face.requests) == 2


@pytest.mark.parametrize("reply", LASTING, ids=_named)
async def test_what_will_not_pass_is_told_at_once(face, reply):
    face.will(reply)
    with pytest.raises(ScopegateError):
        await face.call(lambda client: client.whoami())
    assert (len(face.requests), face.pauses) == (1, [])


@pytest.mark.parametrize("most", [0, 1, 3])
async def test_it_gives_up_after_as_many_retries_as_were_asked_for(face, most):
    face.client = face.open(max_retries=most)
    face.will(*[problem("rate-limited", 429) for _ in range(most + 1)])
    with pytest.raises(RateLimited):
        await face.call(lambda client: client.whoami())
    assert (len(face.requests), len(face.pauses)) == (most + 1, most)


@pytest.mark.parametrize(("asked", "expected"), [("5", 5.0), ("3600", 30.0)])
async def test_it_waits_as_long_as_it_is_asked_to_but_not_forever(face, asked, expected):
    face.will(problem("rate-limited", 429, headers={"Retry-After": asked}), answer(WHOAMI))
    await face.call(lambda client: client.whoami())
    assert face.pauses == [expected]


@pytest.mark.parametrize(
    ("draw", "expected"), [(0.0, [0.125, 0.25, 0.5, 1, 2, 4, 4]), (1.0, [0.25, 0.5, 1, 2, 4, 8, 8])]
)
def test_pauses_double_up_to_a_limit(draw, expected):
    retries = Retries(2000, draw=lambda: draw)
    pauses = [retries.pause_s(whoami(), httpx.ConnectError("refused"), attempt) for attempt in [0, 1, 2, 3, 4, 5, 1999]]
    assert pauses == expected
