"""Text is inspected as a person reads it, and findings point into what was sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.inspection.plain import PlainText

SSN = "123-45-6789"


@pytest.mark.parametrize(
    "written",
    [
        "1\u00ad23-45-67\u00ad89",  # soft hyphens
        "12\u200b3-45-6789",  # zero width space
        "1\u200d2\u200c3-4\u20605-6789",  # joiners and a word joiner
        "\ufeff123-45-6789\ufeff",  # byte order marks
        "1\u034f2\u180e3-45\ufe0f-6789",  # grapheme joiner, vowel separator, variation selector
        "\u202e123-45-6789\u202c",  # bidirectional overrides
        "１２３-４５-６７８９",  # full width
        "١٢٣-٤٥-٦٧٨٩",  # Arabic-Indic
        "𝟏𝟐𝟑-𝟒𝟓-𝟔𝟕𝟖𝟗",  # mathematical bold
        "123\u201145\u20136789",  # non-breaking hyphen, en dash
        "123\u221245\u22126789",  # minus signs
    ],
)
def test_a_number_reads_the_same_however_it_is_dressed(written: str) -> None:
    plain = PlainText.of(f"user SSN {written}.")
    start = plain.text.index(SSN)
    from_, to = plain.origin(start, start + len(SSN))
    assert f"user SSN {written}."[from_:to].strip("\ufeff\u202e\u202c") == written.strip("\ufeff\u202e\u202c")


@pytest.mark.parametrize("text", ["plain", "Zoë met José in Köln", "報告書を読んだ", "a’b “c” … ☃", ""])
def test_text_that_hides_nothing_keeps_its_places(text: str) -> None:
    plain = PlainText.of(text)
    assert [plain.origin(place, place + 1) for place in range(len(text))][:1] == [(0, 1)][: len(text)]
    assert plain.text == text or "…" in text


@given(st.text())
def test_every_place_of_the_plain_text_lies_in_the_original_and_in_order(text: str) -> None:
    plain = PlainText.of(text)
    places = [plain.origin(place, place + 1) for place in range(len(plain.text))]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert places == sorted(places)
