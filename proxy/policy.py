"""The policies in force: loaded as a whole, swapped as a whole, kept when a change is refused."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog
import watchfiles

from proxy.authorise.authoriser import Authoriser
from proxy.authorise.policyset import MODEL_FILE, POLICY_FILE, load_policy_set
from proxy.errors import PolicyError, Problem
from proxy.inspection.rules import PiiRules, read_pii_rules
from proxy.moments import Clock
from proxy.settings import GATEWAY_FILE, GatewayConfig, read_gateway_config, read_text

PII_FILE = "pii.yaml"

_VERSION_CHARS = 12
_DEBOUNCE_MS = 200
_STEP_MS = 20
_LOOK_AGAIN_S = 1.0
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
    # May be absent; a link that leads nowhere is not absent.
    configured = os.path.lexists(folder / GATEWAY_FILE)
    config_text = gathered.take(lambda: read_text(folder / GATEWAY_FILE)) if configured else ""
    config = gathered.take(lambda: read_gateway_config(config_text or ""))
    order = config.dimensions if config else ()
    policy = gathered.take(lambda: load_policy_set(folder, dimension_order=order))
    pii_text = gathered.take(lambda: read_text(folder / PII_FILE))
    pii = None if pii_text is None else gathered.take(lambda: read_pii_rules(pii_text, PII_FILE, supported_entities))
    if gathered.problems or config is None or policy is None or pii is None or pii_text is None:
        raise PolicyError(gathered.problems)
    texts = {PII_FILE: pii_text} | ({GATEWAY_FILE: config_text or ""} if configured else {})
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
        self._seen = _stamp(folder)
        self.in_force = _load_beside_requests(folder, supported_entities, clock())
        self.refused: Refusal | None = None

    async def reload(self) -> PoliciesInForce:
        """Read the folder again and put it in force for the next request.

        Raises:
            PolicyError: it holds a mistake. What was in force stays, and ``refused`` says why.
        """
        async with self._changing:
            now = self._clock()
            # Noted before the files are read: what changes while they are read is then read again.
            self._seen = _stamp(self.folder)
            try:
                loaded = await asyncio.to_thread(_load_beside_requests, self.folder, self._supported, now)
                _refuse_gone(self.in_force, loaded)
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
        """Reload whenever a file of the folder changes, or the folder is replaced, until cancelled.

        Also looks at the files every second, for changes that the file system did not tell of.
        """
        while True:
            try:
                await self._watch_until_replaced()
            except Exception as error:  # noqa: BLE001 - the watch goes on: the folder may come back
                _log.warning("policy folder cannot be watched", error=type(error).__name__)
            await asyncio.sleep(_LOOK_AGAIN_S)
            await self._take_changes()

    async def _watch_until_replaced(self) -> None:
        folder = _identity(self.folder)
        if folder is None:
            return
        looks = watchfiles.awatch(
            self.folder,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            rust_timeout=int(_LOOK_AGAIN_S * 1000),
            yield_on_timeout=True,
            recursive=False,
        )
        async with aclosing(looks):
            async for told in looks:
                await self._take_changes(told=bool(told))
                if _identity(self.folder) != folder:
                    return

    async def _take_changes(self, *, told: bool = False) -> None:
        if not told and _stamp(self.folder) == self._seen:
            return
        try:
            await self.reload()
        except PolicyError:
            return
        except Exception as error:  # noqa: BLE001 - the watch goes on: the next change may mend it
            _log.error("policy reload failed", error=type(error).__name__)


def _refuse_gone(before: PoliciesInForce, after: PoliciesInForce) -> None:
    """Between an editor's removing a file and its writing the new one, the defaults must not come into force."""
    gone = sorted(before.files.keys() - after.files.keys())
    if gone:
        reason = "was in force and is gone; leave an empty file to return to the defaults"
        raise PolicyError([Problem(name, 0, 0, reason) for name in gone])


def _stamp(folder: Path) -> tuple[tuple[int, ...] | None, ...]:
    """Tells one state of the files from another without reading them."""
    stamps: list[tuple[int, ...] | None] = [_identity(folder)]
    for name in (MODEL_FILE, POLICY_FILE, PII_FILE, GATEWAY_FILE):
        try:
            found = (folder / name).stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    return tuple(stamps)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
