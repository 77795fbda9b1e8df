from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store.lance import LanceStore
from tests.store.lance.rig import opened


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LanceStore]:
    async with opened(tmp_path / "memories") as store:
        yield store
