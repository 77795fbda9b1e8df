"""What a change does to the publish gate: where it becomes weaker or stricter, for which findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proxy.authorise.regions import ALL, NOWHERE, PRESENT, Region
from proxy.authorise.spelling import spelled
from proxy.inspection.rules import Operator, PiiRule, PiiRules
from proxy.inspection.verdict import VerdictKind
from proxy.policy import PoliciesInForce
from proxy.settings import GatewayConfig

NOT_INSPECTED = "not inspected"

# From what lets most through to what lets least.
_STRICTNESS = (
    NOT_INSPECTED,
    str(VerdictKind.PASS),
    *(f"{VerdictKind.REDACT} ({operator})" for operator in reversed(Operator)),
    str(VerdictKind.HOLD),
    str(VerdictKind.BLOCK),
)


@dataclass(frozen=True, slots=True)
class GateChange:
    """What becomes of findings of ``entities`` that enter ``patterns``: ``before`` and ``after`` are verdicts.

    ``scores`` is the range of scores that it concerns, from the first up to but not including the second; 0 is as low
    as any rule is about, and a second of ``None`` means to the top.
    """

    entities: tuple[str, ...]
    patterns: tuple[str, ...]
    scores: tuple[float, float | None]
    before: str
    after: str

    @property
    def weaker(self) -> bool:
        """Whether more gets through than before."""
        return _STRICTNESS.index(self.after) < _STRICTNESS.index(self.before)


@dataclass(frozen=True, slots=True)
class Note:
    """Something else that changes, in words. ``risky`` says that it may let more through."""

    text: str
    risky: bool


def gate_changes(old: PoliciesInForce, new: PoliciesInForce) -> tuple[GateChange, ...]:
    """Every difference between the two gates' rules and reach, exactly; those that let more through first.

    What is on an allow list is no finding, and is not weighed here; ``notes`` names what changes on it.

    Raises:
        RegionLimitError: the patterns are too ragged.
    """
    found: dict[tuple[tuple[str, ...], tuple[float, float | None], str, str], list[str]] = defaultdict(list)
    for entity in sorted(old.pii.entities | new.pii.entities):
        for scores, before, after, patterns in _of_entity(old, new, entity):
            found[patterns, scores, before, after].append(entity)
    changes = [
        GateChange(tuple(entities), patterns, scores, before, after)
        for (patterns, scores, before, after), entities in found.items()
    ]
    return tuple(sorted(changes, key=lambda change: (not change.weaker, change.patterns, change.scores[0])))


def notes(old: PoliciesInForce, new: PoliciesInForce) -> tuple[Note, ...]:
    """What else changes in ``gateway.yaml`` and ``pii.yaml``; what may let more through first."""
    found = [*_dimension_notes(old.config, new.config), *_setting_notes(old.config, new.config)]
    found += _allowance_notes(old.pii, new.pii)
    return tuple(sorted(found, key=lambda note: not note.risky))


def inspected(config: GatewayConfig) -> Region:
    """All scopes that the publish gate is for."""
    everything = Region((), ((ALL,),))
    return everything - _any_of(sorted(config.private_dimensions))


def _any_of(dimensions: Sequence[str]) -> Region:
    joined = NOWHERE
    for dimension in dimensions:
        joined |= Region((dimension,), ((PRESENT, ALL),))
    return joined


def _of_entity(
    old: PoliciesInForce, new: PoliciesInForce, entity: str
) -> Iterator[tuple[tuple[float, float | None], str, str, tuple[str, ...]]]:
    thresholds = {rule.minimum_score for pii in (old.pii, new.pii) for rule in pii.rules if entity in rule.entities}
    # Between two thresholds all scores are treated alike, and below the lowest no rule is about the finding.
    steps = [0.0, *sorted(thresholds)[1:]]
    spans: dict[tuple[str, str, tuple[str, ...]], list[tuple[float, float | None]]] = defaultdict(list)
    for score, threshold, end in zip(steps, sorted(thresholds), [*steps[1:], None], strict=True):
        before, after = (_verdicts(rules, entity, threshold) for rules in (old, new))
        for was, there in before.items():
            for will, here in after.items():
                if was != will and (region := there & here):
                    spans[was, will, spelled(region, new.config.dimensions)].append((score, end))
    for (was, will, patterns), ranges in spans.items():
        for scores in _joined(ranges):
            yield scores, was, will, patterns


def _joined(ranges: Sequence[tuple[float, float | None]]) -> Iterator[tuple[float, float | None]]:
    start, end = ranges[0]
    for following, until in ranges[1:]:
        if following != end:
            yield start, end
            start = following
        end = until
    yield start, end


def _verdicts(policies: PoliciesInForce, entity: str, score: float) -> dict[str, Region]:
    """For each verdict, the scopes in which a finding of that entity and score leads to it."""
    everything = Region((), ((ALL,),))
    left = inspected(policies.config)
    verdicts = {NOT_INSPECTED: everything - left}
    for rule in policies.pii.rules:
        if entity in rule.entities and score >= rule.minimum_score:
            decided = Region.of([rule.scope])
            verdicts[_verdict(rule)] = verdicts.get(_verdict(rule), NOWHERE) | (left & decided)
            left -= decided
    verdicts[str(VerdictKind.PASS)] = verdicts.get(str(VerdictKind.PASS), NOWHERE) | left
    return verdicts


def _verdict(rule: PiiRule) -> str:
    return f"{rule.verdict} ({rule.operator})" if rule.verdict is VerdictKind.REDACT else str(rule.verdict)


def _dimension_notes(old: GatewayConfig, new: GatewayConfig) -> Iterator[Note]:
    for dimension in sorted(new.private_dimensions - old.private_dimensions):
        message = (
            f"dimension {dimension} becomes private: the publish gate is no longer asked about scopes that name it"
        )
        yield Note(message, risky=True)
    for dimension in sorted(old.private_dimensions - new.private_dimensions):
        message = f"dimension {dimension} becomes shared: what lies there already was stored without the publish gate"
        yield Note(message, risky=True)


def _setting_notes(old: GatewayConfig, new: GatewayConfig) -> Iterator[Note]:
    before, after = (config.model_dump(exclude={"private_dimensions", "version"}) for config in (old, new))
    for name in before:
        if before[name] != after[name]:
            yield Note(f"gateway.yaml: {name} changes from {before[name]} to {after[name]}", risky=False)


def _allowance_notes(old: PiiRules, new: PiiRules) -> Iterator[Note]:
    before, after = ({(each.entity, each.text, str(each.scope)) for each in pii.allow} for pii in (old, new))
    for entity, text, scope in sorted(after - before):
        yield Note(f"pii.yaml: {entity} {text!r} is no longer a finding in {scope}", risky=True)
    for entity, text, scope in sorted(before - after):
        yield Note(f"pii.yaml: {entity} {text!r} is a finding again in {scope}", risky=False)
