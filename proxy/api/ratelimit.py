"""A token bucket for each key."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from proxy.errors import RateLimited

_SECONDS_A_MINUTE = 60


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: datetime


class RateLimiter:
    """Lets each key make so many requests a minute, in bursts of as many."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def spend(self, key_id: str, per_minute: int, now: datetime) -> None:
        """Take one request from the key's bucket.

        Raises:
            RateLimited: it is empty; says when to come back.
        """
        bucket = self._buckets.setdefault(key_id, _Bucket(per_minute, now))
        rate = per_minute / _SECONDS_A_MINUTE
        passed_s = max(0.0, (now - bucket.filled_at).total_seconds())
        bucket.tokens = min(float(per_minute), bucket.tokens + passed_s * rate)
        bucket.filled_at = max(now, bucket.filled_at)
        if bucket.tokens < 1:
            raise RateLimited(math.ceil((1 - bucket.tokens) / rate))
        bucket.tokens -= 1
