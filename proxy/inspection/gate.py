"""The publish gate: every draft that is to enter a shared scope passes it, or does not enter."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from time import monotonic

from proxy.errors import GateUnavailable
from proxy.inspection.detector import Detector
from proxy.inspection.draft import Draft
from proxy.inspection.judgement import Judgement, Review, judge, look
from proxy.inspection.pool import PoolFullError, WorkerPool
from proxy.inspection.redact import ScopeKey
from proxy.inspection.rules import PiiRules
from proxy.inspection.verdict import Verdict
from store.scope import Scope

UNAVAILABLE = "unavailable"

_MASTER_KEY_BYTES = 16
_PROBE = "Raw data contains PII: user SSN 123-45-6789."
_PROBE_ENTITY = "US_SSN"
_PROBE_NUMBER = "123-45-6789"

_log = logging.getLogger("scopegate.gate")


class PublishGate:
    """Judges drafts in a bounded pool of threads, each within ``deadline_s`` seconds, waiting for a thread included.

    Fails closed: when the detector fails, talks nonsense or is too slow, or ``queue`` drafts wait already, there is
    no verdict but ``GateUnavailable``. Exceptions, logs and findings never hold text of a draft.

    ``counts`` are the verdicts given so far by kind, and under ``unavailable`` the failures; ``unmatched`` are the
    findings that passed because no rule was about them, by entity.
    """

    def __init__(self, detector: Detector, master_key: bytes, *, deadline_s: float, workers: int, queue: int) -> None:
        """Hashes and pseudonyms are made under ``master_key``: at least 16 random bytes, kept for ever.

        Raises:
            ValueError: the key is too short, or a limit makes no sense.
        """
        if len(master_key) < _MASTER_KEY_BYTES:
            raise ValueError(f"the gate's master key has at least {_MASTER_KEY_BYTES} bytes")
        if not deadline_s > 0:
            raise ValueError("the gate's deadline is more than 0 seconds")
        self.counts: Counter[str] = Counter()
        self.unmatched: Counter[str] = Counter()
        self._detector = detector
        self._master_key = master_key
        self._deadline_s = deadline_s
        self._pool: WorkerPool[object] = WorkerPool(workers, queue)

    async def inspect(
        self, draft: Draft, scope: Scope, rules: PiiRules, *, approved: bool = False, redact_held: bool = False
    ) -> Verdict:
        """Judge everything in ``draft``, for ``scope``.

        After a human review: with ``approved``, findings that would be held pass; with ``redact_held`` they are
        replaced instead. What is blocked stays blocked, what is redacted stays redacted.

        Raises:
            GateUnavailable: there is no verdict, so nothing may be stored.
        """
        review = Review(approved, redact_held)
        give_up_at = monotonic() + self._deadline_s
        judgement = await self._within_deadline(partial(self._judge, draft, scope, rules, review, give_up_at))
        if not isinstance(judgement, Judgement):
            raise self._unavailable(judgement)
        self.counts[judgement.verdict.kind.value] += 1
        self.unmatched.update(judgement.unmatched)
        return judgement.verdict

    async def check(self) -> None:
        """Whether the gate is able to judge: it must see the number in a sentence made up for the purpose.

        Raises:
            GateUnavailable: it did not.
        """
        seen = await self._within_deadline(self._probe)
        if seen is not True:
            raise self._unavailable(seen)

    def close(self) -> None:
        """Judge nothing more. Does not wait for a detector that is stuck."""
        self._pool.close()

    def _judge(self, draft: Draft, scope: Scope, rules: PiiRules, review: Review, give_up_at: float) -> Judgement:
        seen = look(draft, scope, rules, self._detector, before_each=partial(_keep_going, give_up_at))
        return judge(draft, seen, review, ScopeKey.derive(self._master_key, scope))

    def _probe(self) -> bool:
        spans = self._detector.detect(_PROBE, frozenset({_PROBE_ENTITY}), "en")
        return any(_PROBE[span.start : span.end] == _PROBE_NUMBER for span in spans)

    async def _within_deadline(self, job: Callable[[], object]) -> object:
        """The job's result, or the name of what went wrong: an exception could carry text of the draft along."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.wrap_future(self._pool.submit(partial(_outcome, job)))
        except (PoolFullError, TimeoutError) as failure:
            return type(failure).__name__

    def _unavailable(self, reason: object) -> GateUnavailable:
        self.counts[UNAVAILABLE] += 1
        _log.warning("the publish gate could not judge: %s", reason if isinstance(reason, str) else "nothing found")
        return GateUnavailable("the publish gate could not judge this now, so nothing was stored; try again")


def _keep_going(give_up_at: float) -> None:
    if monotonic() > give_up_at:
        raise TimeoutError


def _outcome(job: Callable[[], object]) -> object:
    try:
        return job()
    except BaseException as error:  # noqa: BLE001 - whatever it is, SystemExit too, nothing was judged
        return type(error).__name__
