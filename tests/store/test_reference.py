import pytest

from store.embed.hashing import HashingEmbedder
from store.reference import ReferenceStore
from tests.store.conformance import MemoryStoreContract


class TestReferenceStore(MemoryStoreContract):
    @pytest.fixture
    def store(self) -> ReferenceStore:
        return ReferenceStore(HashingEmbedder())
