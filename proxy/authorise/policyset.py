"""A policy set: what ``model.conf`` and ``policy.csv`` say, at one moment, about everybody."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from proxy.authorise import model, rules
from proxy.authorise.decision import Action, Considered, Effect, Explanation, Grant, Ruling
from proxy.authorise.engine import Engine
from proxy.authorise.index import PolicyIndex
from proxy.authorise.outlook import Outlook
from proxy.authorise.readable import ReadableMemory
from proxy.authorise.registry import ScopeRegistry
from proxy.authorise.roles import Memberships
from proxy.authorise.rules import PolicyLine, Rules
from proxy.authorise.sourcetext import encoded
from proxy.errors import PolicyError, Problem
from proxy.principal import Principal
from store.scope import Direction, Scope

MODEL_FILE = "model.conf"
POLICY_FILE = "policy.csv"

PRINCIPALS_KEPT = 4_096
LENSES_KEPT = 4_096

_ALLOW = Effect.ALLOW
_FAILED = "the policy could not be evaluated; nothing is allowed"
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

    __slots__ = (
        "_dimension_order",
        "_files",
        "_index",
        "_lines_of",
        "_may_look",
        "_memberships",
        "_readable",
        "_rules",
        "_version",
    )

    def __init__(self, rules: Rules, files: Mapping[str, str], dimension_order: Sequence[str]) -> None:
        self._rules = rules
        self._memberships = Memberships(rules.links)
        self._files = MappingProxyType(dict(files))
        self._version = sha256("".join(files.values()).encode()).hexdigest()[:12]
        self._dimension_order = tuple(dimension_order)
        self._index = PolicyIndex(rules, self._memberships)
        self._lines_of = lru_cache(PRINCIPALS_KEPT)(_lines_by_principal(rules, self._memberships))
        self._readable = ReadableMemory(self._index)
        self._may_look = lru_cache(LENSES_KEPT)(Outlook(rules, self._index).may_look)

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
        # Casbin reads the same bytes once more and must find the same rules in them; the index is made of these.
        Engine(checked_model, policy, read).release()
        return cls(read, files, dimension_order)

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
        """The verdict that stock Casbin gives, with its line: the first that denies, else the first that allows.

        Costs a few hash probes whatever the number of lines; see ``PolicyIndex``. Never raises: whatever goes wrong,
        the answer is a deny, and is logged.
        """
        try:
            line = self._index.deciding(principal, action, scope)
        except Exception as error:  # noqa: BLE001 - there is no verdict then, and nothing may be allowed
            _log_failure(error, principal, action, scope)
            return Ruling(False, None, principal, action, scope, failure=_FAILED)  # noqa: FBT003
        if line is None:
            return Ruling(False, None, principal, action, scope, self._dimension_order)  # noqa: FBT003
        return Ruling(line.effect is _ALLOW, line.place, principal, action, scope, self._dimension_order)

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

    def readable(
        self, principal: Principal, lens: Scope, direction: Direction, registry: ScopeRegistry
    ) -> tuple[frozenset[Scope], tuple[str, ...]]:
        """The known scopes that the principal may read through the lens, and the lines that decided so, in file order.

        The same scopes and lines as by ``decide`` for each; see ``readable``. Remembered for the registry that was
        asked about last. Never raises, as ``decide``: where anything goes wrong, there is nothing to read.
        """
        try:
            found = self._readable.ask(principal, lens, direction, registry)
        except Exception as error:  # noqa: BLE001 - as in decide
            _log_failure(error, principal, Action.READ, lens)
            return frozenset(), ()
        source = self._rules.lines[0].source
        return found.scopes, tuple(f"{source}:{number}" for number in sorted(found.lines))

    def may_look(self, principal: Principal, lens: Scope) -> bool:
        """Whether the principal may read in ``lens`` or in any conceivable scope below it, existing or not.

        Never raises, as ``decide``.
        """
        try:
            return self._may_look(principal, lens)
        except Exception as error:  # noqa: BLE001 - as in decide
            _log_failure(error, principal, Action.READ, lens)
            return False


def _log_failure(error: Exception, principal: Principal, action: Action, scope: Scope) -> None:
    _log.error("the policy could not be evaluated: %s: %a %a %a", type(error).__name__, principal, action, scope)


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
