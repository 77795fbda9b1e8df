import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from proxy.authorise.decision import Action
from proxy.authorise.engine import Engine, silence_casbin
from proxy.authorise.policyset import PolicySet
from proxy.authorise.rules import read_rules
from proxy.errors import PolicyError
from proxy.principal import Principal
from store.scope import Scope, Term
from tests.proxy.authorise.stock import MODEL, SHIPPED

WRITER = Principal.parse("agent:writer")
Q3 = Scope.parse("org/acme/project/q3")
CASBIN_LOGGERS = [logging.getLogger(name) for name in ("casbin", "casbin.policy", "casbin.enforcer", "casbin.role")]


def engine(policy: bytes = SHIPPED) -> Engine:
    return Engine(MODEL.decode(), policy, read_rules(policy, "policy.csv"))


def test_other_rules_than_the_reader_read_are_refused() -> None:
    read = read_rules(SHIPPED, "policy.csv")
    for content in (
        SHIPPED + b"p, role:reader, /**, *, allow\n",
        SHIPPED.replace(b"*, deny", b"*, allow"),
        SHIPPED.replace(b"g, agent:intern, role:intern", b"g, agent:intern, role:operator"),
        SHIPPED.replace(b"g, agent:intern, role:intern", b"# g, agent:intern, role:intern"),
        SHIPPED.replace(b"p, role:intern, org/acme/project/q3/user", b"P, role:intern, org/acme/project/q3/user"),
    ):
        with pytest.raises(PolicyError, match="Casbin reads other rules"):
            Engine(MODEL.decode(), content, read)


def test_what_casbin_does_not_load_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"policy\.csv: Casbin does not load it"):
        Engine("[matchers]\nm = 1", SHIPPED, read_rules(SHIPPED, "policy.csv"))


@pytest.mark.parametrize(
    "principal", [Principal("role", "writer"), Principal("agent", "x, role:writer"), Principal("", "")]
)
def test_what_is_no_principal_gets_no_verdict(principal: Principal) -> None:
    with pytest.raises(ValueError):
        engine().allows(principal, Action.READ, Q3)
    with pytest.raises(ValueError):
        engine(b"p, agent:writer, /, read, allow").allows(principal, Action.REVIEW, Q3)


def test_what_is_no_scope_gets_no_verdict() -> None:
    policy = b"p, agent:writer, org/acme/project/q3, read, allow"
    assert engine(policy).allows(WRITER, Action.READ, Q3)
    with pytest.raises(ValueError):
        engine(policy).allows(WRITER, Action.READ, Scope(frozenset({Term("org", "acme/project/q3")})))


def test_names_that_nobody_has_are_not_kept() -> None:
    judge = engine()
    judge.allows(WRITER, Action.READ, Q3)
    before = set(judge._members)
    for number in range(100):
        assert not judge.allows(Principal.parse(f"agent:made-up-{number}"), Action.READ, Q3)
    assert set(judge._members) == before
    assert judge.allows(WRITER, Action.READ, Q3)


def test_casbin_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    judge = engine()
    judge.allows(WRITER, Action.FORGET, Q3)
    assert not caplog.records


def test_casbin_logs_nothing_after_logging_is_configured_anew(caplog: pytest.LogCaptureFixture) -> None:
    judge = engine()
    try:
        for logger in CASBIN_LOGGERS:
            logger.disabled, logger.propagate = False, True
            logger.setLevel(logging.DEBUG)
        caplog.set_level(logging.DEBUG)
        judge.allows(WRITER, Action.FORGET, Q3)
        engine()
        assert not caplog.records
    finally:
        silence_casbin()


def test_threads_decide_at_once(caplog: pytest.LogCaptureFixture) -> None:
    policy = PolicySet.from_text(MODEL, "p, agent:writer, org/*, read, allow")

    def allowed(start: int) -> int:
        scopes = [Scope.parse(f"org/o{start + number}") for number in range(250)]
        return sum(policy.decide(WRITER, Action.READ, scope).allowed for scope in scopes)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(allowed, (0, 1_000, 2_000, 3_000))) == [250] * 4
    assert not caplog.records
