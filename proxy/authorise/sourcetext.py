"""A policy file as numbered lines of text, within limits, or the problems that keep it from being that."""

from __future__ import annotations

from typing import NamedTuple

from proxy.errors import Problem

MAX_LINE_BYTES = 1024
MAX_LINES = 65_536
MAX_PROBLEMS = 200

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line, counted from 1, without its end."""

    number: int
    text: str


def encoded(content: str | bytes) -> bytes:
    """The bytes that ``content`` is, or would be in a file."""
    return content.encode(errors="surrogatepass") if isinstance(content, str) else content


def read_lines(
    content: bytes, source: str, max_bytes: int, max_lines: int = MAX_LINES
) -> tuple[list[Line], list[Problem]]:
    """The lines that can be read, and what is wrong with the others or with the whole.

    A file beyond a limit is refused by the limit's name before any of it is read.
    """
    if len(content) > max_bytes:
        return [], [Problem(source, 0, 0, f"the file is larger than {max_bytes} bytes (limit MAX_FILE_BYTES)")]
    ends = content.count(b"\n")
    if ends > max_lines:
        return [], [Problem(source, 0, 0, f"the file has {ends} lines; at most {max_lines} are read (limit MAX_LINES)")]
    lines: list[Line] = []
    problems: list[Problem] = []
    if content.startswith(_BYTE_ORDER_MARK):
        message = "a byte order mark (U+FEFF), with which Casbin would skip the first line; save as UTF-8 without it"
        problems.append(Problem(source, 1, 1, message))
    text = content.removeprefix(_BYTE_ORDER_MARK).replace(b"\r\n", b"\n")
    for number, line in enumerate(text.split(b"\n"), start=1):
        decoded = _decoded(line)
        if isinstance(decoded, str):
            lines.append(Line(number, decoded))
        else:
            problems.append(Problem(source, number, *decoded))
    return lines, problems


def at_most(problems: list[Problem], source: str) -> list[Problem]:
    """The problems, or the first ``MAX_PROBLEMS`` of them and how many there are."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    shown = sorted(problems)[:MAX_PROBLEMS]
    return [Problem(source, 0, 0, f"{len(problems)} problems, the first {MAX_PROBLEMS} of which are listed"), *shown]


def _decoded(line: bytes) -> str | tuple[int, str]:
    """The line as text, or the column and the fault that keep it from being text."""
    if len(line) > MAX_LINE_BYTES:
        return MAX_LINE_BYTES + 1, f"the line has {len(line)} bytes; at most {MAX_LINE_BYTES} are read"
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        return len(line[: error.start].decode()) + 1, f"not UTF-8: byte 0x{line[error.start]:02x}"
