"""Logging as a test found it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import structlog

QUIET = ("presidio-analyzer", "casbin", "httpx", "httpcore")


@contextlib.contextmanager
def restored_logging() -> Iterator[None]:
    """Puts back what ``configure_logging`` changes for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    quiet = {name: logging.getLogger(name).level for name in QUIET}
    try:
        yield
    finally:
        root.handlers, root.level = handlers, level
        for name, before in quiet.items():
            logging.getLogger(name).setLevel(before)
        structlog.reset_defaults()
