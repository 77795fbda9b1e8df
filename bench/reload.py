"""How long a reload takes, and the longest pause of requests that go on meanwhile.

    python -m bench.reload [--rules 10000] [--reloads 5]

Requests are decided one after the other on an event loop, as the gateway does, with a turn of the loop between two.
The pause is the longest time from one decision to the next: while nothing is loaded, and while reloads go on.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import time
from itertools import cycle
from pathlib import Path

from bench.workload import Request, Workload
from proxy.inspection.detector import Span
from proxy.moments import utc_now
from proxy.policyfolder import PolicyFolder

POLICIES = Path(__file__).parents[1] / "policies"
PII = "version: 1\nlanguage: en\nminimum_score: 0.4\nrules: [{scope: /**, entities: [SECRET], verdict: block}]\n"
IDLE_S = 2.0


class NoDetector:
    """Knows the one entity of the rules here, and is never asked to find it."""

    supported = frozenset({"SECRET"})

    def detect(self, text: str, entities: frozenset[str], language: str, context: str = "") -> list[Span]:  # noqa: ARG002
        """Find nothing."""
        return []


def main() -> None:
    """Print one table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rules", type=int, default=10_000)
    arguments.add_argument("--reloads", type=int, default=5)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(Path(folder), options.rules, options.reloads))


def _folder(folder: Path, workload: Workload) -> PolicyFolder:
    for name in ("model.conf", "gateway.yaml"):
        shutil.copy(POLICIES / name, folder)
    Path(folder, "pii.yaml").write_text(PII)
    Path(folder, "policy.csv").write_text(workload.text)
    return PolicyFolder(folder, NoDetector(), utc_now)


async def _measure(folder: Path, rules: int, reloads: int) -> None:
    workload = Workload(rules)
    policies = _folder(folder, workload)
    print(f"{rules:,} rules, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    requests = workload.requests(400)
    idle = await _pauses(policies, requests, asyncio.sleep(IDLE_S))
    took: list[float] = []
    busy = await _pauses(policies, requests, _reload(policies, folder, workload.text, reloads, took))
    print(f"  reload: median {statistics.median(took):8,.0f} ms, longest {max(took):8,.0f} ms")
    for name, pauses in (("idle", idle), ("reloading", busy)):
        pauses.sort()
        print(
            f"  {name:10} {len(pauses):9,} decisions, pause: median {statistics.median(pauses) * 1e3:7.3f} ms,"
            f" 99.9 % {pauses[int(len(pauses) * 0.999)] * 1e3:7.2f} ms, longest {pauses[-1] * 1e3:7.2f} ms"
        )


async def _reload(policies: PolicyFolder, folder: Path, text: str, reloads: int, took: list[float]) -> None:
    for number in range(reloads):
        await asyncio.to_thread(Path(folder, "policy.csv").write_text, f"{text}# {number}\n")
        started = time.perf_counter()
        await policies.reload()
        took.append((time.perf_counter() - started) * 1e3)


async def _pauses(policies: PolicyFolder, requests: list[Request], meanwhile: object) -> list[float]:
    """The time between any two decisions while ``meanwhile`` goes on."""
    pauses: list[float] = []
    task = asyncio.ensure_future(meanwhile)  # type: ignore[arg-type]
    last = time.perf_counter()
    for request in cycle(requests):
        policies.in_force.authoriser.policy.decide(*request)
        await asyncio.sleep(0)
        now = time.perf_counter()
        pauses.append(now - last)
        last = now
        if task.done():
            await task
            return pauses
    raise AssertionError


if __name__ == "__main__":
    main()
