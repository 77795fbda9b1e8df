"""The strict reader of ``tests/*.yaml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from proxy.authorise.actions import ALL
from proxy.authorise.decision import Action
from proxy.authorise.rules import PolicyLine, read_rules
from proxy.errors import PolicyError, Problem
from proxy.inspection.verdict import VerdictKind
from proxy.policytest.case import AccessTest, Expectation, GateTest, Place, PolicyTest
from proxy.principal import ROLE, Principal
from proxy.settings import read_text
from proxy.yamlfile import YamlFile
from store.scope import Scope

FOLDER = "tests"

MAX_TESTS = 10_000
MAX_TEXT_CHARACTERS = 64 * 1024


def _principal(text: str) -> str:
    Principal.parse(text)
    return text


def _scope(path: str) -> str:
    Scope.parse(path)
    return path


def _scope_name(name: str) -> str:
    if not name or "/" in name:
        raise ValueError("the name of a scope holds no /, so that no path is taken for it")
    return name


def _role(text: str) -> str:
    if not text.startswith(f"{ROLE}:"):
        raise ValueError(f"{text[:60]!r} is not a role; write {ROLE}:NAME")
    return text


def _line(text: str) -> str:
    try:
        rules = read_rules(text, "")
    except PolicyError as error:
        raise ValueError(error.problems[0].message) from None
    if len(rules.lines) + len(rules.links) > 1:
        raise ValueError("write one policy line")
    return text


def _each(actions: object) -> object:
    return list(Action) if actions == [ALL] else actions


def _some_text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


_STRICT = ConfigDict(extra="forbid", frozen=True)
_Name = Annotated[str, AfterValidator(_some_text)]
_Actions = Annotated[
    list[Action],
    BeforeValidator(_each, json_schema_input_type=list[Action | Literal["*"]]),
    Field(description="Exactly these are allowed; [] for none, ['*'] for all. What is not listed must be denied."),
]


class _Access(BaseModel):
    """What one principal may do."""

    model_config = _STRICT

    name: Annotated[_Name, Field(description="A sentence that says what must hold.")]
    principal: Annotated[str, AfterValidator(_principal), Field(description="Who asks, such as agent:writer.")]
    expect: Annotated[
        dict[str, _Actions],
        Field(default_factory=dict, description="By scope (a name from scopes, or a path), the actions allowed there."),
    ]
    because: Annotated[
        dict[str, Annotated[str, AfterValidator(_line)]],
        Field(
            default_factory=dict,
            description="By scope, the policy line that decides there about each action that the line names.",
        ),
    ]
    roles: Annotated[
        list[Annotated[str, AfterValidator(_role)]] | None,
        Field(description="Exactly the roles of the principal, inherited ones included."),
    ] = None


class _Gate(BaseModel):
    """What the publish gate does with a text."""

    model_config = _STRICT

    name: Annotated[_Name, Field(description="A sentence that says what must hold.")]
    text: Annotated[
        str,
        Field(
            max_length=MAX_TEXT_CHARACTERS,
            description="What wants to enter. Make it up: this file is no place for real PII.",
        ),
    ]
    into: Annotated[str, Field(description="Where to: a name from scopes, or a path.")]
    verdict: Annotated[VerdictKind, Field(description="What the gate does with it.")]
    entities: Annotated[
        list[str] | None, Field(description="Exactly the kinds of finding that the verdict rests on.")
    ] = None


class TestFile(BaseModel):
    """One file of policy tests."""

    # Its name begins as pytest's classes do.
    __test__ = False
    model_config = _STRICT

    version: Literal[1] = 1
    scopes: Annotated[
        dict[Annotated[str, AfterValidator(_scope_name)], Annotated[str, AfterValidator(_scope)]],
        Field(default_factory=dict, description="Names for scopes, for use below."),
    ]
    tests: Annotated[list[_Access], Field(default_factory=list, description="Who may do what where.")]
    gate: Annotated[list[_Gate], Field(default_factory=list, description="What may enter shared scopes.")]


def read_tests(folder: Path) -> tuple[PolicyTest, ...]:
    """The tests of the policy folder ``folder``, by file and in file order; none where it has no tests.

    Raises:
        PolicyError: every problem of every file, with its line and column.
    """
    problems: list[Problem] = []
    tests: list[PolicyTest] = []
    for path in files_of(folder):
        try:
            tests += _file(path)
        except PolicyError as error:
            problems += error.problems
    if len(tests) > MAX_TESTS:
        problems.append(Problem(FOLDER, 0, 0, f"{len(tests)} tests; at most {MAX_TESTS} are run"))
    if problems:
        raise PolicyError(problems)
    return tuple(tests)


def files_of(folder: Path) -> list[Path]:
    """The files of policy tests in ``folder``, by name. What an editor hides beside a file is none."""
    found = (path for path in (folder / FOLDER).glob("*") if path.suffix in {".yaml", ".yml"})
    return sorted(path for path in found if not path.name.startswith("."))


def _file(path: Path) -> tuple[PolicyTest, ...]:
    source = f"{FOLDER}/{path.name}"
    if path.suffix != ".yaml":
        # To pass it over would be to pass over what it states.
        raise PolicyError([Problem(source, 0, 0, "a test file is called NAME.yaml")])
    return read_test_file(read_text(path, source), source)


def read_test_file(text: str, source: str) -> tuple[PolicyTest, ...]:
    """The tests of one file.

    Raises:
        PolicyError: every problem, with its line and column.
    """
    file = YamlFile(text, source)
    reader = _Reader(file, file.read(TestFile))
    tests = tuple(reader.tests())
    if reader.problems:
        raise PolicyError(reader.problems)
    return tests


class _Reader:
    """Makes tests of a well-formed file and collects what only shows when its parts are held against each other."""

    def __init__(self, file: YamlFile, form: TestFile) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._form = form
        self._scopes = {name: Scope.parse(path) for name, path in form.scopes.items()}
        self._names: set[str] = set()

    def tests(self) -> Iterator[PolicyTest]:
        for index, access in enumerate(self._form.tests):
            yield self._access(("tests", index), access)
        for index, gate in enumerate(self._form.gate):
            yield self._gate(("gate", index), gate)

    def _access(self, path: tuple[str | int, ...], form: _Access) -> AccessTest:
        self._name(path, form.name)
        if not form.expect and form.roles is None:
            self._problem(path, "expects nothing; write expect: or roles:")
        for scope in form.because.keys() - form.expect.keys():
            self._problem((*path, "because", scope), f"{scope!r} is not under expect")
        expect = tuple(self._expectation(path, form, scope) for scope in form.expect)
        roles = None if form.roles is None else frozenset(form.roles)
        return AccessTest(form.name, self._place((*path, "name")), Principal.parse(form.principal), expect, roles)

    def _expectation(self, path: tuple[str | int, ...], form: _Access, name: str) -> Expectation:
        where = (*path, "expect", name)
        because = _policy_line(form.because[name]) if name in form.because else None
        return Expectation(name, self._scope(where, name), frozenset(form.expect[name]), self._place(where), because)

    def _gate(self, path: tuple[str | int, ...], form: _Gate) -> GateTest:
        self._name(path, form.name)
        scope = self._scope((*path, "into"), form.into)
        entities = None if form.entities is None else frozenset(form.entities)
        return GateTest(form.name, self._place((*path, "name")), form.text, form.into, scope, form.verdict, entities)

    def _scope(self, path: Sequence[str | int], name: str) -> Scope:
        try:
            return self._scopes[name] if "/" not in name else Scope.parse(name)
        except KeyError:
            self._problem(path, _unknown_scope(name, self._scopes))
        except ValueError as error:
            self._problem(path, str(error))
        return Scope(frozenset())

    def _name(self, path: tuple[str | int, ...], name: str) -> None:
        if name in self._names:
            self._problem((*path, "name"), f"another test of this file is called {name!r}")
        self._names.add(name)

    def _place(self, path: Sequence[str | int]) -> Place:
        found = self._file.problem(path, "")
        return Place(found.source, found.line, found.column)

    def _problem(self, path: Sequence[str | int], message: str) -> None:
        self.problems.append(self._file.problem(path, message))


def _unknown_scope(name: str, scopes: Mapping[str, Scope]) -> str:
    close = get_close_matches(name, scopes, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "name it under scopes:, or write its path"
    return f"no scope is called {name[:60]!r}; {hint}"


def _policy_line(text: str) -> PolicyLine:
    lines = read_rules(text, "").lines
    return lines[0]
