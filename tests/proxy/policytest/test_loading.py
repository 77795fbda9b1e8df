"""A policy set whose own tests fail is not put in force."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import pytest

from proxy.errors import PolicyError
from proxy.moments import utc_now
from proxy.policy import load_policies
from proxy.policyfolder import PolicyFolder
from tests.world import POLICIES

DEADLINE_S = 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


def take_from_readers(folder: Path) -> str:
    """Change the policy so that a test fails; gives back what it was."""
    path = folder / "policy.csv"
    was = path.read_text()
    path.write_text(was.replace("p, role:reader", "p, role:nobody"))
    return was


def test_a_set_whose_tests_fail_is_refused_at_the_tests(folder: Path, detector) -> None:
    load_policies(folder, detector, utc_now())
    take_from_readers(folder)
    with pytest.raises(PolicyError) as caught:
        load_policies(folder, detector, utc_now())
    [problem] = caught.value.problems
    assert (problem.source, problem.line > 0, problem.column > 0) == ("tests/policy.yaml", True, True)
    assert "read in q3: expected allowed; is denied: no line allows it" in problem.message


def test_a_test_file_with_a_mistake_is_told_with_the_mistakes_of_the_other_files(folder: Path, detector) -> None:
    (folder / "tests" / "more.yaml").write_text("test: []")
    (folder / "pii.yaml").write_text("version: 2")
    with pytest.raises(PolicyError) as caught:
        load_policies(folder, detector, utc_now())
    assert {problem.source for problem in caught.value.problems} == {"tests/more.yaml", "pii.yaml"}


def test_a_gateway_does_not_start_on_failing_tests(folder: Path, detector) -> None:
    take_from_readers(folder)
    with pytest.raises(PolicyError, match=r"tests/policy\.yaml"):
        PolicyFolder(folder, detector, utc_now)


async def test_a_reload_that_fails_its_tests_keeps_what_is_in_force(folder: Path, detector) -> None:
    policies = PolicyFolder(folder, detector, utc_now)
    before = policies.in_force
    was = take_from_readers(folder)
    with pytest.raises(PolicyError):
        await policies.reload()
    assert policies.in_force is before
    assert policies.refused is not None
    assert [problem.source for problem in policies.refused.problems] == ["tests/policy.yaml"]
    (folder / "policy.csv").write_text(was)
    await policies.reload()
    assert policies.refused is None


async def test_a_test_that_is_mended_lets_the_change_in(folder: Path, detector) -> None:
    policies = PolicyFolder(folder, detector, utc_now)
    before = policies.in_force.version
    take_from_readers(folder)
    with pytest.raises(PolicyError):
        await policies.reload()
    watch = asyncio.create_task(policies.watch())
    tests = folder / "tests" / "policy.yaml"
    tests.write_text(
        tests.read_text().replace("expect: {q3: [read], researcher: [], writer: [], alpha: []}", "expect: {q3: []}")
    )
    async with asyncio.timeout(DEADLINE_S):
        while policies.in_force.version == before:
            tests.touch()
            await asyncio.sleep(0.05)
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch
    assert policies.refused is None
