"""``pii.yaml``: which findings lead to what, in which scopes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from proxy.errors import PolicyError, Problem
from proxy.inspection.verdict import VerdictKind
from proxy.pattern import ScopePattern
from proxy.yamlfile import YamlFile
from store.scope import Scope


class Operator(StrEnum):
    """How redacted text is replaced, in the order of how much it keeps: nothing first."""

    REPLACE = "replace"
    MASK = "mask"
    HASH = "hash"
    PSEUDONYM = "pseudonym"


@dataclass(frozen=True, slots=True)
class PiiRule:
    """One rule. ``line`` is where it stands in its file."""

    scope: ScopePattern
    entities: frozenset[str]
    verdict: VerdictKind
    operator: Operator
    minimum_score: float
    line: int

    def decides(self, entity: str, score: float, scope: Scope) -> bool:
        """Whether this rule is about such a finding in ``scope``."""
        return entity in self.entities and score >= self.minimum_score and self.scope.matches(scope)


@dataclass(frozen=True, slots=True)
class Allowed:
    """A text that is never a finding of ``entity`` in the scopes of ``scope``. ``text`` is normalised."""

    entity: str
    text: str
    scope: ScopePattern


@dataclass(frozen=True, slots=True)
class PiiRules:
    """What the publish gate goes by. ``version`` is the SHA-256 of the file's text, in hex."""

    source: str
    version: str
    language: str
    minimum_score: float
    rules: tuple[PiiRule, ...]
    allow: tuple[Allowed, ...]

    @property
    def entities(self) -> frozenset[str]:
        """The entities that some rule is about: all that a detector need look for."""
        return frozenset[str]().union(*(rule.entities for rule in self.rules))

    def decide(self, entity: str, score: float, scope: Scope) -> PiiRule | None:
        """The first rule that is about such a finding, if there is one."""
        return next((rule for rule in self.rules if rule.decides(entity, score, scope)), None)

    def allows(self, entity: str, text: str, scope: Scope) -> bool:
        """Whether ``text``, all that a finding covers, is on the allow list.

        Compared whole, without regard to case and to how much white space stands between words.
        """
        wanted = normalised(text)
        return any(
            wanted == allowed.text and entity == allowed.entity and allowed.scope.matches(scope)
            for allowed in self.allow
        )


def normalised(text: str) -> str:
    """``text`` as it is compared: case folded, white space collapsed to single spaces.

    >>> normalised("Ada  LOVELACE")
    'ada lovelace'
    """
    return " ".join(text.casefold().split())


def read_pii_rules(text: str, source: str, supported: Collection[str]) -> PiiRules:
    """Read ``pii.yaml``. ``supported`` are the entities that the detector knows.

    Raises:
        PolicyError: every problem, with its line and column and, for a mistyped entity, a suggestion.
    """
    file = YamlFile(text, source)
    form = file.read(_File, context={"supported": frozenset(supported)})
    rules = tuple(_rule(file, index, rule, form) for index, rule in enumerate(form.rules))
    unreachable = list(_unreachable(file, rules, form))
    if unreachable:
        raise PolicyError(unreachable)
    allow = tuple(Allowed(line.entity, normalised(line.text), _parse(line.scope)) for line in form.allow)
    version = hashlib.sha256(text.encode()).hexdigest()
    return PiiRules(source, version, form.language, form.minimum_score, rules, allow)


def _rule(file: YamlFile, index: int, rule: _Rule, form: _File) -> PiiRule:
    return PiiRule(
        scope=_parse(rule.scope),
        entities=frozenset(rule.entities),
        verdict=rule.verdict,
        operator=rule.operator or Operator.REPLACE,
        minimum_score=form.minimum_score if rule.minimum_score is None else rule.minimum_score,
        line=file.problem(("rules", index), "").line,
    )


def _unreachable(file: YamlFile, rules: tuple[PiiRule, ...], form: _File) -> Iterator[Problem]:
    """Entities of a rule that an earlier rule with the same scopes always decides first."""
    for later, rule in enumerate(rules):
        for place, entity in enumerate(form.rules[later].entities):
            for earlier in rules[:later]:
                same = _same_scopes(earlier.scope, rule.scope) and entity in earlier.entities
                if same and earlier.minimum_score <= rule.minimum_score:
                    message = f"never decides about {entity}: the rule on line {earlier.line} already does"
                    yield file.problem(("rules", later, "entities", place), message)
                    break


def _same_scopes(one: ScopePattern, other: ScopePattern) -> bool:
    return (one.literals, one.wildcards, one.open) == (other.literals, other.wildcards, other.open)


def _parse(scope: str) -> ScopePattern:
    return ScopePattern.parse(scope, self_allowed=False)


def _pattern(scope: str) -> str:
    _parse(scope)
    return scope


def _supported(entity: str, info: ValidationInfo) -> str:
    supported = sorted((info.context or {}).get("supported", ()))
    if entity in supported:
        return entity
    close = get_close_matches(entity.upper(), supported, n=1)
    hint = f"did you mean {close[0]}?" if close else f"the detector knows {', '.join(supported)}"
    raise ValueError(f"{ascii(entity)[:60]} is not an entity that the detector knows; {hint}")


def _some_text(text: str) -> str:
    if not normalised(text):
        raise ValueError("an empty text allows nothing")
    return text


_Pattern = Annotated[str, AfterValidator(_pattern)]
_Entity = Annotated[str, AfterValidator(_supported)]
# Strict, because a lax float takes "yes" for 1.0 and so turns a rule off.
_Score = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
_STRICT = ConfigDict(extra="forbid", frozen=True)


class _Rule(BaseModel):
    model_config = _STRICT

    scope: _Pattern
    entities: Annotated[list[_Entity], Field(min_length=1)]
    verdict: VerdictKind
    operator: Operator | None = None
    minimum_score: _Score | None = None

    @field_validator("operator")
    @classmethod
    def _only_with_redact(cls, operator: Operator | None, info: ValidationInfo) -> Operator | None:
        verdict = info.data.get("verdict", VerdictKind.REDACT)
        if operator is not None and verdict is not VerdictKind.REDACT:
            raise ValueError(f"an operator only goes with the verdict redact, not with {verdict}")
        return operator


class _Allow(BaseModel):
    model_config = _STRICT

    entity: _Entity
    text: Annotated[str, AfterValidator(_some_text)]
    scope: _Pattern = "/**"


class _File(BaseModel):
    model_config = _STRICT

    version: Literal[1]
    language: Literal["en"] = "en"
    minimum_score: _Score = 0.4
    rules: Annotated[list[_Rule], Field(min_length=1)]
    allow: list[_Allow] = Field(default_factory=list)
