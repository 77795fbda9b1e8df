"""The impact of a change, all of it, as one value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from proxy.authorise.spelling import legend
from proxy.impact.difference import Difference, Group, Way
from proxy.impact.gatechange import GateChange, Note, gate_changes, notes
from proxy.impact.replay import Replay
from proxy.impact.stored import StoredChange
from proxy.impact.version import Version
from store.memory import JSON
from store.scope import Scope


@dataclass(frozen=True, slots=True)
class Impact:
    """What changes from ``old`` to ``new``. ``stored`` and ``replayed`` are ``None`` where nobody asked for them."""

    old: Version
    new: Version
    groups: tuple[Group, ...]
    gate: tuple[GateChange, ...]
    notes: tuple[Note, ...]
    stored: tuple[StoredChange, ...] | None = None
    replayed: Replay | None = None

    @property
    def is_risky(self) -> bool:
        """Whether anybody gains anything, or the publish gate lets more through."""
        gained = any(change.way is Way.GAINS for group in self.groups for change in group.changes)
        return gained or any(change.weaker for change in self.gate) or any(note.risky for note in self.notes)

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes that matters."""
        return not (self.groups or self.gate or self.notes)

    @property
    def legend(self) -> list[str]:
        """What the signs mean that the patterns use."""
        return legend(self._patterns())

    def count(self, way: Way) -> int:
        """How many principals gain, or lose, something."""
        return sum(len(group.principals) for group in self.groups if any(change.way is way for change in group.changes))

    def path(self, scope: Scope) -> str:
        """A scope as the new version spells it."""
        return self.new.policies.config.path(scope)

    def as_dict(self) -> dict[str, object]:
        """The impact as JSON values."""
        return {
            "old": {"name": self.old.name, "version": self.old.policies.version},
            "new": {"name": self.new.name, "version": self.new.policies.version},
            "risky": self.is_risky,
            "groups": [asdict(group) for group in self.groups],
            "publish_gate": [asdict(change) | {"weaker": change.weaker} for change in self.gate],
            "notes": [asdict(note) for note in self.notes],
            "stored": None if self.stored is None else [self._stored(change) for change in self.stored],
            "replayed": None if self.replayed is None else asdict(self.replayed),
            "legend": self.legend,
        }

    def _stored(self, change: StoredChange) -> dict[str, JSON]:
        scopes: list[JSON] = [
            {
                "scope": self.path(count.scope),
                "memories": count.memories,
                "inspected": count.inspected,
                "with_findings": count.with_findings,
            }
            for count in change.scopes
        ]
        return {"way": change.way, "principals": list(change.principals), "scopes": scopes}

    def _patterns(self) -> Iterator[str]:
        for group in self.groups:
            for change in group.changes:
                yield from change.patterns
        for gate in self.gate:
            yield from gate.patterns


def compare(old: Version, new: Version) -> tuple[Difference, Impact]:
    """What the files alone say.

    Raises:
        RegionLimitError: the patterns are too ragged.
    """
    # A dimension that is private in either version is told of: a change must not hide what it reaches.
    private = old.policies.config.private_dimensions | new.policies.config.private_dimensions
    difference = Difference(old.reach, new.reach, private, new.policies.config.dimensions)
    return difference, Impact(
        old,
        new,
        difference.groups,
        gate_changes(old.policies, new.policies),
        notes(old.policies, new.policies),
    )
