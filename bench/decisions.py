"""Microseconds for each decision, and memory, beside stock Casbin and other engines, all in one run.

    python -m bench.decisions [--rules 10 1000 10000 100000] [--seconds 2]

cedarpy and oso are measured where they are installed (``pip install cedarpy oso``). Each engine decides the same
requests in turn until its time is up; its first requests are checked against the others' answers.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import casbin

from bench import cedar, polar
from bench.workload import MODEL, Request, Workload
from proxy.authorise.engine import action_match, scope_match, silence_casbin
from proxy.authorise.policyset import PolicySet

REQUESTS = 400
ROUNDS = 101

Decide = Callable[[Request], bool]
Load = Callable[[Workload, Sequence[Request]], Decide]


def main() -> None:
    """Print a table for each number of rules."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rules", type=int, nargs="+", default=[10, 1_000, 10_000, 100_000])
    arguments.add_argument("--seconds", type=float, default=2.0, help="at most so long for each engine")
    arguments.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.memory:
        _print_memory(options.memory)
        return
    silence_casbin()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, CPU time, medians")
    for rules in options.rules:
        _table(Workload(rules), options.seconds)
    print("\nmemory (a fresh process for each size, resident size before and after loading)")
    for rules in options.rules:
        subprocess.run([sys.executable, "-m", "bench.decisions", "--memory", str(rules)], check=True)


def _table(workload: Workload, seconds: float) -> None:
    requests = workload.requests(REQUESTS)
    print(f"\n{workload.rules:,} rules, {len(workload.links):,} role links")
    started = time.process_time()
    policy = workload.policy()
    load_ms = (time.process_time() - started) * 1_000
    decide = _by_policy(policy)
    [first] = _microseconds(decide, requests, seconds, rounds=1)
    rounds = _microseconds(decide, requests, seconds, rounds=ROUNDS)
    compiled = statistics.median(rounds)
    answers = [decide(request) for request in requests]
    best = f"best round {min(rounds):.2f} us, first decision {first:,.1f} us"
    print(f"  {'scopegate':34} {compiled:14,.2f} us            load {load_ms:10,.1f} ms   {best}")
    for name, load in ENGINES.items():
        started = time.process_time()
        try:
            decide = load(workload, requests)
        except ImportError as missing:
            print(f"  {name:34} not measured: {missing.name} is not installed")
            continue
        load_ms = (time.process_time() - started) * 1_000
        [took] = _microseconds(decide, requests, seconds, rounds=1)
        same = _same(decide, requests, answers, took, seconds)
        print(f"  {name:34} {took:14,.2f} us {took / compiled:9,.0f}x load {load_ms:10,.1f} ms   {same}")
        del decide
        gc.collect()


def _by_policy(policy: PolicySet) -> Decide:
    return lambda request: policy.decide(*request).allowed


def _microseconds(decide: Decide, requests: Sequence[Request], seconds: float, rounds: int) -> list[float]:
    """The mean time for a decision in each round; a round ends with its requests or its time."""
    means = []
    for _ in range(rounds):
        decided = 0
        started = time.process_time()
        while decided < len(requests):
            decide(requests[decided])
            decided += 1
            if decided % 64 == 1 and time.process_time() - started > seconds:
                break
        means.append((time.process_time() - started) / decided * 1e6)
    return means


def _same(decide: Decide, requests: Sequence[Request], answers: Sequence[bool], took: float, seconds: float) -> str:
    checked = max(1, min(len(requests), int(seconds * 1e6 / took)))
    differing = sum(decide(request) is not answer for request, answer in zip(requests[:checked], answers, strict=False))
    return f"{checked} answers, {differing} differ"


def stock_enforcer(kind: str, workload: Workload) -> casbin.Enforcer:
    """A stock enforcer of this class over the workload's policy, with the two functions of the model."""
    with tempfile.TemporaryDirectory() as folder:
        model, policy = Path(folder, "model.conf"), Path(folder, "policy.csv")
        model.write_bytes(MODEL)
        policy.write_text(workload.text)
        enforcer = getattr(casbin, kind)(str(model), str(policy))
    enforcer.add_function("scope_match", scope_match)
    enforcer.add_function("action_match", action_match)
    return enforcer


def _stock(kind: str) -> Load:
    def load(workload: Workload, _requests: Sequence[Request]) -> Decide:
        enforcer = stock_enforcer(kind, workload)
        return lambda request: enforcer.enforce(str(request[0]), request[2].path(), request[1].value)

    return load


ENGINES: dict[str, Load] = {
    f"pycasbin {importlib.metadata.version('pycasbin')} Enforcer": _stock("Enforcer"),
    "... FastEnforcer": _stock("FastEnforcer"),
    "cedarpy": cedar.load,
    "oso": polar.load,
}


def _print_memory(rules: int) -> None:
    workload = Workload(rules)
    text = workload.text
    requests = workload.requests(REQUESTS)
    del workload
    before = _resident()
    policy = PolicySet.from_text(MODEL, text)
    gc.collect()
    loaded = _resident()
    for request in requests:
        policy.decide(*request)
    views = _resident() - loaded
    print(f"  {rules:9,} rules: {loaded - before:7.1f} MB loaded, {views:5.1f} MB more after {REQUESTS} requests")


def _resident() -> float:
    """Resident size of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
