"""Arithmetic that every embedder needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from store.embed.protocol import Vectors


def unit_rows(rows: NDArray[np.floating]) -> Vectors:
    """``rows`` scaled to length 1 each; a zero row stays zero."""
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
