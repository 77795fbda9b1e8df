"""Which rows answer a question: exact, over the rows that an expression admits, ties newest first.

Both searches return ids. Rows are fetched afterwards, so that ranking never reads content. Metadata is judged here,
not by the engine: rows come in rank order, in ever larger portions, until enough of them agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from lancedb.expr import Expr
from lancedb.query import ColumnOrdering
from lancedb.table import AsyncTable

from store.embed.protocol import Vectors
from store.lance.columns import decode_metadata
from store.lance.filters import older_than
from store.memory import Scalar
from store.selection import metadata_agrees

FIRST_PORTION = 64
GROWTH = 4

# The engine ranks by float32 sums, which may be off by a few 1e-7: rows this close in score may lie in either order.
ENGINE_ERROR = 1e-5

NEWEST_FIRST = [ColumnOrdering(column_name="id", ascending=False)]


class Ranked(NamedTuple):
    """A row that was found, and how near it is."""

    score: float
    id: str


async def nearest(
    table: AsyncTable, query: Vectors, within: Expr, metadata: Mapping[str, Scalar], top_k: int
) -> list[Ranked]:
    """The ``top_k`` rows ``within`` whose metadata agrees with ``metadata`` and that are nearest to ``query``."""
    portion = max(FIRST_PORTION, 2 * top_k)
    while True:
        rows = await _nearest_rows(table, query, within, metadata, portion)
        ranked = await asyncio.to_thread(_ranked, rows, query, metadata)
        if rows.num_rows < portion or _settled(ranked, rows, top_k):
            return ranked[:top_k]
        portion *= GROWTH


async def newest(
    table: AsyncTable, within: Expr, metadata: Mapping[str, Scalar], limit: int, before: str | None
) -> list[str]:
    """The ``limit`` greatest ids less than ``before`` of rows ``within`` whose metadata agrees with ``metadata``."""
    found: list[str] = []
    portion = max(FIRST_PORTION, limit) if metadata else limit
    while True:
        rows = await _newest_rows(table, older_than(within, before), metadata, portion)
        found += await asyncio.to_thread(_agreeing_ids, rows, metadata)
        if rows.num_rows < portion or len(found) >= limit:
            return found[:limit]
        before = rows["id"][-1].as_py()
        portion *= GROWTH


async def _nearest_rows(
    table: AsyncTable, query: Vectors, within: Expr, metadata: Mapping[str, Scalar], portion: int
) -> pa.Table:
    # The dot product of unit vectors is their cosine; the engine's own cosine drops zero vectors.
    search = table.query().nearest_to(query).distance_type("dot").where(within)
    return await search.select([*_ranking_columns(metadata), "vector", "_distance"]).limit(portion).to_arrow()


async def _newest_rows(table: AsyncTable, within: Expr, metadata: Mapping[str, Scalar], portion: int) -> pa.Table:
    search = table.query().where(within).order_by(NEWEST_FIRST)
    return await search.select(_ranking_columns(metadata)).limit(portion).to_arrow()


def _ranking_columns(metadata: Mapping[str, Scalar]) -> list[str]:
    return ["id", "metadata"] if metadata else ["id"]


def _ranked(rows: pa.Table, query: Vectors, metadata: Mapping[str, Scalar]) -> list[Ranked]:
    ids = rows["id"].to_pylist()
    scores = _scores(rows, query)
    ranked = [Ranked(scores[position], ids[position]) for position in _agreeing(rows, metadata)]
    return sorted(ranked, reverse=True)


def _scores(rows: pa.Table, query: Vectors) -> list[float]:
    """Cosine similarities to six decimals: beyond them is rounding error, which must not order equally near rows."""
    vectors = rows["vector"].combine_chunks().flatten().to_numpy().reshape(rows.num_rows, len(query))
    exact = vectors.astype(np.float64) @ query.astype(np.float64)
    scores: list[float] = np.minimum(np.round(exact, 6), 1.0).tolist()
    return scores


def _settled(ranked: Sequence[Ranked], rows: pa.Table, top_k: int) -> bool:
    """Whether no row beyond this portion can be among the ``top_k``."""
    farthest = 1 - max(rows["_distance"].to_pylist())
    return len(ranked) >= top_k and ranked[top_k - 1].score > farthest + ENGINE_ERROR


def _agreeing_ids(rows: pa.Table, metadata: Mapping[str, Scalar]) -> list[str]:
    ids = rows["id"].to_pylist()
    return [ids[position] for position in _agreeing(rows, metadata)]


def _agreeing(rows: pa.Table, metadata: Mapping[str, Scalar]) -> Sequence[int]:
    if not metadata:
        return range(rows.num_rows)
    return [position for position, stored in enumerate(decode_metadata(rows)) if metadata_agrees(stored, metadata)]
