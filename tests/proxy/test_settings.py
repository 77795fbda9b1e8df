"""``gateway.yaml``: defaults for everything, and every mistake where it stands."""

from pathlib import Path

import pytest

from proxy.errors import PolicyError
from proxy.settings import GatewayConfig, Limits, read_gateway_config, read_text
from store.scope import Scope


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        read_gateway_config(text)
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_file_is_the_defaults() -> None:
    assert read_gateway_config("") == GatewayConfig()


def test_what_a_file_says_is_taken_and_the_rest_is_default() -> None:
    config = read_gateway_config("limits: {content_max_bytes: 100}\nsessions: {lifetime_s: 60}\n")
    assert config.limits == Limits(content_max_bytes=100)
    assert config.sessions.lifetime_s == 60


REFUSED = {
    "an unknown field": ("limtis: {}", "gateway.yaml:1:1: unknown field 'limtis', did you mean 'limits'?"),
    "an unknown limit": ("limits:\n  body_max: 3", "gateway.yaml:2:3: unknown field 'body_max', did you mean"),
    "a limit of nothing": ("limits:\n  content_max_bytes: 0", "gateway.yaml:2:3: limits.content_max_bytes: "),
    "a number as text": ("limits: {requests_per_minute: '5'}", "gateway.yaml:1:10: limits.requests_per_minute: "),
    "a number as a boolean": ("limits: {requests_per_minute: true}", "gateway.yaml:1:10: limits.requests_per_minute: "),
    "a deadline without end": ("gate: {deadline_s: .inf}", "gateway.yaml:1:8: gate.deadline_s: "),
    "a deadline that is no number": ("gate: {deadline_s: .nan}", "gateway.yaml:1:8: gate.deadline_s: "),
    "a session for ever": ("sessions: {lifetime_s: 1000000000000}", "gateway.yaml:1:12: sessions.lifetime_s: "),
    "another version": ("version: 2", "gateway.yaml:1:1: version: "),
    "a dimension twice": (
        "dimensions: [org, org]",
        "gateway.yaml:1:1: the file: dimensions: a dimension is listed twice",
    ),
    "a dimension in capitals": ("dimensions: [Org]", "gateway.yaml:1:1: dimensions: dimension 'Org' must be"),
    "a dimension from another alphabet": ("private_dimensions: [аgent]", "gateway.yaml:1:1: private_dimensions: "),
    "private dimensions as a word": ("private_dimensions: agent", "gateway.yaml:1:1: private_dimensions: "),
    "an unknown embedder": ("embedder: {provider: openai}", "gateway.yaml:1:12: embedder.provider: "),
    "a list": ("[1, 2]", "gateway.yaml:1:1: the file: "),
}


@pytest.mark.parametrize(("text", "beginning"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_refused_where_it_stands(text: str, beginning: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(beginning)


def test_all_mistakes_are_told_at_once() -> None:
    found = problems("version: 3\nlimits: {body_max_bytes: -1}\ngate: {workers: 0}\n")
    assert [problem.split(": ")[0] for problem in found] == [
        "gateway.yaml:1:1",
        "gateway.yaml:2:10",
        "gateway.yaml:3:8",
    ]


@pytest.mark.parametrize(
    ("scope", "shared"),
    [("/", True), ("org/acme", True), ("org/acme/agent/a", False), ("user/ana", False), ("desk/7", True)],
)
def test_a_scope_is_shared_unless_it_names_a_private_dimension(scope: str, shared: bool) -> None:
    assert GatewayConfig().is_shared(Scope.parse(scope)) is shared


def test_paths_follow_the_order_of_the_file() -> None:
    config = read_gateway_config("dimensions: [project, org]")
    assert config.path(Scope.parse("org/acme/project/q3/team/x")) == "project/q3/org/acme/team/x"


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (None, "policy.csv: cannot be read: No such file or directory"),
        ("folder", "policy.csv: cannot be read: Is a directory"),
        (b"p, caf\xe9", "policy.csv: is not UTF-8 at byte 6"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, write: bytes | str | None, message: str) -> None:
    path = tmp_path / "policy.csv"
    if write == "folder":
        path.mkdir()
    elif write is not None:
        path.write_bytes(write)
    with pytest.raises(PolicyError) as caught:
        read_text(path)
    assert str(caught.value) == message
