"""The one door to Casbin."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Final

import casbin
from casbin.model import Model
from casbin.persist import Adapter, load_policy_line

from proxy.authorise.actions import read_actions
from proxy.authorise.decision import Action
from proxy.authorise.model import PARSING
from proxy.authorise.rules import Rules
from proxy.errors import PolicyError, Problem
from proxy.pattern import parse_pattern
from proxy.principal import Principal
from store.scope import Scope

_LOGGERS: Final = ("casbin", "casbin.policy", "casbin.enforcer", "casbin.role")


def scope_match(scope: str, pattern: str, subject: str) -> bool:
    """Whether the scope is one that the pattern means when ``subject`` asks. For Casbin's matcher.

    >>> scope_match("org/acme/agent/ana", "org/acme/agent/{self}", "agent:ana")
    True

    Raises:
        ValueError: an argument is not well formed. To Casbin that is a failed decision, which loses no deny.
    """
    return parse_pattern(pattern).matches(_scope(scope), _name(subject))


def action_match(action: str, actions: str) -> bool:
    """Whether the action is among the actions of a policy line. For Casbin's matcher.

    >>> action_match("read", "read|write"), action_match("forget", "*")
    (True, True)

    Raises:
        ValueError: an argument is not well formed.
    """
    return Action(action) in _actions(actions)


class Engine:
    """A Casbin enforcer over one policy file: the second reader of every file, and the oracle of all decisions."""

    __slots__ = ("_enforcer", "_members")

    def __init__(self, model: str, policy: bytes, rules: Rules) -> None:
        """Load the checked ``model`` and the very bytes that ``rules`` were read from.

        Raises:
            PolicyError: Casbin does not load them, or reads other rules in them.
        """
        silence_casbin()
        source = rules.lines[0].source
        try:
            self._enforcer = _enforcer(model, policy)
        except Exception as error:
            raise PolicyError([Problem(source, 0, 0, f"Casbin does not load it: {type(error).__name__}")]) from error
        if not _reads_the_same(self._enforcer, rules):
            raise PolicyError([Problem(source, 0, 0, "Casbin reads other rules in it than are written there")])
        self._members = self._enforcer.get_role_manager().all_roles

    def allows(self, principal: Principal, action: Action, scope: Scope) -> bool:
        """Casbin's verdict.

        Raises:
            Exception: anything; there is no verdict then, and nothing may be allowed.
        """
        # Checked again: Casbin takes text, and takes a principal that is called like a role for that role.
        subject = str(Principal.parse(str(principal)))
        path = Scope.of(scope.terms).path()
        with PARSING:
            stranger = subject not in self._members
            try:
                return self._enforcer.enforce(subject, path, action.value) is True
            finally:
                if stranger:
                    # Casbin keeps every name that it was ever asked about.
                    self._members.pop(subject, None)

    def release(self) -> None:
        """Let go of the roles, which hold each other and would wait for the collector; ask nothing after it."""
        for role in self._members.values():
            role.roles.clear()
            role.users.clear()


def silence_casbin() -> None:
    """Keep policies, roles and requests out of every log, whatever logging is set up later."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)
        # A later dictConfig undoes both lines above; a filter stays.
        if _nothing not in logger.filters:
            logger.addFilter(_nothing)


def _nothing(_record: logging.LogRecord) -> bool:
    return False


class _Lines(Adapter):  # type: ignore[misc]  # casbin is untyped
    """Hands Casbin the lines of bytes that are already in memory, cut as its own file adapter cuts them."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def load_policy(self, model: Model) -> None:
        for line in self._content.split(b"\n"):
            load_policy_line(line.decode().strip(), model)


def _enforcer(model: str, policy: bytes) -> casbin.Enforcer:
    enforcer = casbin.Enforcer(casbin.Enforcer.new_model(text=model), _Lines(policy))
    enforcer.add_function("scope_match", scope_match)
    enforcer.add_function("action_match", action_match)
    return enforcer


def _reads_the_same(enforcer: casbin.Enforcer, rules: Rules) -> bool:
    lines = [list(line.row) for line in rules.lines]
    links = [link.row for link in rules.links]
    return bool(enforcer.get_policy() == lines and enforcer.get_grouping_policy() == links)


@lru_cache(maxsize=65_536)
def _scope(path: str) -> Scope:
    return Scope.parse(path)


@lru_cache(maxsize=65_536)
def _name(subject: str) -> str:
    return Principal.parse(subject).name


@lru_cache(maxsize=4_096)
def _actions(text: str) -> frozenset[Action]:
    return frozenset(read_actions(text))
