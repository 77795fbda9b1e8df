"""From what a detector sees in a draft to a verdict. Knows no threads and no deadlines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from proxy.inspection.detector import Detector, Span
from proxy.inspection.draft import Draft
from proxy.inspection.field import Field, Step, fields, rebuilt
from proxy.inspection.finding import Finding
from proxy.inspection.plain import PlainText
from proxy.inspection.redact import Edit, ScopeKey, redacted
from proxy.inspection.rules import Operator, PiiRule, PiiRules
from proxy.inspection.verdict import Blocked, Held, Pass, Redacted, Verdict, VerdictKind
from store.scope import Scope


class NonsenseSpanError(Exception):
    """The detector reported a span that its text does not have, or that it was not asked for."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One finding before it is named: the field, the span in it, and the rule that decides about it."""

    field: Field
    span: Span
    rule: PiiRule | None
    verdict: VerdictKind
    operator: Operator = Operator.REPLACE


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and the entities of the findings that no rule was about (they passed)."""

    verdict: Verdict
    unmatched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """What a human reviewer said about findings that are held: let them in, or have them replaced."""

    approved: bool = False
    redact_held: bool = False

    def applied(self, seen: Seen) -> Seen:
        """``seen`` as it stands after the review. What is blocked stays blocked."""
        if seen.verdict is not VerdictKind.HOLD:
            return seen
        if self.redact_held:
            return replace(seen, verdict=VerdictKind.REDACT, operator=Operator.REPLACE)
        return replace(seen, verdict=VerdictKind.PASS) if self.approved else seen


def look(
    draft: Draft, scope: Scope, rules: PiiRules, detector: Detector, *, before_each: Callable[[], None]
) -> list[Seen]:
    """Everything that ``detector`` finds in ``draft``, each with what the rules say about it.

    ``before_each`` is called before every field and may raise to stop.

    Raises:
        NonsenseSpanError: the detector's answer makes no sense.
    """
    seen: list[Seen] = []
    for field in fields(draft):
        before_each()
        seen += _looked_at(field, scope, rules, detector)
    return seen


def judge(draft: Draft, seen: list[Seen], review: Review, key: ScopeKey) -> Judgement:
    """The verdict on ``draft``: the strictest of its findings' verdicts, with the findings that it rests on."""
    reviewed = [review.applied(one) for one in seen]
    unmatched = tuple(one.span.entity for one in seen if one.rule is None)
    hidden = {one.field.trail for one in seen if one.field.is_key}
    decisive = max((one.verdict for one in reviewed), key=list(VerdictKind).index, default=VerdictKind.PASS)
    grounds = [one for one in reviewed if one.verdict is decisive]
    findings = tuple(_finding(one, hidden) for one in grounds)
    match decisive:
        case VerdictKind.BLOCK:
            return Judgement(Blocked(findings), unmatched)
        case VerdictKind.HOLD:
            return Judgement(Held(findings), unmatched)
        case VerdictKind.REDACT:
            return Judgement(Redacted(_redacted(draft, grounds, key), findings), unmatched)
        case VerdictKind.PASS:
            return Judgement(Pass(findings), unmatched)


def _looked_at(field: Field, scope: Scope, rules: PiiRules, detector: Detector) -> Iterator[Seen]:
    plain = PlainText.of(field.text)
    if not plain.text.strip():
        return
    for found in detector.detect(plain.text, rules.entities, rules.language, field.context):
        _check(found, plain.text, rules.entities)
        start, end = plain.origin(found.start, found.end)
        span = found._replace(start=start, end=end)
        rule = rules.decide(span.entity, span.score, scope)
        matters = rule is not None or span.score >= rules.minimum_score
        if matters and not rules.allows(span.entity, field.text[span.start : span.end], scope):
            verdict, operator = (rule.verdict, rule.operator) if rule else (VerdictKind.PASS, Operator.REPLACE)
            yield Seen(field, span, rule, verdict, operator)


def _check(span: Span, text: str, entities: frozenset[str]) -> None:
    whole_numbers = type(span.start) is int and type(span.end) is int
    inside = whole_numbers and 0 <= span.start < span.end <= len(text)
    scored = isinstance(span.score, int | float) and 0 <= span.score <= 1
    if not (inside and scored and span.entity in entities):
        raise NonsenseSpanError


def _finding(seen: Seen, hidden: set[tuple[Step, ...]]) -> Finding:
    span = seen.span
    return Finding(span.entity, seen.field.name(hidden), span.start, span.end, float(span.score))


def _redacted(draft: Draft, grounds: list[Seen], key: ScopeKey) -> Draft:
    edits: dict[Field, list[Edit]] = {}
    for one in grounds:
        edit = Edit(one.span.start, one.span.end, one.span.entity, one.operator, one.span.score)
        edits.setdefault(one.field, []).append(edit)
    texts = {(field.trail, field.is_key): redacted(field.text, of_field, key) for field, of_field in edits.items()}
    return rebuilt(draft, texts)
