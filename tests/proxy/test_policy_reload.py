"""Requests that are decided while policies are loaded in a loop: each by one set, the old or the new."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.authorise.decision import Action, Allow
from proxy.authorise.registry import ScopeRegistry
from proxy.errors import PolicyError
from proxy.policyfolder import PolicyFolder
from proxy.principal import Caller, Principal
from store.scope import EMPTY, Direction, Scope
from tests.proxy.api.rig import QuickDetector
from tests.proxy.authorise.stock import POLICIES

# Each set allows ana one of two projects through a role of its own, denies her the other, and says so in other lines.
OLD = """\
p, role:old, org/acme/**, read, allow
p, role:old, org/acme/project/b/**, read, deny
g, agent:ana, role:old
"""
NEW = """\
# one line further down
p, role:new, org/acme/**, read, allow
p, role:new, org/acme/project/a/**, read, deny
g, agent:ana, role:new
"""
PII = "version: 1\nlanguage: en\nminimum_score: 0.4\nrules: [{scope: /**, entities: [SECRET], verdict: block}]\n"
FILLER = "".join(f"p, role:filler, org/o{number}/**, read, allow\n" for number in range(300))

ANA = Caller(Principal.parse("agent:ana"), "key-1")
SCOPES = [Scope.parse(f"org/acme/project/{name}") for name in "ab"]
KNOWN = ScopeRegistry.of(SCOPES)
ANSWERS = {
    "old": ((True, "policy.csv:1"), (False, "policy.csv:2")),
    "new": ((False, "policy.csv:3"), (True, "policy.csv:2")),
}


@pytest.fixture
def folder(tmp_path: Path) -> PolicyFolder:
    for name in ("model.conf", "gateway.yaml"):
        shutil.copy(POLICIES / name, tmp_path)
    (tmp_path / "pii.yaml").write_text(PII)
    (tmp_path / "policy.csv").write_text(OLD + FILLER)
    return PolicyFolder(tmp_path, QuickDetector(), lambda: datetime(2026, 1, 1, tzinfo=UTC))


def answers(folder: PolicyFolder) -> object:
    """What one request is told, by the policies that it took when it came."""
    policy = folder.in_force.authoriser.policy
    rulings = [policy.decide(ANA.principal, Action.READ, scope) for scope in SCOPES]
    return tuple((ruling.allowed, ruling.line) for ruling in rulings)


def permitted(folder: PolicyFolder) -> frozenset[Scope]:
    decision = folder.in_force.authoriser.may_read(ANA, EMPTY, Direction.BOTH, KNOWN)
    assert isinstance(decision, Allow)
    return decision.permit.scopes


async def test_no_request_sees_anything_but_the_old_or_the_new_policies(folder: PolicyFolder) -> None:
    reloading = asyncio.ensure_future(reload_in_turn(folder, 20))
    told, permits = set(), set()
    while not reloading.done():
        told.add(answers(folder))
        permits.add(permitted(folder))
        await asyncio.sleep(0)
    await reloading
    assert told == set(ANSWERS.values())
    assert permits == {frozenset({scope}) for scope in SCOPES}


async def test_threads_see_nothing_but_the_old_or_the_new_policies(folder: PolicyFolder) -> None:
    reloading = asyncio.ensure_future(reload_in_turn(folder, 10))

    def ask() -> set[object]:
        return {answers(folder) for _ in itertools.takewhile(lambda _: not reloading.done(), itertools.count())}

    told = await asyncio.gather(*(asyncio.to_thread(ask) for _ in range(3)))
    await reloading
    assert set().union(*told) <= set(ANSWERS.values())


async def test_a_refused_reload_between_two_good_ones_changes_no_answer(folder: PolicyFolder) -> None:
    policy_file = folder.folder / "policy.csv"
    policy_file.write_text(NEW.replace("deny", "Deny"))
    with pytest.raises(PolicyError):
        await folder.reload()
    assert answers(folder) == ANSWERS["old"]
    policy_file.write_text(NEW)
    await folder.reload()
    assert answers(folder) == ANSWERS["new"]


async def test_a_request_keeps_the_policies_that_it_came_with(folder: PolicyFolder) -> None:
    policy = folder.in_force.authoriser.policy
    (folder.folder / "policy.csv").write_text(NEW)
    await folder.reload()
    assert [policy.decide(ANA.principal, Action.READ, scope).allowed for scope in SCOPES] == [True, False]
    assert len(policy.explain(ANA.principal, Action.READ, SCOPES[0]).considered) == 2


async def reload_in_turn(folder: PolicyFolder, times: int) -> None:
    for _, text in zip(range(times), itertools.cycle([NEW, OLD]), strict=False):
        (folder.folder / "policy.csv").write_text(text + FILLER)
        await folder.reload()
