import logging
from hashlib import sha256
from pathlib import Path

import casbin
import pytest

from proxy.authorise import engine
from proxy.authorise.decision import Action, Considered, Grant, Ruling
from proxy.authorise.policyset import PolicySet, load_policy_set
from proxy.errors import PolicyError
from proxy.principal import Principal
from store.scope import Scope, Term
from tests.proxy.authorise.stock import MODEL, POLICIES, SHIPPED

POLICY = """\
p, role:base, org/acme/**, read, allow
p, role:lead, org/acme/project/*, read|write, allow
p, agent:ana, org/acme/agent/{self}, *, allow
p, role:base, org/acme/project/secret/**, *, deny
g, agent:ana, role:lead
g, role:lead, role:base
"""
ANA = Principal.parse("agent:ana")
BO = Principal.parse("agent:bo")
Q3 = Scope.parse("org/acme/project/q3")
SECRET = Scope.parse("org/acme/project/secret")


class BrokenIndex:
    """An index that fails, and its message is nobody's business."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def deciding(self, *_asked: object) -> None:
        raise self.failure


def told(ruling: Ruling) -> tuple[bool, str | None, str]:
    return ruling.allowed, ruling.line, ruling.reason


@pytest.fixture
def policy() -> PolicySet:
    return PolicySet.from_text(MODEL, POLICY, dimension_order=("project", "org"))


def test_decisions_name_the_deciding_line(policy: PolicySet) -> None:
    assert told(policy.decide(ANA, Action.READ, Q3)) == (
        True, "policy.csv:1", "policy.csv:1 allows agent:ana to read in project/q3/org/acme",
    )  # fmt: skip
    assert policy.decide(ANA, Action.WRITE, Q3).line == "policy.csv:2"
    assert told(policy.decide(ANA, Action.FORGET, Q3)) == (
        False, None, "no policy line allows agent:ana to forget in project/q3/org/acme",
    )  # fmt: skip
    assert told(policy.decide(ANA, Action.READ, SECRET)) == (
        False, "policy.csv:4", "policy.csv:4 denies agent:ana to read in project/secret/org/acme",
    )  # fmt: skip
    assert policy.decide(BO, Action.READ, Q3).line is None


def test_explanations_consider_every_line_about_the_principal(policy: PolicySet) -> None:
    explanation = policy.explain(ANA, Action.WRITE, SECRET)
    everything = tuple(Action)
    assert (explanation.allowed, explanation.line) == (False, "policy.csv:4")
    assert explanation.considered == (
        Considered("policy.csv:1", "org/acme/**", ("read",), "allow", False, "action write is not among read"),
        Considered("policy.csv:2", "org/acme/project/*", ("read", "write"), "allow", True, "allows"),
        Considered("policy.csv:3", "org/acme/agent/ana", everything, "allow", False, "scope does not match"),
        Considered("policy.csv:4", "org/acme/project/secret/**", everything, "deny", True, "denies"),
    )
    assert policy.explain(BO, Action.WRITE, SECRET).considered == ()


def test_grants_and_roles(policy: PolicySet) -> None:
    assert policy.roles(ANA) == ("role:base", "role:lead")
    assert policy.roles(BO) == ()
    assert policy.grants(ANA)[1:3] == (
        Grant("org/acme/project/*", ("read", "write"), "allow", "policy.csv:2"),
        Grant("org/acme/agent/ana", tuple(Action), "allow", "policy.csv:3"),
    )
    assert policy.grants(BO) == ()


def test_the_version_is_that_of_the_contents(policy: PolicySet) -> None:
    assert policy.files == {"model.conf": sha256(MODEL).hexdigest(), "policy.csv": sha256(POLICY.encode()).hexdigest()}
    assert policy.version == PolicySet.from_text(MODEL.decode(), POLICY.encode(), source="other.csv").version
    assert policy.version != PolicySet.from_text(MODEL, POLICY + "# more\n").version
    assert policy.version != PolicySet.from_text(MODEL + b"# more\n", POLICY).version
    assert len(policy.version) == 12


def test_a_policy_set_is_immutable(policy: PolicySet) -> None:
    for name in ("version", "files", "dimension_order", "anything"):
        with pytest.raises(AttributeError):
            setattr(policy, name, "x")
    with pytest.raises(TypeError):
        policy.files["policy.csv"] = "x"  # type: ignore[index]


def test_lines_are_called_by_their_source() -> None:
    policy = PolicySet.from_text(MODEL, POLICY, source="draft.csv")
    assert policy.decide(ANA, Action.READ, Q3).line == "draft.csv:1"


@pytest.mark.parametrize("failure", [RuntimeError("secret text"), KeyError("secret text"), ValueError("secret text")])
def test_an_index_that_fails_is_a_logged_deny_and_is_asked_again(
    policy: PolicySet, caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    index, policy._index = policy._index, BrokenIndex(failure)  # type: ignore[assignment]
    ruling = policy.decide(ANA, Action.READ, Q3)
    assert told(ruling) == (False, None, "the policy could not be evaluated; nothing is allowed")
    assert [(record.name, record.levelno) for record in caplog.records] == [("scopegate.policy", logging.ERROR)]
    assert "secret text" not in caplog.text
    assert type(failure).__name__ in caplog.text
    policy._index = index
    assert policy.decide(ANA, Action.READ, Q3).allowed


@pytest.mark.parametrize(
    ("principal", "scope"),
    [
        (Principal("role", "lead"), Q3),
        (Principal("agent", "ana\n"), Q3),
        (ANA, Scope(frozenset({Term("org", "acme/project/q3")}))),
        (ANA, Scope(frozenset({Term("org", "acme"), Term("org", "other")}))),
    ],
)
def test_what_was_never_checked_is_denied(
    policy: PolicySet, caplog: pytest.LogCaptureFixture, principal: Principal, scope: Scope
) -> None:
    assert not policy.decide(principal, Action.READ, scope).allowed
    assert caplog.records
    assert "\n" not in caplog.records[0].getMessage()


def test_the_shipped_folder_loads() -> None:
    policy = load_policy_set(POLICIES, dimension_order=("org", "project"))
    assert policy.version == PolicySet.from_text(MODEL, SHIPPED).version
    assert policy.dimension_order == ("org", "project")
    assert policy.roles(Principal.parse("agent:writer")) == ("role:writer",)


def test_a_file_in_which_casbin_reads_other_rules_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def reads_less(model: str, content: bytes) -> casbin.Enforcer:
        return enforcer(model, content.replace(b"p, role:base, org/acme/project/secret/**, *, deny\n", b""))

    enforcer = engine._enforcer
    monkeypatch.setattr(engine, "_enforcer", reads_less)
    with pytest.raises(PolicyError, match="Casbin reads other rules"):
        PolicySet.from_text(MODEL, POLICY)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy_set(tmp_path / "nowhere")
    assert [problem.source for problem in caught.value.problems] == ["model.conf", "policy.csv"]
    (tmp_path / "model.conf").write_bytes(MODEL)
    (tmp_path / "policy.csv").mkdir()
    with pytest.raises(PolicyError, match=r"policy\.csv: cannot be read"):
        load_policy_set(tmp_path)


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.conf").write_bytes(MODEL)
    (tmp_path / "policy.csv").write_bytes(b"#\n" * 20_000_000)
    with pytest.raises(PolicyError, match=r"larger than 33554432 bytes \(limit MAX_FILE_BYTES\)"):
        load_policy_set(tmp_path)


def test_the_problems_of_both_files_come_at_once() -> None:
    with pytest.raises(PolicyError) as caught:
        PolicySet.from_text(MODEL.replace(b"g = _, _", b"g = _"), POLICY.replace("deny", "Deny"))
    assert [(problem.source, problem.line) for problem in caught.value.problems] == [
        ("model.conf", 11),
        ("policy.csv", 4),
    ]
