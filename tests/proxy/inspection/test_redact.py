"""Redaction: nothing that was found is left, and pseudonyms mean something in one scope only."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.inspection.draft import Draft
from proxy.inspection.field import fields, rebuilt
from proxy.inspection.judgement import Review, judge, look
from proxy.inspection.redact import Edit, ScopeKey, redacted
from proxy.inspection.rules import Operator, read_pii_rules
from proxy.inspection.verdict import Redacted
from store.scope import Scope
from tests.proxy.inspection.doubles import CanaryDetector

MASTER = b"m" * 32
Q3 = Scope.parse("org/acme/project/q3")
Q4 = Scope.parse("org/acme/project/q4")
KEY = ScopeKey.derive(MASTER, Q3)


def edit(
    start: int, end: int, entity: str = "PERSON", operator: Operator = Operator.REPLACE, score: float = 0.9
) -> Edit:
    return Edit(start, end, entity, operator, score)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (Operator.REPLACE, r"ask <PERSON> now"),
        (Operator.MASK, r"ask \*{9} now"),
        (Operator.HASH, r"ask <PERSON_[0-9a-f]{32}> now"),
        (Operator.PSEUDONYM, r"ask <PERSON_[0-9a-f]{8}> now"),
    ],
)
def test_an_operator_replaces_what_was_found(operator: Operator, expected: str) -> None:
    assert re.fullmatch(
        expected, redacted("ask Ana Mendez now".replace("Mendez", "Diazz"), [edit(4, 13, operator=operator)], KEY)
    )


OVERLAPS = {
    "the strictest": ([edit(0, 9, "B", Operator.PSEUDONYM), edit(3, 5, "A", Operator.REPLACE)], "<A>9"),
    "then the longest": ([edit(0, 4, "A"), edit(3, 9, "B")], "<B>9"),
    "then the highest scored": ([edit(0, 5, "A", score=0.6), edit(4, 9, "B", score=0.7)], "<B>9"),
    "then the leftmost": ([edit(4, 9, "A"), edit(0, 5, "B")], "<B>9"),
    "then the first name": ([edit(0, 9, "B"), edit(0, 9, "A")], "<A>9"),
    "a chain is one": ([edit(0, 3, "A"), edit(2, 6, "B"), edit(5, 9, "C")], "<B>9"),
    "neighbours are two": ([edit(0, 4, "A"), edit(4, 9, "B")], "<A><B>9"),
    "a mask covers all of it": ([edit(0, 4, "A", Operator.MASK), edit(3, 9, "B", Operator.PSEUDONYM)], "*********9"),
}


@pytest.mark.parametrize(("edits", "expected"), OVERLAPS.values(), ids=OVERLAPS)
def test_overlapping_edits_are_one_in_the_way_of(edits: list[Edit], expected: str) -> None:
    assert redacted("0123456789", edits, KEY) == expected
    assert redacted("0123456789", edits[::-1], KEY) == expected


@given(
    text=st.text("abcdefghij ", min_size=1, max_size=40),
    places=st.lists(st.tuples(st.integers(0, 39), st.integers(1, 12)), min_size=1, max_size=6),
    operator=st.sampled_from([Operator.REPLACE, Operator.MASK]),
)
def test_what_stays_is_what_no_edit_covers(text: str, places: list[tuple[int, int]], operator: Operator) -> None:
    edits = [edit(start, min(len(text), start + size), "X", operator) for start, size in places if start < len(text)]
    covered = {place for one in edits for place in range(one.start, one.end)}
    left = "".join(character for place, character in enumerate(text) if place not in covered)
    assert re.sub(r"<X>|\*", "", redacted(text, edits, KEY)) == left


RULES = """\
version: 1
rules:
  - {{scope: /**, entities: [PERSON], verdict: redact, operator: {}}}
"""

CANARIES = st.text("abcd", min_size=3, max_size=5)
AROUND = st.text("ABC 123", max_size=6)


@given(canary=CANARIES, parts=st.lists(AROUND, min_size=4, max_size=4), operator=st.sampled_from(["replace", "mask"]))
def test_a_redacted_draft_never_contains_what_was_redacted(canary: str, parts: list[str], operator: str) -> None:
    sown = [part + canary + part for part in parts]
    draft = Draft(sown[0], {sown[1]: {"list": [1, sown[2], {"key": sown[3]}]}, canary: canary})
    rules = read_pii_rules(RULES.format(operator), "pii.yaml", {"PERSON"})
    seen = look(draft, Q3, rules, CanaryDetector({canary: "PERSON"}), before_each=lambda: None)
    verdict = judge(draft, seen, Review(), KEY).verdict
    assert isinstance(verdict, Redacted)
    assert all(canary not in field.text for field in fields(verdict.draft))


def test_a_pseudonym_is_stable_in_one_scope_whatever_the_case_and_the_spaces() -> None:
    spellings = ["Ana Diaz", "ANA  DIAZ", "ana\tdiaz"]
    made = {redacted(text, [edit(0, len(text), operator=Operator.PSEUDONYM)], KEY) for text in spellings}
    assert len(made) == 1
    assert made == {redacted("Ana Diaz", [edit(0, 8, operator=Operator.PSEUDONYM)], ScopeKey.derive(MASTER, Q3))}


@pytest.mark.parametrize("operator", [Operator.HASH, Operator.PSEUDONYM])
def test_tokens_of_two_scopes_master_keys_texts_and_entities_cannot_be_linked(operator: Operator) -> None:
    def token(text: str, entity: str, key: ScopeKey) -> str:
        return redacted(text, [edit(0, len(text), entity, operator)], key).partition("_")[2]

    other_key = ScopeKey.derive(b"n" * 32, Q3)
    tokens = [
        token("Ana", "PERSON", KEY),
        token("Ana", "PERSON", ScopeKey.derive(MASTER, Q4)),
        token("Ana", "PERSON", other_key),
        token("Eva", "PERSON", KEY),
        token("Ana", "LOCATION", KEY),
    ]
    assert len(set(tokens)) == len(tokens)


def test_the_spelling_of_a_scope_does_not_change_its_key() -> None:
    assert ScopeKey.derive(MASTER, Scope.parse("project/q3/org/acme")) == KEY


def test_a_key_never_shows_itself() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert str(KEY.secret) not in repr(KEY)


def test_keys_that_become_equal_are_counted_and_none_is_lost() -> None:
    draft = Draft("", {"a": 1, "<X>": 2, "b": {"c": 3}, "c": [4]})
    texts = {
        (field.trail, True): "<X>"
        for field in fields(draft)
        if field.is_key and field.text in "abc" and len(field.trail) == 1
    }
    assert rebuilt(draft, texts).metadata == {"<X> 2": 1, "<X>": 2, "<X> 3": {"c": 3}, "<X> 4": [4]}


def test_a_number_becomes_text_only_when_it_is_redacted() -> None:
    draft = Draft("", {"a": 12, "b": [1.5, 13], "c": None, "d": True})
    texts = {(field.trail, False): "***" for field in fields(draft) if field.text == "13"}
    assert rebuilt(draft, texts).metadata == {"a": 12, "b": [1.5, "***"], "c": None, "d": True}


def test_a_rebuilt_draft_leaves_the_original_alone() -> None:
    inner = {"b": "x"}
    draft = Draft("", {"a": inner})
    rebuilt(draft, {(field.trail, False): "y" for field in fields(draft) if field.text == "x"})
    assert draft.metadata == {"a": {"b": "x"}}
    assert inner == {"b": "x"}
