"""What every embedder promises, written once. A subclass gives an ``embedder`` fixture."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from store.embed import Embedder

TEXTS = [
    "the rocket flies on Monday",
    "tea, not coffee",
    "x",
    "żółć 日本語",
    "👩‍🚀",
    "a\x00b",
    "word " * 9000,
    "y" * 65536,
]


class EmbedderContract:
    """Inherit, and give an ``embedder`` fixture."""

    def test_rows_have_the_promised_shape_and_length_1(self, embedder: Embedder) -> None:
        rows = embedder.embed(TEXTS)
        assert rows.shape == (len(TEXTS), embedder.dimension)
        assert rows.dtype == np.float32
        lengths = np.linalg.norm(rows, axis=1)
        assert all(length == pytest.approx(1, abs=1e-6) or length == 0 for length in lengths)
        assert lengths[:3] == pytest.approx(1, abs=1e-6)

    def test_no_texts_give_no_rows(self, embedder: Embedder) -> None:
        assert embedder.embed([]).shape == (0, embedder.dimension)

    def test_the_empty_text_gives_the_zero_vector(self, embedder: Embedder) -> None:
        assert not embedder.embed([""]).any()
        assert not embedder.embed(["rocket", "", "tea"])[1].any()

    @pytest.mark.parametrize("text", ["", " ", "\n", "\x00", "\ud800", "\udfff tea", "\u200b", "🚀", "!"])
    def test_any_string_is_a_text(self, embedder: Embedder, text: str) -> None:
        assert np.isfinite(embedder.embed([text])).all()

    def test_a_text_has_the_same_vector_in_any_company(self, embedder: Embedder) -> None:
        together = embedder.embed(TEXTS)
        for text, row in zip(TEXTS, together, strict=True):
            assert np.array_equal(embedder.embed([text])[0], row)

    def test_threads_do_not_disturb_each_other(self, embedder: Embedder) -> None:
        expected = embedder.embed(TEXTS[:4])
        with ThreadPoolExecutor(8) as threads:
            for rows in threads.map(lambda _: embedder.embed(TEXTS[:4]), range(64)):
                assert np.array_equal(rows, expected)

    def test_shared_words_bring_texts_nearer(self, embedder: Embedder) -> None:
        query, near, far = embedder.embed(["rocket launch", "the rocket launch is on Monday", "she prefers green tea"])
        assert query @ near > query @ far
