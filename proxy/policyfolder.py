"""The policy folder of a running gateway: watched, read again beside the requests, swapped or refused as a whole."""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
import watchfiles

from proxy.authorise.policyset import MODEL_FILE, POLICY_FILE
from proxy.errors import PolicyError, Problem
from proxy.inspection.detector import Detector
from proxy.moments import Clock
from proxy.policy import PII_FILE, PoliciesInForce, load_policies
from proxy.policytest.form import files_of
from proxy.settings import GATEWAY_FILE

_DEBOUNCE_MS = 200
_STEP_MS = 20
_LOOK_AGAIN_S = 1.0
_TURN_S = 0.0005
_log = structlog.get_logger("scopegate.policy")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Files that were not taken, and why."""

    at: datetime
    problems: tuple[Problem, ...]


def _load_beside_requests(folder: Path, detector: Detector, now: datetime) -> PoliciesInForce:
    """``load_policies`` while other threads answer requests.

    Two things would stop them: the collector of cycles, which walks over all lines again and again as they are read,
    and the five milliseconds for which a thread may keep the interpreter. What was loaded is never walked over again;
    it holds no cycles, and goes when nothing refers to it.
    """
    interval, collecting = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(_TURN_S)
    gc.disable()
    try:
        loaded = load_policies(folder, detector, now)
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
        self._seen = _stamp(folder)
        self.in_force = _load_beside_requests(folder, detector, clock())
        self.refused: Refusal | None = None

    async def reload(self) -> PoliciesInForce:
        """Read the folder again and put it in force for the next request.

        Raises:
            PolicyError: it holds a mistake or fails its own tests. What was in force stays, and ``refused`` says why.
        """
        async with self._changing:
            now = self._clock()
            # Noted before the files are read: what changes while they are read is then read again.
            self._seen = _stamp(self.folder)
            try:
                loaded = await asyncio.to_thread(_load_beside_requests, self.folder, self._detector, now)
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

        Also looks at the files every second, for changes of the tests and those that the file system did not tell of.
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
    files = [folder / name for name in (MODEL_FILE, POLICY_FILE, PII_FILE, GATEWAY_FILE)]
    for path in [*files, *files_of(folder)]:
        try:
            found = path.stat()
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
