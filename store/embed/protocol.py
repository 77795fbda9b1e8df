"""What the store asks of an embedder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """From texts to vectors whose dot product is their cosine similarity.

    Deterministic: the same text gives the same vector, whatever else is in the call.
    """

    @property
    def name(self) -> str:
        """Which model this is. A dataset is opened only with the embedder that it was written with."""
        ...

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text, shape ``(len(texts), dimension)``, each of length 1.

        A text without anything to go by gives the zero vector, which is equally far from everything. Any ``str``
        is a text. Blocks, and may be called from several threads at once.
        """
        ...
