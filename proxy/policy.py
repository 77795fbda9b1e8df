"""The policies in force: read as a whole, tested as a whole, one value for a whole request."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from proxy.authorise.authoriser import Authoriser
from proxy.authorise.lint import LintWarning, lint
from proxy.authorise.policyset import POLICY_FILE, PolicySet, load_policy_set
from proxy.authorise.rules import MAX_FILE_BYTES, read_rules
from proxy.errors import PolicyError, Problem
from proxy.inspection.detector import Detector
from proxy.inspection.rules import PiiRules, read_pii_rules
from proxy.policytest.case import PolicyTest
from proxy.policytest.form import read_tests
from proxy.policytest.run import UnderTest, problems, run
from proxy.settings import GATEWAY_FILE, GatewayConfig, read_gateway_config, read_text

PII_FILE = "pii.yaml"

_VERSION_CHARS = 12

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class PoliciesInForce:
    """Everything that decides about one request. A request takes it once and uses it throughout."""

    authoriser: Authoriser
    pii: PiiRules
    config: GatewayConfig
    files: Mapping[str, str]
    loaded_at: datetime

    @property
    def version(self) -> str:
        """Names the content of all files together."""
        listed = "\n".join(f"{name} {digest}" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(listed.encode()).hexdigest()[:_VERSION_CHARS]


def load_policies(folder: Path, detector: Detector, now: datetime) -> PoliciesInForce:
    """Read all policy files of ``folder`` and run the policy tests in it, if there are any.

    Raises:
        PolicyError: the problems of all files at once; or what the tests say otherwise, each at its place in them.
    """
    loaded, tests = read_policies(folder, detector.supported, now)
    failures = problems(run(tests, under_test(loaded, detector)))
    if failures:
        raise PolicyError(failures)
    return loaded


def under_test(policies: PoliciesInForce, detector: Detector) -> UnderTest:
    """The policies as policy tests take them."""
    return UnderTest(policies.authoriser.policy, policies.pii, policies.config, detector)


def read_policies(
    folder: Path, supported_entities: Collection[str], now: datetime
) -> tuple[PoliciesInForce, tuple[PolicyTest, ...]]:
    """All policy files of ``folder`` and the tests in it, not run.

    ``supported_entities`` are those that the publish gate can find.

    Raises:
        PolicyError: the problems of all files at once.
    """
    gathered = _Gathered()
    tests = gathered.take(lambda: read_tests(folder))
    config_text = gathered.take(lambda: _config_text(folder))
    config = gathered.take(lambda: read_gateway_config(config_text or ""))
    order = config.dimensions if config else ()
    policy = gathered.take(lambda: load_policy_set(folder, dimension_order=order))
    pii_text = gathered.take(lambda: read_text(folder / PII_FILE))
    pii = None if pii_text is None else gathered.take(lambda: read_pii_rules(pii_text, PII_FILE, supported_entities))
    if gathered.problems or config is None or policy is None or pii is None or pii_text is None or tests is None:
        raise PolicyError(gathered.problems)
    texts = {PII_FILE: pii_text} | ({} if config_text is None else {GATEWAY_FILE: config_text})
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    return PoliciesInForce(Authoriser(policy), pii, config, {**policy.files, **digests}, now), tests


def read_policy_set(folder: Path) -> PolicySet:
    """The policy set of ``folder`` alone, which spells scopes as its ``gateway.yaml`` orders dimensions.

    Raises:
        PolicyError: the problems of both.
    """
    gathered = _Gathered()
    order = gathered.take(lambda: read_dimension_order(folder))
    policy = gathered.take(lambda: load_policy_set(folder, dimension_order=order or ()))
    if gathered.problems or policy is None:
        raise PolicyError(gathered.problems)
    return policy


def read_dimension_order(folder: Path) -> tuple[str, ...]:
    """The order of dimensions that the ``gateway.yaml`` of ``folder`` names, or that of the defaults.

    Raises:
        PolicyError: the file holds a mistake.
    """
    return read_gateway_config(_config_text(folder) or "").dimensions


def policy_warnings(folder: Path) -> tuple[LintWarning, ...]:
    """What looks like a mistake in ``policy.csv``; nothing while it holds one."""
    try:
        with (folder / POLICY_FILE).open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
        rules = read_rules(text, POLICY_FILE)
    except (OSError, PolicyError):
        return ()
    try:
        config = read_gateway_config(_config_text(folder) or "")
    except PolicyError:
        config = GatewayConfig()
    return lint(text, rules, config.private_dimensions)


def _config_text(folder: Path) -> str | None:
    """The text of ``gateway.yaml``, or None where there is none; a link that leads nowhere is not nothing."""
    path = folder / GATEWAY_FILE
    return read_text(path) if os.path.lexists(path) else None


class _Gathered:
    """Runs readers one after the other and keeps what each complains of."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def take(self, read: Callable[[], Value]) -> Value | None:
        try:
            return read()
        except PolicyError as error:
            self.problems.extend(error.problems)
            return None
