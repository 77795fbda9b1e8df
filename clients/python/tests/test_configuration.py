"""Where a client takes its URL and key from, and what it refuses to start with."""

import inspect

import httpx
import pytest
import scopegate
from scopegate import NotConfigured, async_client, client

from .samples import WHOAMI, answer


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch):
    monkeypatch.delenv("SCOPEGATE_URL", raising=False)
    monkeypatch.delenv("SCOPEGATE_KEY", raising=False)


async def test_the_environment_fills_in_what_is_not_given(face, monkeypatch):
    monkeypatch.setenv("SCOPEGATE_URL", "http://environment.test")
    monkeypatch.setenv("SCOPEGATE_KEY", "sg_k3_fromfile\n")
    face.client = face.open(None, None)
    face.will(answer(WHOAMI))
    await face.call(lambda client: client.whoami())
    assert face.requests[0].url.host == "environment.test"
    assert face.requests[0].headers["Authorization"] == "Bearer sg_k3_fromfile"


async def test_what_is_given_wins_over_the_environment(face, monkeypatch):
    monkeypatch.setenv("SCOPEGATE_URL", "http://environment.test")
    face.client = face.open("http://given.test")
    assert repr(face.client) == f"{type(face.client).__name__}('http://given.test')"


def test_all_that_is_missing_is_told_at_once(face):
    with pytest.raises(NotConfigured) as caught:
        face.open(None, None)
    assert "pass base_url or set SCOPEGATE_URL" in str(caught.value)
    assert "pass key or set SCOPEGATE_KEY" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["gateway.test", "ftp://gateway.test", "http://", "http://a:b@gateway.test", "http://[::1", "http://x.test?a=1"],
)
def test_a_url_that_is_none_is_refused(face, url):
    with pytest.raises(NotConfigured, match="URL"):
        face.open(url)


@pytest.mark.parametrize("key", ["top secret", "topsecret\nX-Admin: 1", "topsécret", "topsecret\x00"])
def test_a_key_that_is_none_is_refused_and_not_shown(face, key):
    with pytest.raises(NotConfigured, match="key is malformed") as caught:
        face.open(key=key)
    assert key not in str(caught.value)


async def test_a_timeout_goes_with_every_request(face):
    face.client = face.open(timeout_s=1.5)
    face.will(answer(WHOAMI))
    await face.call(lambda client: client.whoami())
    assert face.requests[0].extensions["timeout"] == httpx.Timeout(1.5).as_dict()


@pytest.mark.parametrize("name", ["Client", "Session", "Sessions", "Holds", "Keys"])
def test_both_clients_offer_the_same(name):
    assert _offer(getattr(client, name)) == _offer(getattr(async_client, f"Async{name}"))


def test_every_name_that_is_offered_exists():
    assert sorted(scopegate.__all__) == scopegate.__all__
    assert all(hasattr(scopegate, name) for name in scopegate.__all__)


def _offer(kind):
    """The public methods: parameters, and all of the promise."""
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {
        name: (str(inspect.signature(method).replace(return_annotation=None)), inspect.getdoc(method))
        for name, method in methods
        if not name.startswith("_") and name != "create"
    } | {"create": None}
