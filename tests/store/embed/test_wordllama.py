import logging
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from store.embed.wordllama import WordLlamaEmbedder
from tests.store.embed.conformance import EmbedderContract


@pytest.fixture(scope="module")
def embedder() -> WordLlamaEmbedder:
    return WordLlamaEmbedder()


class TestWordLlamaEmbedder(EmbedderContract):
    pass


def test_the_name_says_the_model_and_the_dimension(embedder: WordLlamaEmbedder) -> None:
    assert embedder.name == "wordllama-l2_supercat-256"
    assert embedder.dimension == 256


def test_related_words_are_nearer_than_unrelated_ones(embedder: WordLlamaEmbedder) -> None:
    query, near, far = embedder.embed(["the car broke down", "an automobile needs repair", "bake bread with yeast"])
    assert query @ near > query @ far + 0.05


def test_loading_asks_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert WordLlamaEmbedder().embed(["tea"]).any()


def test_loading_leaves_the_root_logger_alone() -> None:
    program = (
        "import logging; from store.embed.wordllama import WordLlamaEmbedder; WordLlamaEmbedder();"
        " root = logging.getLogger(); print(root.handlers, root.level)"
    )
    root = Path(__file__).parents[3]
    said = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, check=True, text=True).stdout
    assert said == f"[] {logging.WARNING}\n"
