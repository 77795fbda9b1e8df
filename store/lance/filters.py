"""Filters as typed expressions. No text that came from outside is ever spliced into a query."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import and_

from lancedb.expr import Expr, col, lit

from store.lance.columns import microseconds
from store.memory import Selection


def within_scopes(scope_ids: Iterable[int]) -> Expr:
    """Rows of these scopes: the permit, applied before anything is ranked, counted or paged."""
    return col("scope_id").isin([lit(scope_id) for scope_id in scope_ids])


def with_ids(ids: Iterable[str]) -> Expr:
    """Rows of these memories."""
    return col("id").isin([lit(wanted) for wanted in ids])


def selected(within: Expr, selection: Selection) -> Expr:
    """Rows ``within`` that the selection asks for, but for its metadata, which the engine cannot judge."""
    return reduce(and_, _terms(selection), within)


def older_than(within: Expr, before: str | None) -> Expr:
    """Rows ``within`` whose ids are less than ``before``."""
    return within if before is None else within & (col("id") < lit(before))


def of_unknown_scopes(first_free_id: int) -> Expr:
    """Rows whose scope the registry never gave out."""
    return (col("scope_id") >= lit(first_free_id)) | (col("scope_id") < lit(0))


def _terms(selection: Selection) -> list[Expr]:
    terms = []
    if selection.category is not None:
        terms.append(col("category") == lit(selection.category.value))
    if selection.author is not None:
        terms.append(col("author") == lit(selection.author))
    if selection.since is not None:
        terms.append(col("created_at") >= lit(microseconds(selection.since)))
    if selection.until is not None:
        terms.append(col("created_at") < lit(microseconds(selection.until)))
    return terms
