import pytest

from store.memory import JSON, Category, Scalar, Selection
from store.selection import metadata_agrees, selects
from tests.store.builders import later, memory
from tests.store.conformance import METADATA


@pytest.mark.parametrize(("stored", "wanted", "agrees"), METADATA)
def test_metadata_agrees_by_value_and_true_is_not_1(
    stored: dict[str, JSON], wanted: dict[str, Scalar], agrees: bool
) -> None:
    assert metadata_agrees(stored, wanted) is agrees


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        (Selection(), True),
        (Selection(category=Category.CONTEXT), True),
        (Selection(category=Category.EPISODIC), False),
        (Selection(author="agent:a"), True),
        (Selection(author="agent:A"), False),
        (Selection(author=""), False),
        (Selection(since=later(10)), True),
        (Selection(since=later(10.000_001)), False),
        (Selection(until=later(10)), False),
        (Selection(until=later(10.000_001)), True),
        (Selection(metadata={"tag": "red"}), True),
        (Selection(metadata={"tag": "blue"}), False),
    ],
)
def test_a_selection_asks_for_all_that_it_names(selection: Selection, selected: bool) -> None:
    one = memory(category=Category.CONTEXT, author="agent:a", created_at=later(10), metadata={"tag": "red"})
    assert selects(selection, one) is selected
