from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store.lance import LanceStore
from tests.store.conformance import MemoryStoreContract
from tests.store.lance.rig import opened


class TestLanceStore(MemoryStoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[LanceStore]:
        async with opened(tmp_path / "memories", compact_every_commits=5) as store:
            yield store
