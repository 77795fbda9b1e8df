"""Strict YAML files: every problem at once, each with its line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Protocol, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from proxy.errors import PolicyError, Problem

Model = TypeVar("Model", bound=BaseModel)

_MAX_BYTES = 1 << 20
_MAX_DEPTH = 50
_MERGE = "tag:yaml.org,2002:merge"


class _Mark(Protocol):
    """A place in a YAML text, counted from 0, as either of PyYAML's parsers gives it."""

    line: int
    column: int


class YamlFile:
    """The text of one YAML file with the place of every value in it."""

    def __init__(self, text: str, source: str) -> None:
        """Parse ``text``.

        Raises:
            PolicyError: too large or deep, not YAML, a key given twice, or an alias (it could hide what a rule says).
        """
        self.source = source
        if len(text) > _MAX_BYTES:
            raise self.refuse((), f"the file is over {_MAX_BYTES} characters")
        try:
            depth = 0
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                if depth > _MAX_DEPTH:
                    raise PolicyError([_at(source, event.start_mark, f"nested more than {_MAX_DEPTH} deep")])
                if isinstance(event, yaml.AliasEvent):
                    raise PolicyError([_at(source, event.start_mark, "aliases (*name) are not allowed; write it out")])
            self._root = yaml.compose(text, Loader=yaml.SafeLoader)
            self._data: object = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            raise PolicyError([_at(source, error.problem_mark, error.problem or "not YAML")]) from None
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise PolicyError([Problem(source, 0, 0, f"not YAML: {str(error).splitlines()[0]}")]) from None
        duplicates = _duplicate_keys(source, self._root)
        if duplicates:
            raise PolicyError(duplicates)

    def read(self, model: type[Model], context: Mapping[str, object] | None = None) -> Model:
        """The file as ``model``, which should forbid unknown fields. ``context`` is for the model's validators.

        Raises:
            PolicyError: every value that does not fit, with its place and, for a mistyped name, a suggestion.
        """
        try:
            return model.model_validate({} if self._data is None else self._data, context=context)
        except ValidationError as error:
            raise PolicyError([self._problem(details, model) for details in error.errors()]) from None

    def problem(self, path: Sequence[int | str], message: str) -> Problem:
        """A problem at the value that ``path`` (keys and indexes from the root) leads to."""
        mark = self._mark(path)
        return _at(self.source, mark, message)

    def refuse(self, path: Sequence[int | str], message: str) -> PolicyError:
        """The error for one problem."""
        return PolicyError([self.problem(path, message)])

    def _problem(self, details: ErrorDetails, model: type[BaseModel]) -> Problem:
        path = list(details["loc"])
        shown = ".".join(str(part) for part in path) or "the file"
        message = details["msg"].removeprefix("Value error, ")
        if details["type"] == "extra_forbidden":
            known = _field_names(model)
            close = get_close_matches(str(path[-1]), known, n=1)
            message = f"unknown field {path[-1]!r}" + (f", did you mean {close[0]!r}?" if close else "")
            return self.problem(path, message)
        return self.problem(path, f"{shown}: {message}")

    def _mark(self, path: Sequence[int | str]) -> _Mark | None:
        node = getattr(self, "_root", None)
        mark = node.start_mark if node is not None else None
        for part in path:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
                if found is None:
                    continue
                mark, node = found[0].start_mark, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                mark = node.start_mark
        return mark


def _at(source: str, mark: _Mark | None, message: str) -> Problem:
    return Problem(source, mark.line + 1 if mark else 0, mark.column + 1 if mark else 0, message)


def _duplicate_keys(source: str, root: yaml.Node | None) -> list[Problem]:
    problems = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                waiting.append(value)
                if key.tag == _MERGE:
                    problems.append(_at(source, key.start_mark, "merging (<<) is not allowed; write it out"))
                if key.value in seen:
                    problems.append(_at(source, key.start_mark, f"{key.value!r} is given twice"))
                seen.add(key.value)
    return problems


def _field_names(model: type[BaseModel]) -> set[str]:
    """Names of all fields of ``model`` and of the models in its JSON schema, for suggestions."""
    schema = model.model_json_schema()
    definitions = [schema, *schema.get("$defs", {}).values()]
    return {name for definition in definitions for name in definition.get("properties", {})}
