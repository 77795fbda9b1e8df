"""Worlds of quick parts."""

from collections.abc import AsyncIterator

import pytest

from tests.proxy.api.rig import Rig
from tests.world import World, open_world


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
async def world(tmp_path, rig: Rig) -> AsyncIterator[World]:
    async with open_world(tmp_path, rig.parts) as world:
        yield world
