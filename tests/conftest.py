"""Fixtures that every test may use."""

from __future__ import annotations

import pytest

from proxy.app import Parts
from proxy.inspection.presidio import PresidioDetector
from tests.world import POLICIES, LiveGateway, World, open_quick_store, open_world, serving


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--oracle-pairs",
        type=int,
        default=20_000,
        help="how many random pairs of policy and request are held against stock Casbin",
    )


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def detector() -> PresidioDetector:
    """The real detector, loaded once."""
    return PresidioDetector()


@pytest.fixture
def parts(detector: PresidioDetector) -> Parts:
    """The real parts, as quick as they can be."""
    return Parts(detector=lambda: detector, store=open_quick_store)


@pytest.fixture
async def world(tmp_path, parts) -> World:
    """A gateway in this process."""
    async with open_world(tmp_path, parts) as world:
        yield world


@pytest.fixture(scope="session")
def gateway(tmp_path_factory) -> LiveGateway:
    """A gateway as users run it, on the shipped policies, shared by the tests of one worker."""
    with serving(tmp_path_factory.mktemp("gateway") / "data", POLICIES) as gateway:
        yield gateway
