"""JSON that means one thing: no key twice, no NaN or infinity, no NUL, no lone surrogate, no bottomless nesting."""

from __future__ import annotations

import json
import math
from typing import NoReturn

from proxy.errors import FieldProblem, Invalid
from store.memory import JSON

_MAX_DEPTH = 32
_MAX_DIGITS = 400


def read_json(body: bytes, field: str = "body") -> JSON:
    """The value that ``body`` spells; ``field`` is what the errors call it.

    Raises:
        Invalid: it is not JSON in UTF-8, or not of the strict kind; names the field.
    """
    try:
        text = body.decode("utf-8")
        value: JSON = json.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise Invalid.field(field, f"is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise Invalid.field(field, f"is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except (RecursionError, ValueError) as error:
        reason = "is nested too deep" if isinstance(error, RecursionError) else f"is not strict JSON: {error}"
        raise Invalid.field(field, reason) from None
    problems: list[FieldProblem] = []
    _look(value, "" if field == "body" else field, problems, 0)
    if problems:
        raise Invalid(problems[:10])
    return value


class _DuplicateKeyError(ValueError):
    pass


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise _DuplicateKeyError("an object has a key twice")
    return read


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number has more than {_MAX_DIGITS} digits")
    return int(digits)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _look(value: JSON, path: str, problems: list[FieldProblem], depth: int) -> None:
    """Note every string and number under ``value`` that no store could keep as it is."""
    if depth > _MAX_DEPTH:
        problems.append(FieldProblem(path or "body", f"is nested more than {_MAX_DEPTH} deep"))
    elif isinstance(value, str):
        _look_at_text(value, path or "body", problems)
    elif isinstance(value, float) and not math.isfinite(value):
        # 1e400 is well-formed JSON, but no number of this machine's: kept as infinity, no answer could spell it again.
        problems.append(FieldProblem(path or "body", "is a number out of range"))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _look(item, f"{path}[{position}]", problems, depth + 1)
    elif isinstance(value, dict):
        for position, (key, item) in enumerate(value.items()):
            before = len(problems)
            _look_at_text(key, f"{path}.#{position}".lstrip("."), problems)
            if len(problems) == before:
                _look(item, f"{path}.{key}".lstrip("."), problems, depth + 1)


def _look_at_text(text: str, path: str, problems: list[FieldProblem]) -> None:
    if "\0" in text:
        problems.append(FieldProblem(path, "contains a NUL character"))
    elif not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        problems.append(FieldProblem(path, "contains half of a surrogate pair, which is not a character"))
