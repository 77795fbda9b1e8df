"""Where failures of the engine become ours."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from store.errors import StoreError, StoreUnavailable

logger = logging.getLogger("scopegate.store")

_ENDINGS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


@contextmanager
def answering(operation: str) -> Iterator[None]:
    """Turn whatever the engine or the embedder raises inside into ``StoreUnavailable``.

    The message names the operation and the kind of failure only: an engine's message may quote a filter or a row.
    """
    try:
        yield
    except (StoreError, *_ENDINGS):
        raise
    except BaseException as failure:  # noqa: BLE001 - a panic of the engine is not even an Exception
        kind = type(failure).__name__
        logger.warning("store operation failed", extra={"operation": operation, "error_kind": kind})
        raise StoreUnavailable(f"the store cannot {operation} now ({kind})") from None
