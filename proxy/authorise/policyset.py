"""A policy set: what ``model.conf`` and ``policy.csv`` say, at one moment, about everybody."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from proxy.authorise import model, rules
from proxy.authorise.decision import Action, Considered, Effect, Explanation, Grant, Ruling
from proxy.authorise.engine import Engine
from proxy.authorise.roles import Memberships
from proxy.authorise.rules import PolicyLine, Rules
from proxy.authorise.sourcetext import encoded
from proxy.authorise.witness import witnesses
from proxy.errors import PolicyError, Problem
from proxy.principal import Principal
from store.scope import Scope

MODEL_FILE = "model.conf"
POLICY_FILE = "policy.csv"

RULINGS_KEPT = 65_536
PRINCIPALS_KEPT = 4_096

_log = logging.getLogger("scopegate.policy")


def load_policy_set(folder: Path, *, dimension_order: Sequence[str] = ()) -> PolicySet:
    """Read the policy set in ``folder``; ``dimension_order`` is how reasons spell scopes.

    Raises:
        PolicyError: with every problem of both files; also where one cannot be read.
    """
    problems: list[Problem] = []
    contents: list[bytes] = []
    for name, limit in ((MODEL_FILE, model.MAX_FILE_BYTES), (POLICY_FILE, rules.MAX_FILE_BYTES)):
        try:
            with (folder / name).open("rb") as file:
                contents.append(file.read(limit + 1))
        except OSError as error:
            problems.append(Problem(name, 0, 0, f"cannot be read: {error.strerror or type(error).__name__}"))
    if problems:
        raise PolicyError(problems)
    return PolicySet.from_text(*contents, source=POLICY_FILE, dimension_order=dimension_order)


class PolicySet:
    """One policy, immutable: to change a policy, load another set and swap the reference."""

    __slots__ = ("_dimension_order", "_engine", "_files", "_lines_of", "_memberships", "_rules", "_ruling", "_version")

    def __init__(self, rules: Rules, engine: Engine, files: Mapping[str, str], dimension_order: Sequence[str]) -> None:
        self._rules = rules
        self._engine = engine
        self._memberships = Memberships(rules.links)
        self._files = MappingProxyType(dict(files))
        self._version = sha256("".join(files.values()).encode()).hexdigest()[:12]
        self._dimension_order = tuple(dimension_order)
        self._lines_of = lru_cache(PRINCIPALS_KEPT)(_lines_by_principal(rules, self._memberships))
        self._ruling = lru_cache(RULINGS_KEPT)(self._judge)

    @classmethod
    def from_text(
        cls,
        model_text: str | bytes,
        policy_text: str | bytes,
        *,
        source: str = POLICY_FILE,
        dimension_order: Sequence[str] = (),
    ) -> PolicySet:
        """A policy set from the contents of its files; problems and lines call the policy ``source``.

        Raises:
            PolicyError: with every problem of both.
        """
        problems: list[Problem] = []
        try:
            checked_model = model.check_model(model_text, MODEL_FILE)
        except PolicyError as error:
            problems += error.problems
        try:
            read = rules.read_rules(policy_text, source)
        except PolicyError as error:
            problems += error.problems
        if problems:
            raise PolicyError(problems)
        policy = encoded(policy_text)
        files = {MODEL_FILE: _digest(encoded(model_text)), source: _digest(policy)}
        return cls(read, Engine(checked_model, policy, read), files, dimension_order)

    @property
    def version(self) -> str:
        """A short hash of the files' contents: equal for equal files."""
        return self._version

    @property
    def files(self) -> Mapping[str, str]:
        """The SHA-256 of each file, in hexadecimal."""
        return self._files

    @property
    def dimension_order(self) -> tuple[str, ...]:
        """The order in which reasons name dimensions."""
        return self._dimension_order

    @property
    def rules(self) -> Rules:
        """What ``policy.csv`` says, in file order."""
        return self._rules

    def decide(self, principal: Principal, action: Action, scope: Scope) -> Ruling:
        """Casbin's verdict with the line that decided: the first that denies, else the first that allows.

        Never raises: where there is no verdict, or the line and the verdict differ, it is a deny, and is logged.
        """
        try:
            return self._ruling(principal, action, scope)
        except _ContradictionError:
            _log.error("the policy engine contradicts the policy lines: %a %a %a", principal, action, scope)
            return _failed("the policy engine contradicts itself; nothing is allowed")
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in the engine, the answer is a deny
            _log.error("the policy engine failed: %s: %a %a %a", type(error).__name__, principal, action, scope)
            return _failed("the policy could not be evaluated; nothing is allowed")

    def explain(self, principal: Principal, action: Action, scope: Scope) -> Explanation:
        """The ruling, with every line that is about the principal and why it does or does not match."""
        ruling = self.decide(principal, action, scope)
        considered = tuple(_consider(line, principal, action, scope) for line in self._lines_of(principal))
        return Explanation(ruling.allowed, ruling.line, ruling.reason, considered)

    def grants(self, principal: Principal) -> tuple[Grant, ...]:
        """What each line that is about the principal gives or takes, in file order."""
        return tuple(
            Grant(line.pattern.bound(principal.name), line.actions, line.effect, line.place)
            for line in self._lines_of(principal)
        )

    def roles(self, principal: Principal) -> tuple[str, ...]:
        """Every role of the principal, inherited ones included, sorted."""
        return tuple(sorted(self._memberships.of(str(principal)) - {str(principal)}))

    def may_look(self, principal: Principal, lens: Scope) -> bool:
        """Whether the principal may read in ``lens`` or in any conceivable scope below it, existing or not."""
        read = [line for line in self._lines_of(principal) if Action.READ in line.actions]
        scopes = witnesses(lens, read, principal.name)
        return any(self.decide(principal, Action.READ, scope).allowed for scope in scopes)

    def _judge(self, principal: Principal, action: Action, scope: Scope) -> Ruling:
        allowed = self._engine.allows(principal, action, scope)
        line = _deciding(self._lines_of(principal), principal, action, scope)
        if allowed is not (line is not None and line.effect is Effect.ALLOW):
            raise _ContradictionError
        asked = f"{principal} to {action} in {self._spelled(scope)}"
        if line is None:
            return Ruling(allowed=False, line=None, reason=f"no policy line allows {asked}")
        verb = "allows" if allowed else "denies"
        return Ruling(allowed, line.place, f"{line.place} {verb} {asked}")

    def _spelled(self, scope: Scope) -> str:
        return scope.path(self._dimension_order)


class _ContradictionError(Exception):
    """Casbin's verdict and the policy's lines differ."""


def _failed(reason: str) -> Ruling:
    return Ruling(allowed=False, line=None, reason=reason)


def _lines_by_principal(rules: Rules, memberships: Memberships) -> Callable[[Principal], tuple[PolicyLine, ...]]:
    """Which lines are about a principal, by itself or by a role, in file order."""
    by_subject: dict[str, list[PolicyLine]] = defaultdict(list)
    for line in rules.lines:
        by_subject[line.subject].append(line)

    def lines_of(principal: Principal) -> tuple[PolicyLine, ...]:
        subjects = memberships.of(str(principal))
        lines = (line for subject in subjects for line in by_subject.get(subject, ()))
        return tuple(sorted(lines, key=lambda line: line.number))

    return lines_of


def _deciding(lines: Iterable[PolicyLine], principal: Principal, action: Action, scope: Scope) -> PolicyLine | None:
    """The first matching line that denies, else the first that allows."""
    matching = [line for line in lines if action in line.actions and line.pattern.matches(scope, principal.name)]
    denying = (line for line in matching if line.effect is Effect.DENY)
    return next(denying, matching[0] if matching else None)


def _consider(line: PolicyLine, principal: Principal, action: Action, scope: Scope) -> Considered:
    mismatch = _mismatch(line, principal, action, scope)
    because = mismatch or ("allows" if line.effect is Effect.ALLOW else "denies")
    bound = line.pattern.bound(principal.name)
    return Considered(line.place, bound, line.actions, line.effect, mismatch is None, because)


def _mismatch(line: PolicyLine, principal: Principal, action: Action, scope: Scope) -> str | None:
    if action not in line.actions:
        return f"action {action} is not among {', '.join(line.actions)}"
    if not line.pattern.matches(scope, principal.name):
        return "scope does not match"
    return None


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
