"""Every example of the policy language, run."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from proxy.authorise.lint import lint
from proxy.authorise.policyset import PolicySet
from proxy.authorise.rules import read_rules
from proxy.errors import PolicyError
from proxy.inspection.rules import read_pii_rules
from proxy.policytest.coverage import coverage
from proxy.policytest.form import TestFile, _Access, _Gate, read_test_file
from proxy.policytest.run import UnderTest, problems, run
from proxy.settings import GatewayConfig
from tests.world import POLICIES, ROOT

PAGE = (ROOT / "docs" / "policy-language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```([a-z ]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
MODEL = (POLICIES / "model.conf").read_bytes()
PII = (POLICIES / "pii.yaml").read_text(encoding="utf-8")
SOME_POLICY = "p, agent:nobody, org/nowhere, read, allow\n"


def examples(kind: str, answer: str) -> list[tuple[str, str]]:
    """Each example of a kind, with the block of its answer right behind it."""
    following = [(one, two) for one, two in pairwise(BLOCKS) if one[0] == kind]
    assert {two[0] for _, two in following} == {answer}
    return [(one[1], two[1]) for one, two in following]


def test_every_block_is_of_a_kind_that_is_run() -> None:
    kinds = [kind for kind, _ in BLOCKS]
    assert set(kinds) == {"csv", "csv refused", "csv warned", "text", "yaml pii", "yaml tests"}
    assert kinds.count("yaml tests") == kinds.count("csv") + kinds.count("yaml pii") == 6
    # Beside an answer, text is only the shape of the two lines.
    assert kinds.count("text") == kinds.count("csv refused") + kinds.count("csv warned") + 1


@pytest.mark.parametrize(("policy", "tests"), examples("csv", "yaml tests"))
def test_an_example_decides_as_its_tests_state_and_each_line_of_it_counts(detector, policy: str, tests: str) -> None:
    under_test = world(detector, policy, PII)
    outcomes = run(read_test_file(tests, "tests.yaml"), under_test)
    assert problems(outcomes) == []
    missing = coverage(outcomes, under_test).missing()
    assert [line.place for line in missing if line.place.startswith("policy.csv")] == []


@pytest.mark.parametrize(("pii", "tests"), examples("yaml pii", "yaml tests"))
def test_the_gate_does_as_its_tests_state(detector, pii: str, tests: str) -> None:
    under_test = world(detector, SOME_POLICY, pii)
    outcomes = run(read_test_file(tests, "tests.yaml"), under_test)
    assert problems(outcomes) == []
    missing = coverage(outcomes, under_test).missing()
    assert [line.place for line in missing if line.place.startswith("pii.yaml")] == []


@pytest.mark.parametrize(("policy", "shown"), examples("csv refused", "text"))
def test_a_mistake_is_refused_in_the_words_shown(policy: str, shown: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_rules(policy, "policy.csv")
    assert str(caught.value).splitlines() == shown.splitlines()


@pytest.mark.parametrize(("policy", "shown"), examples("csv warned", "text"))
def test_a_warning_reads_as_shown(policy: str, shown: str) -> None:
    found = lint(policy, read_rules(policy, "policy.csv"), GatewayConfig().private_dimensions)
    assert list(map(str, found)) == shown.splitlines()


@pytest.mark.parametrize("model", [TestFile, _Access, _Gate])
def test_every_field_of_a_test_file_is_named(model) -> None:
    fields = set(model.model_fields) - {"version"}
    assert {field for field in fields if f"`{field}`" not in PAGE} == set()


def world(detector, policy: str, pii: str) -> UnderTest:
    rules = read_pii_rules(pii, "pii.yaml", detector.supported)
    return UnderTest(PolicySet.from_text(MODEL, policy), rules, GatewayConfig(), detector)
