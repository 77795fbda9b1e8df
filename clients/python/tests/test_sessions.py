"""Sessions are closed on the gateway, whatever happens inside."""

import contextlib

import httpx
import pytest
from scopegate import AsyncSession, Forbidden, Session, Unavailable

from .samples import SESSION, STORED, answer, nothing, problem


@contextlib.asynccontextmanager
async def _session(face):
    """``with`` for the one client, ``async with`` for the other."""
    opening = face.client.sessions.create(scope={"org": "acme", "project": "q3"})
    if face.kind == "sync":
        with opening as session:
            yield session
    else:
        async with opening as session:
            yield session


def _routes(face):
    return [f"{request.method} {request.url.path}" for request in face.requests]


async def test_a_session_is_closed_at_the_end(face):
    face.will(answer(SESSION, 201), answer(STORED, 201), nothing())
    async with _session(face) as session:
        await face.settle(session.remember(content="a note"))
    assert _routes(face) == ["POST /v1/sessions", "POST /v1/memories", "DELETE /v1/sessions/s1"]


async def test_a_session_is_closed_when_something_fails_inside(face):
    face.will(answer(SESSION, 201), nothing())
    with pytest.raises(LookupError, match="inside"):
        async with _session(face):
            raise LookupError("inside")
    assert _routes(face)[-1] == "DELETE /v1/sessions/s1"


async def test_what_failed_inside_is_not_hidden_by_a_close_that_fails(face):
    face.will(answer(SESSION, 201), httpx.ConnectError("refused"))
    with pytest.raises(LookupError, match="inside"):
        async with _session(face):
            raise LookupError("inside")


async def test_a_close_that_fails_is_told_when_nothing_else_did(face):
    face.will(answer(SESSION, 201), problem("store-unavailable", 503))
    with pytest.raises(Unavailable):
        async with _session(face):
            pass


async def test_a_session_that_has_expired_is_closed(face):
    face.will(answer(SESSION, 201), problem("not-found", 404))
    async with _session(face):
        pass


async def test_a_session_that_does_not_open_is_not_closed(face):
    face.will(problem("forbidden", 403))
    with pytest.raises(Forbidden):
        async with _session(face):
            pass
    assert _routes(face) == ["POST /v1/sessions"]


async def test_a_session_may_be_kept_without_a_context(face):
    face.will(answer(SESSION, 201), nothing())
    session = await face.call(lambda client: client.sessions.create("org/acme/project/q3"))
    assert isinstance(session, Session | AsyncSession)
    assert (session.id, session.scope) == ("s1", "org/acme/project/q3")
    assert repr(session) == f"{type(session).__name__}(id='s1', scope='org/acme/project/q3')"
    await face.settle(session.close())
    assert _routes(face) == ["POST /v1/sessions", "DELETE /v1/sessions/s1"]


async def test_a_client_is_a_context_too(face):
    if face.kind == "sync":
        with face.client as client:
            assert client is face.client
    else:
        async with face.client as client:
            assert client is face.client
    with pytest.raises(RuntimeError, match="closed"):
        await face.call(lambda client: client.whoami())
