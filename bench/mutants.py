"""Faults planted one by one in a copy of the tree, each of which the tests of ``proxy/authorise`` must find.

    python -m bench.mutants [--jobs 2] [--only WORD]

Prints a line for each: killed, or SURVIVED. Exit code 1 where one survives that is not said to be harmless.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parents[1]
COPIED = ("proxy", "store", "tests", "policies", "pyproject.toml")
# Those that find most come first; the reader's own tests are left out, because no mutant here is in the reader.
# The tests' own conftest loads the detector, which no test here needs and every run would wait for.
CONFTEST = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--oracle-pairs", type=int, default=2000)

@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"
"""
TESTS = tuple(
    f"tests/proxy/authorise/test_{name}.py"
    for name in ("policyset", "index", "readable", "may_look", "authoriser", "engine", "against_stock")
)


@dataclass(frozen=True)
class Mutant:
    """One text of one module replaced by another. ``harmless`` says why no test can tell."""

    module: str
    old: str
    new: str
    harmless: str = ""


def _mutants(module: str, *changes: tuple[str, str]) -> list[Mutant]:
    return [Mutant(module, old, new) for old, new in changes]


MUTANTS = [
    *_mutants(
        "proxy/authorise/index.py",
        ("own <= dimensions if self.open", "own == dimensions if self.open"),
        ("else own == dimensions", "else own <= dimensions"),
        ("if name in values.values():", "if False:"),
        ("if value == name])", "if value != name])"),
        ("_first(plan.deny, values) or _first(plan.allow, values)", "_first(plan.allow, values)"),
        (
            "_first(plan.deny, values) or _first(plan.allow, values)",
            "_first(plan.allow, values) or _first(plan.deny, values)",
        ),
        ("and shape.selves <= mine", ""),
        ("line.number < first.number):", "line.number > first.number):"),
        ("(first is None or line.number < first.number)", "first is None"),
        ("table.setdefault(key, line).number > line.number", "table.setdefault(key, line).number < line.number"),
        ("action not in family.actions or", ""),
        ("or effect is not family.effect", ""),
        ("checked = Principal.parse(str(principal))", "checked = principal"),
        ("self._memberships.of(str(checked))", "[str(checked)]"),
        ("(principal.kind, principal.name, action)\n", "(principal.name, action)\n"),
        ("if subject in self._small or subject in self._large", "if subject in self._small"),
        ("[small, *(self._large[owner] for owner in owners if owner in self._large)]", "[small]"),
        ("(owners, action)) or", "(owners, Action.READ)) or"),
        ("shared == probe.shape.literals", "shared"),
        ("if not shared:\n            return probe.table.values()", "if not shared:\n            return ()"),
        (
            "lines[key_of(dict(line.pattern.literals))].append(line)",
            "lines[key_of(dict(line.pattern.literals))] = [line]",
        ),
        ("pattern.selves, pattern.open)", "pattern.selves, True)"),
        ("yield Probe(family.shape, table)\n                continue", "continue"),
    ),
    *_mutants(
        "proxy/authorise/readable.py",
        ("direction is not Direction.DESCENDANTS:", "True:"),
        ("direction is not Direction.ANCESTORS:", "True:"),
        ("itself=direction is Direction.ANCESTORS", "itself=False"),
        ("if scope in self._registry.known:", "if True:"),
        ("if self._lens <= scope:", "if scope <= self._lens:"),
        ("first[found.rows] = np.minimum(first[found.rows], found.numbers)", "first[found.rows] = found.numbers"),
        ("first[found.rows] = _NO_LINE", "pass"),
        ("if probe.shape.fits(group.dimensions):", "if True:"),
        ("own is None or any(", "own is None and any("),
        ("any(within.get(dimension, code) != code for dimension, code in own.items())", "False"),
        ("return {**within, **own}", "return within"),
        ("rows.append(group.rows_with({**terms, **codes}))", "rows.append(group.rows_with(codes))"),
        ("hit = wanted[order[at]] == present", "hit = np.ones(len(present), bool)"),
        (".difference(self._single)", ""),
        ("chain(self._registry.recent, *groups)", "chain(*groups)"),
        ("if answers.registry_version != registry.version:", "if False:"),
        ("question = (principal, lens, direction)", "question = (principal, lens)"),
        ("packed = packed * radix +", "packed = packed +"),
        ("above = len(distinct)", "above = 1"),
        ("line is not None and line.effect is Effect.ALLOW:", "line is not None:"),
    ),
    *_mutants(
        "proxy/authorise/registry.py",
        ("if dimension != rarest:", "if False:"),
        ("if code + 1 >= len(starts):", "if False:"),
        ("known[value] = len(known)", "known[value] = 0"),
        ("recent = [*self.recent, *sound]", "recent = [*sound]"),
        ("if not new:\n            return self", ""),
        ("if code is None:\n                return None", "if code is None:\n                continue"),
        ("return False\n            known =", "pass\n            known ="),
    ),
    *_mutants(
        "proxy/authorise/outlook.py",
        ("if _agrees(probe, name, lens):", "if True:"),
        ("yield Scope(terms | {fresh})", "pass"),
        ("yield Scope(terms)\n", "pass\n"),
        ("{Term(dimension, name) for dimension in pattern.selves}", "set()"),
        ("_fresh(self._values | {name})", "_fresh(self._values)"),
        ("_fresh(self._dimensions | lens.dimensions)", "_fresh(self._dimensions)"),
        ("Action.READ)\n", "Action.WRITE)\n"),
        ("if len(terms) > MAX_TERMS:\n        return", ""),
        ("len(terms) < MAX_TERMS:", "True:"),
        (
            "if probe.shape.open and probe.shape.dimensions <= lens.dimensions",
            "if probe.shape.dimensions <= lens.dimensions",
        ),
    ),
    *_mutants(
        "proxy/authorise/policyset.py",
        ("line.effect is _ALLOW, line.place", "True, line.place"),
        ("Engine(checked_model, policy, read).release()", "pass"),
        ("return frozenset(), ()", "return registry.known, ()"),
        ("            return False\n\n\ndef _log", "            return True\n\n\ndef _log"),
    ),
    *_mutants(
        "proxy/authorise/authoriser.py",
        ("lines or self._allowing(caller, lens)", "lines"),
        ("(ruling.line,) if ruling.allowed and ruling.line else ()", "(ruling.line,) if ruling.line else ()"),
        ("if not self.policy.may_look(caller.principal, lens):", "if False:"),
    ),
    *_mutants(
        "store/scope.py",
        ("values = Scope.of(self.terms).as_dict()", "values = dict(self.terms)"),
    ),
    Mutant(
        "proxy/authorise/outlook.py",
        "if _denied_throughout(view, principal.name, lens):",
        "if False:",
        harmless="it only saves the look at witnesses that a deny over the whole lens would refuse one by one",
    ),
    Mutant(
        "proxy/authorise/readable.py",
        "if len(rows) <= FEW_ROWS:",
        "if False:",
        harmless="few rows are decided alike as columns, only slower",
    ),
]


def main() -> int:
    """Run all mutants, a few at once, each in a folder of its own."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--only", default="", help="those whose module or text holds this")
    options = arguments.parse_args()
    chosen = [mutant for mutant in MUTANTS if options.only in mutant.module + mutant.old + mutant.new]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.jobs):
            copies.put(_copy(Path(folder, str(number))))
        if not _passes(copies.get(), TESTS):
            print("the tests fail without any mutant")
            return 1
        copies.put(Path(folder, "0"))
        killed = list(pool.map(lambda mutant: _report(mutant, copies), chosen))
    survivors = [mutant for mutant, dead in zip(chosen, killed, strict=True) if not dead and not mutant.harmless]
    print(f"{len(chosen)} mutants, {sum(killed)} killed, {len(survivors)} survived unexplained")
    return 1 if survivors else 0


def _report(mutant: Mutant, copies: SimpleQueue[Path]) -> bool:
    folder = copies.get()
    path = folder / mutant.module
    sound = path.read_text()
    try:
        if sound.count(mutant.old) < 1:
            raise SystemExit(f"{mutant.module} no longer holds {mutant.old!r}")
        path.write_text(sound.replace(mutant.old, mutant.new, 1))
        killed = not _passes(folder, TESTS)
    finally:
        path.write_text(sound)
        copies.put(folder)
    outcome = "killed  " if killed else f"harmless: {mutant.harmless}" if mutant.harmless else "SURVIVED"
    print(f"{outcome} {Path(mutant.module).stem:10} {mutant.old!r} -> {mutant.new!r}", flush=True)
    return killed


def _copy(folder: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        folder.mkdir(exist_ok=True)
        copy(source, folder / name)
    (folder / "tests" / "conftest.py").write_text(CONFTEST)
    return folder


def _passes(folder: Path, tests: Sequence[str]) -> bool:
    command = [
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=600).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
