import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from store.embed.hashing import HashingEmbedder
from tests.store.embed.conformance import EmbedderContract


class TestHashingEmbedder(EmbedderContract):
    @pytest.fixture(params=[1, 16, 256])
    def embedder(self, request: pytest.FixtureRequest) -> HashingEmbedder:
        return HashingEmbedder(request.param)

    def test_shared_words_bring_texts_nearer(self, embedder: HashingEmbedder) -> None:
        if embedder.dimension > 1:
            super().test_shared_words_bring_texts_nearer(embedder)


def test_the_name_says_the_dimension() -> None:
    assert HashingEmbedder(64).name == "hashing-64"


def test_order_and_case_and_punctuation_do_not_matter() -> None:
    one, other = HashingEmbedder().embed(["Rocket, launch!", "launch ROCKET"])
    assert np.array_equal(one, other)


def test_every_process_gives_the_same_vectors() -> None:
    program = (
        "from store.embed.hashing import HashingEmbedder as H; print(H(8).embed(['rocket launch']).tobytes().hex())"
    )
    root = Path(__file__).parents[3]
    said = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=root, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {HashingEmbedder(8).embed(["rocket launch"]).tobytes().hex().encode() + b"\n"}
