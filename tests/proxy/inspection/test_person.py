"""What speaks for a name, beside a model's guess."""

import pytest

from proxy.inspection.person import FULL, GUESS, LIKELY, SINGLE, NameSense

SENSE = NameSense({"deploy", "plan", "report", "period", "draft", "manage", "ask", "bridge", "hopper", "mark", "the"})

NAMES = {
    "a given and a family name": ("about Maria Gonzalez", False, ["Maria Gonzalez"], FULL),
    "a given name and an unknown word": ("about Maria Quux", False, ["Maria Quux"], FULL),
    "initials and particles": ("by Juan B. de la Cruz", False, ["Juan B. de la Cruz"], FULL),
    "initials": ("by Robert J.R. Downing", False, ["Robert J.R. Downing"], FULL),
    "nothing between two": ("Priya Redis John Smith", False, ["Priya", "John Smith"], None),
    "many in a row": ("Ana Diaz Eva Ruiz Ivan Petrov", False, ["Ana Diaz Eva Ruiz", "Ivan Petrov"], FULL),
    "a title": ("met Dr. Quux", False, ["Quux"], FULL),
    "capitals throughout": ("SIGNED: JOHN SMITH", False, ["JOHN SMITH"], FULL),
    "a hyphen": ("Anna-Lena Schmidt left", False, ["Anna-Lena Schmidt"], FULL),
    "an apostrophe": ("Sean O'Connor left", False, ["Sean O'Connor"], FULL),
    "a given name alone": ("for Priya", False, ["Priya"], SINGLE),
    "and its possessive": ("Priya's turn", False, ["Priya"], SINGLE),
    "before an English word": ("Priya Managed it", False, ["Priya"], SINGLE),
    "two unknown words": ("about Xyzzy Plugh", False, ["Xyzzy Plugh"], LIKELY),
    "an unknown word spoken of": ("ask Xyzzy now", True, ["Xyzzy"], LIKELY),
    "an unknown word that says something": ("Xyzzy said no", True, ["Xyzzy"], LIKELY),
    "an unknown word that the model guessed": ("use Xyzzy here", True, ["Xyzzy"], GUESS),
    "a doubtful name with a family name": ("Will Johnson", False, ["Will Johnson"], FULL),
    "a doubtful name with an unknown word": ("so Chase Xyzzy", False, ["Chase Xyzzy"], LIKELY),
    "a doubtful name spoken of": ("ask Grace", False, ["Grace"], LIKELY),
    "joined to a name": ("Priya and Xyzzy", True, ["Priya", "Xyzzy"], None),
    "after an English word": ("Ask John Smith", False, ["John Smith"], FULL),
}

NO_NAMES = [
    ("Draft Plan", True),
    ("Deploying Reports", True),
    ("Deploy Kubernetes", True),
    ("Claude and Redis", True),
    ("tell Claude", True),
    ("Grace Period", True),
    ("Will the report", False),
    ("use Xyzzy here", False),
    ("B43 and JohnSmith and john_smith", True),
    ("PRIYA", False),
    ("Dependabot merged", True),
    ("ask priya", False),
    ("", False),
]


@pytest.mark.parametrize(("text", "guessed", "names", "score"), NAMES.values(), ids=NAMES)
def test_it_is_a_name_with(text: str, guessed: bool, names: list[str], score: float | None) -> None:
    found = list(SENSE.names(text, [(0, len(text))] if guessed else []))
    assert [text[name.start : name.end] for name in found] == names
    assert all(name.score == score for name in found if score is not None)
    assert all(name.score >= GUESS for name in found)


@pytest.mark.parametrize(("text", "guessed"), NO_NAMES)
def test_it_is_no_name_whatever_the_model_says(text: str, guessed: bool) -> None:
    assert [name for name in SENSE.names(text, [(0, len(text))] if guessed else []) if name.score >= LIKELY] == []


def test_a_name_joined_to_a_name_is_likelier_than_a_guess() -> None:
    scores = [name.score for name in SENSE.names("Priya and Xyzzy", [(10, 15)])]
    assert scores == [SINGLE, LIKELY]
