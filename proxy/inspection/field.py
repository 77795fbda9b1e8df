"""The fields of a draft: every place in it that holds text, and a draft built anew from changed texts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from proxy.inspection.draft import Draft
from store.memory import JSON

CONTENT = "content"
_METADATA = "metadata"
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
_CONTEXT_CHARACTERS = 80


class Step(NamedTuple):
    """One step into metadata: the position in a list (``key`` is None) or in an object."""

    position: int
    key: str | None


@dataclass(frozen=True, slots=True)
class Field:
    """One place that holds text. An empty trail is the content; ``is_key`` is the key that the trail ends in.

    ``context`` are the keys that lead to it, as words.
    """

    trail: tuple[Step, ...]
    is_key: bool
    text: str
    context: str

    def name(self, hidden: Collection[tuple[Step, ...]]) -> str:
        """The field as a finding may name it; keys whose trails are in ``hidden`` do not appear."""
        if not self.trail:
            return CONTENT
        steps = [_shown(step, self.trail[: depth + 1] in hidden) for depth, step in enumerate(self.trail)]
        return _METADATA + "".join(steps) + (" (key)" if self.is_key else "")


def fields(draft: Draft) -> Iterator[Field]:
    """Every place of ``draft`` that holds text, numbers as text, depth first.

    Raises:
        TypeError: the draft holds something that is not JSON.
    """
    if not isinstance(draft.content, str):
        raise TypeError("content is not text")
    yield Field((), is_key=False, text=draft.content, context="")
    yield from _of_object(draft.metadata, ())


def rebuilt(draft: Draft, texts: Mapping[tuple[tuple[Step, ...], bool], str]) -> Draft:
    """``draft`` with the texts of some fields, by (trail, is_key), replaced.

    Keys that become equal get a counter: the second ``<PERSON>`` is ``<PERSON> 2``.
    """
    content = texts.get(((), False), draft.content)
    return Draft(content, _rebuilt_object(draft.metadata, (), texts))


def _of_object(values: Mapping[str, JSON], trail: tuple[Step, ...]) -> Iterator[Field]:
    for position, (key, value) in enumerate(values.items()):
        if not isinstance(key, str):
            raise TypeError("a metadata key is not text")
        inner = (*trail, Step(position, key))
        yield Field(inner, is_key=True, text=key, context=_context(trail))
        yield from _of_value(value, inner)


def _of_value(value: JSON, trail: tuple[Step, ...]) -> Iterator[Field]:
    if isinstance(value, Mapping):
        yield from _of_object(value, trail)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _of_value(item, (*trail, Step(position, None)))
    elif value is not None and not isinstance(value, bool):
        yield Field(trail, is_key=False, text=_as_text(value), context=_context(trail))


def _as_text(value: float | str) -> str:
    """A scalar as it is inspected. 536904399.0 is read as 536904399, which is how it will be read by people."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    raise TypeError("metadata holds something that is not JSON")


def _context(trail: tuple[Step, ...]) -> str:
    return " ".join(step.key for step in trail if step.key)[-_CONTEXT_CHARACTERS:]


def _shown(step: Step, is_hidden: bool) -> str:  # noqa: FBT001 - private, called once
    if step.key is None:
        return f"[{step.position}]"
    return f".#{step.position}" if is_hidden or not _PLAIN_KEY.fullmatch(step.key) else f".{step.key}"


def _rebuilt_object(
    values: Mapping[str, JSON], trail: tuple[Step, ...], texts: Mapping[tuple[tuple[Step, ...], bool], str]
) -> dict[str, JSON]:
    result: dict[str, JSON] = {}
    untouched = {key for position, key in enumerate(values) if ((*trail, Step(position, key)), True) not in texts}
    for position, (key, value) in enumerate(values.items()):
        inner = (*trail, Step(position, key))
        new_key = key if key in untouched else _free(texts[inner, True], result.keys() | untouched)
        result[new_key] = _rebuilt_value(value, inner, texts)
    return result


def _rebuilt_value(value: JSON, trail: tuple[Step, ...], texts: Mapping[tuple[tuple[Step, ...], bool], str]) -> JSON:
    if isinstance(value, Mapping):
        return _rebuilt_object(value, trail, texts)
    if isinstance(value, list):
        return [_rebuilt_value(item, (*trail, Step(place, None)), texts) for place, item in enumerate(value)]
    return texts.get((trail, False), value)


def _free(key: str, taken: Collection[str]) -> str:
    candidate, count = key, 1
    while candidate in taken:
        count += 1
        candidate = f"{key} {count}"
    return candidate
