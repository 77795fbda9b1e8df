"""Feature hashing: an embedder without a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from store.embed.protocol import Vectors
from store.embed.vectors import unit_rows

_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Counts words in ``dimension`` signed buckets (Weinberger et al., 2009): nearness is shared words, no meaning.

    >>> HashingEmbedder(8).embed(["to be", "be to"]).round(2).tolist()[0] == [0.0] * 8
    False
    """

    def __init__(self, dimension: int = 256) -> None:
        self.dimension = dimension
        self.name = f"hashing-{dimension}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text; a text without a word gives the zero vector."""
        rows = np.zeros((len(texts), self.dimension))
        for row, text in zip(rows, texts, strict=True):
            for word in _WORD.findall(text.casefold()):
                bucket, sign = self._place(word)
                row[bucket] += sign
        return unit_rows(rows)

    def _place(self, word: str) -> tuple[int, int]:
        digest = int.from_bytes(blake2b(word.encode(), digest_size=8).digest())
        return (digest >> 1) % self.dimension, 1 if digest & 1 else -1
