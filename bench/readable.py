"""Which of N known scopes a principal may read, beside N calls of stock Casbin (extrapolated), in one run.

python -m bench.readable [--scopes 100 10000 1000000] [--rules 1000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterable

from bench.decisions import stock_enforcer
from bench.workload import Workload
from proxy.authorise.decision import Action
from proxy.authorise.engine import silence_casbin
from proxy.authorise.policyset import PolicySet
from proxy.authorise.registry import ScopeRegistry
from proxy.principal import Principal
from store.scope import Direction, Scope

PRINCIPALS = 24
SAMPLE = 100


def main() -> None:
    """Print a table for each number of known scopes."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--scopes", type=int, nargs="+", default=[100, 10_000, 1_000_000])
    arguments.add_argument("--rules", type=int, default=1_000)
    options = arguments.parse_args()
    silence_casbin()
    workload = Workload(options.rules)
    enforcer = stock_enforcer("Enforcer", workload)
    print(
        f"{options.rules:,} rules, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; wall-clock medians (longest)"
    )
    for count in options.scopes:
        known = workload.scopes(count)
        started = time.perf_counter()
        registry = ScopeRegistry.of(known)
        print(f"\n{count:,} known scopes, laid out once in {(time.perf_counter() - started) * 1e3:,.0f} ms")
        sample = sorted(known, key=str)[:SAMPLE]
        enforce_us = _enforce_us(enforcer, sample)
        policy = workload.policy()
        for lens in _lenses(workload):
            _row(policy, lens, registry, sample, enforce_us)
        _row(_everything(), Scope.parse("/"), registry, sample, enforce_us, "/ by one who reads /**")


def _row(
    policy: PolicySet,
    lens: Scope,
    registry: ScopeRegistry,
    sample: Iterable[Scope],
    enforce_us: float,
    name: str | None = None,
) -> None:
    cold, warm, found = [], [], []
    for number in range(PRINCIPALS):
        principal = Principal("agent", f"w{number}")
        policy.decide(principal, Action.READ, lens)  # makes the principal's view, as its first decision does
        started = time.perf_counter()
        scopes, _ = policy.readable(principal, lens, Direction.BOTH, registry)
        between = time.perf_counter()
        policy.readable(principal, lens, Direction.BOTH, registry)
        warm.append((time.perf_counter() - between) * 1e6)
        cold.append((between - started) * 1e6)
        found.append(len(scopes))
        for scope in sample:
            allowed = scope.seen_through(lens) and policy.decide(principal, Action.READ, scope).allowed
            assert allowed is (scope in scopes)
    by_enforcing = enforce_us * len(registry)
    print(
        f"  {name or str(lens):26} {statistics.median(found):9,.0f} readable  cold {statistics.median(cold):9,.0f} us"
        f" ({max(cold):9,.0f})  cached {statistics.median(warm):5,.1f} us  N x enforce {by_enforcing / 1e6:12,.2f} s"
        f"  {by_enforcing / statistics.median(cold):13,.0f}x"
    )


def _lenses(workload: Workload) -> list[Scope]:
    return [Scope.parse(lens) for lens in ("/", "org/org1", "org/org3/project/p3", str(workload.scope()))]


def _everything() -> PolicySet:
    return Workload.policy_of("p, role:all, /**, read, allow\n", "role:all", PRINCIPALS)


def _enforce_us(enforcer: object, sample: list[Scope]) -> float:
    started = time.perf_counter()
    for number, scope in enumerate(sample[:20]):
        enforcer.enforce(f"agent:w{number}", scope.path(), "read")  # type: ignore[attr-defined]
    return (time.perf_counter() - started) / 20 * 1e6


if __name__ == "__main__":
    main()
