"""The policies in force: loaded as a whole, swapped as a whole, kept when a change is refused."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog
import watchfiles

from proxy.authorise.authoriser import Authoriser
from proxy.authorise.policyset import load_policy_set
from proxy.errors import PolicyError, Problem
from proxy.inspection.rules import PiiRules, read_pii_rules
from proxy.moments import Clock
from proxy.settings import GATEWAY_FILE, GatewayConfig, read_gateway_config, read_text

PII_FILE = "pii.yaml"

_VERSION_CHARS = 12
_DEBOUNCE_MS = 200
_STEP_MS = 20
_TURN_S = 0.0005
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


def load_policies(folder: Path, supported_entities: Collection[str], now: datetime) -> PoliciesInForce:
    """Read all policy files of ``folder``; ``supported_entities`` are those that the publish gate can find.

    Raises:
        PolicyError: the problems of all files at once.
    """
    gathered = _Gathered()
    config_text = gathered.take(lambda: read_text(folder / GATEWAY_FILE)) if (folder / GATEWAY_FILE).exists() else ""
    config = gathered.take(lambda: read_gateway_config(config_text or ""))
    order = config.dimensions if config else ()
    policy = gathered.take(lambda: load_policy_set(folder, dimension_order=order))
    pii_text = gathered.take(lambda: read_text(folder / PII_FILE))
    pii = None if pii_text is None else gathered.take(lambda: read_pii_rules(pii_text, PII_FILE, supported_entities))
    if gathered.problems or config is None or policy is None or pii is None or pii_text is None:
        raise PolicyError(gathered.problems)
    texts = {GATEWAY_FILE: config_text or "", PII_FILE: pii_text}
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    return PoliciesInForce(Authoriser(policy), pii, config, {**policy.files, **digests}, now)


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


def _load_beside_requests(folder: Path, supported_entities: Collection[str], now: datetime) -> PoliciesInForce:
    """``load_policies`` while other threads answer requests.

    Two things would stop them: the collector of cycles, which walks over all lines again and again as they are read,
    and the five milliseconds for which a thread may keep the interpreter. What was loaded is never walked over again;
    it holds no cycles, and goes when nothing refers to it.
    """
    interval, collecting = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(_TURN_S)
    gc.disable()
    try:
        loaded = load_policies(folder, supported_entities, now)
        gc.freeze()
        return loaded
    finally:
        if collecting:
            gc.enable()
        sys.setswitchinterval(interval)


def _let_go(replaced: list[PoliciesInForce]) -> None:
    """Free policies line by line, where freeing all at once would stop every thread."""
    lines = list(replaced.pop().authoriser.policy.rules.lines)
    while lines:
        lines.pop()


class PolicyFolder:
    """A folder of policy files and what of it is in force."""

    def __init__(self, folder: Path, supported_entities: Collection[str], clock: Clock) -> None:
        """Load the folder.

        Raises:
            PolicyError: it holds a mistake. There is nothing good to fall back to, so the gateway must not start.
        """
        self.folder = folder
        self._supported = supported_entities
        self._clock = clock
        self._changing = asyncio.Lock()
        self.in_force = _load_beside_requests(folder, supported_entities, clock())
        self.refused: Refusal | None = None

    async def reload(self) -> PoliciesInForce:
        """Read the folder again and put it in force for the next request.

        Raises:
            PolicyError: it holds a mistake. What was in force stays, and ``refused`` says why.
        """
        async with self._changing:
            now = self._clock()
            try:
                loaded = await asyncio.to_thread(_load_beside_requests, self.folder, self._supported, now)
            except PolicyError as error:
                self.refused = Refusal(now, tuple(error.problems))
                _log.error("policy refused", problems=[str(problem) for problem in error.problems])
                raise
            if loaded.version != self.in_force.version:
                _log.info("policy in force", version=loaded.version, replaces=self.in_force.version)
                replaced, self.in_force = [self.in_force], loaded
                await asyncio.to_thread(_let_go, replaced)
            self.refused = None
            return self.in_force

    async def watch(self) -> None:
        """Reload whenever a file of the folder changes, until cancelled."""
        async for _ in watchfiles.awatch(self.folder, debounce=_DEBOUNCE_MS, step=_STEP_MS, recursive=False):
            try:
                await self.reload()
            except PolicyError:
                continue
            except Exception as error:  # noqa: BLE001 - the watch goes on: the next change may mend it
                _log.error("policy reload failed", error=type(error).__name__)
