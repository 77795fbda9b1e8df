"""How memories lie in the table: column types, and the way there and back.

No column is ever NULL, because a NULL in a filtered column loses rows under negation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from store.embed.protocol import Vectors
from store.memory import JSON, Category, Memory, Provenance
from store.scope import Scope

NO_END = 2**63 - 1
"""``valid_until`` of a memory without one."""

SCOPES = pa.schema(
    [
        pa.field("scope_id", pa.int64(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
    ]
)

_SCOPE_ID = pa.field("scope_id", pa.int64(), nullable=False)
_PLAIN = [
    pa.field("id", pa.string(), nullable=False),
    pa.field("content", pa.string(), nullable=False),
    pa.field("category", pa.string(), nullable=False),
    pa.field("metadata", pa.string(), nullable=False),
    pa.field("created_at", pa.int64(), nullable=False),
    pa.field("valid_from", pa.int64(), nullable=False),
    pa.field("valid_until", pa.int64(), nullable=False),
    pa.field("author", pa.string(), nullable=False),
    pa.field("provenance", pa.string(), nullable=False),
]

READ = ["scope_id", *(field.name for field in _PLAIN)]
"""What ``decode`` needs: every column but the vector."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def memories_schema(dimension: int) -> pa.Schema:
    """The table of memories, for vectors of ``dimension`` numbers."""
    return pa.schema([_SCOPE_ID, *_PLAIN, _vector_field(dimension)])


def encode(memories: Sequence[Memory], vectors: Vectors) -> pa.Table:
    """Rows of the memories table, but without ``scope_id``, which only the writer knows."""
    columns = [_encoded(memory) for memory in memories]
    arrays = [pa.array([row[field.name] for row in columns], field.type) for field in _PLAIN]
    dimension = vectors.shape[1]
    arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dimension))
    return pa.Table.from_arrays(arrays, schema=pa.schema([*_PLAIN, _vector_field(dimension)]))


def in_scope(rows: pa.Table, scope_id: int) -> pa.Table:
    """``rows`` with the column that ``encode`` leaves out."""
    return rows.add_column(0, _SCOPE_ID, pa.array(np.full(rows.num_rows, scope_id, dtype=np.int64)))


def decode(rows: pa.Table, scopes: Mapping[int, Scope]) -> list[Memory]:
    """The memories in ``rows``, which has the columns ``READ``."""
    return [_decoded(row, scopes) for row in rows.to_pylist()]


def decode_metadata(rows: pa.Table) -> list[dict[str, JSON]]:
    """The metadata of each row."""
    return [json.loads(text) for text in rows["metadata"].to_pylist()]


def encode_scopes(ids: Mapping[Scope, int]) -> pa.Table:
    """Rows of the registry."""
    return pa.Table.from_pydict(
        {"scope_id": list(ids.values()), "path": [scope.path() for scope in ids]},
        schema=SCOPES,
    )


def decode_scopes(rows: pa.Table) -> list[tuple[Scope, int]]:
    """The registry's entries, as they were written.

    Raises:
        ScopeError: an entry is not a scope.
    """
    entries = zip(rows["path"].to_pylist(), rows["scope_id"].to_pylist(), strict=True)
    return [(Scope.parse(path), scope_id) for path, scope_id in entries]


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 in UTC, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def _moment(count: int) -> datetime:
    return _EPOCH + timedelta(microseconds=count)


def _vector_field(dimension: int) -> pa.Field:
    return pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False)


def _encoded(memory: Memory) -> dict[str, str | int]:
    return {
        "id": memory.id,
        "content": memory.content,
        "category": memory.category.value,
        "metadata": json.dumps(dict(memory.metadata), separators=(",", ":")),
        "created_at": microseconds(memory.created_at),
        "valid_from": microseconds(memory.valid_from),
        "valid_until": NO_END if memory.valid_until is None else microseconds(memory.valid_until),
        "author": memory.provenance.principal,
        "provenance": json.dumps(asdict(memory.provenance), separators=(",", ":")),
    }


def _decoded(row: Mapping[str, Any], scopes: Mapping[int, Scope]) -> Memory:
    provenance = json.loads(row["provenance"])
    provenance["derived_from"] = tuple(provenance["derived_from"])
    return Memory(
        id=row["id"],
        scope=scopes[row["scope_id"]],
        content=row["content"],
        category=Category(row["category"]),
        created_at=_moment(row["created_at"]),
        valid_from=_moment(row["valid_from"]),
        valid_until=None if row["valid_until"] == NO_END else _moment(row["valid_until"]),
        metadata=json.loads(row["metadata"]),
        provenance=Provenance(**provenance),
    )
