"""Who is calling: principals, and what a key says about its bearer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from store.scope import Scope

_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:+-]{0,127}", re.ASCII)

ROLE = "role"


class PrincipalError(ValueError):
    """Not a principal. The message says what one looks like."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a key speaks for, ``kind:name``. The name is also a scope value, so that ``{self}`` can stand for it.

    >>> Principal.parse("agent:researcher").name
    'researcher'
    """

    kind: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Principal:
        """Read ``kind:name``.

        Raises:
            PrincipalError: it is not one, or is a role: Casbin takes a principal named like a role for that role.
        """
        kind, colon, name = text.partition(":")
        if not colon or not _KIND.fullmatch(kind) or not _NAME.fullmatch(name):
            raise PrincipalError(
                f"principal {ascii(text)[:80]} must be kind:name in ASCII, such as agent:researcher or human:ana"
            )
        if kind == ROLE:
            raise PrincipalError("role: names a role in policy.csv; a principal needs another kind, such as agent:")
        return cls(kind, name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated principal with what its key adds: a floor and a flag that only ever narrow the policy."""

    principal: Principal
    key_id: str
    floor: Scope | None = None
    read_only: bool = False
