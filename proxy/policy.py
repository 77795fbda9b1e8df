"""The policies in force: loaded as a whole, swapped as a whole, kept when a change is refused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog
import watchfiles

from proxy.authorise.authoriser import Authoriser
from proxy.authorise.lint import LintWarning, lint
from proxy.authorise.policyset import POLICY_FILE, PolicySet, load_policy_set
from proxy.authorise.rules import MAX_FILE_BYTES, read_rules
from proxy.errors import PolicyError, Problem
from proxy.inspection.detector import Detector
from proxy.inspection.rules import PiiRules, read_pii_rules
from proxy.moments import Clock
from proxy.policytest.case import PolicyTest
from proxy.policytest.form import read_tests
from proxy.policytest.run import UnderTest, problems, run
from proxy.settings import GATEWAY_FILE, GatewayConfig, read_gateway_config, read_text

PII_FILE = "pii.yaml"

_VERSION_CHARS = 12
_DEBOUNCE_MS = 200
_STEP_MS = 20
_log = structlog.get_logger("scopegate.policy")

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


@dataclass(frozen=True, slots=True)
class Refusal:
    """Files that were not taken, and why."""

    at: datetime
    problems: tuple[Problem, ...]


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
    config_text = gathered.take(lambda: read_text(folder / GATEWAY_FILE)) if (folder / GATEWAY_FILE).exists() else ""
    config = gathered.take(lambda: read_gateway_config(config_text or ""))
    order = config.dimensions if config else ()
    policy = gathered.take(lambda: load_policy_set(folder, dimension_order=order))
    pii_text = gathered.take(lambda: read_text(folder / PII_FILE))
    pii = None if pii_text is None else gathered.take(lambda: read_pii_rules(pii_text, PII_FILE, supported_entities))
    if gathered.problems or config is None or policy is None or pii is None or pii_text is None or tests is None:
        raise PolicyError(gathered.problems)
    texts = {GATEWAY_FILE: config_text or "", PII_FILE: pii_text}
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
    path = folder / GATEWAY_FILE
    return (read_gateway_config(read_text(path)) if path.exists() else GatewayConfig()).dimensions


def policy_warnings(folder: Path) -> tuple[LintWarning, ...]:
    """What looks like a mistake in ``policy.csv``; nothing while it holds one."""
    try:
        with (folder / POLICY_FILE).open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
        rules = read_rules(text, POLICY_FILE)
    except (OSError, PolicyError):
        return ()
    try:
        config = read_gateway_config(read_text(folder / GATEWAY_FILE))
    except PolicyError:
        config = GatewayConfig()
    return lint(text, rules, config.private_dimensions)


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


class PolicyFolder:
    """A folder of policy files and what of it is in force."""

    def __init__(self, folder: Path, detector: Detector, clock: Clock) -> None:
        """Load the folder.

        Raises:
            PolicyError: it holds a mistake or fails its own tests. There is nothing good to fall back to, so the
                gateway must not start.
        """
        self.folder = folder
        self._detector = detector
        self._clock = clock
        self._changing = asyncio.Lock()
        self.in_force = load_policies(folder, detector, clock())
        self.refused: Refusal | None = None

    async def reload(self) -> PoliciesInForce:
        """Read the folder again and put it in force for the next request.

        Raises:
            PolicyError: it holds a mistake or fails its own tests. What was in force stays, and ``refused`` says why.
        """
        async with self._changing:
            now = self._clock()
            try:
                loaded = await asyncio.to_thread(load_policies, self.folder, self._detector, now)
            except PolicyError as error:
                self.refused = Refusal(now, tuple(error.problems))
                _log.error("policy refused", problems=[str(problem) for problem in error.problems])
                raise
            if loaded.version != self.in_force.version:
                _log.info("policy in force", version=loaded.version, replaces=self.in_force.version)
                self.in_force = loaded
            self.refused = None
            return self.in_force

    async def watch(self) -> None:
        """Reload whenever a file of the folder or a test in it changes, until cancelled."""
        async for _ in watchfiles.awatch(self.folder, debounce=_DEBOUNCE_MS, step=_STEP_MS, recursive=True):
            try:
                await self.reload()
            except PolicyError:
                continue
            except Exception as error:  # noqa: BLE001 - the watch goes on: the next change may mend it
                _log.error("policy reload failed", error=type(error).__name__)
