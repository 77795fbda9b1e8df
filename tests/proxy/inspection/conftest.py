from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.inspection.gate import PublishGate
from proxy.inspection.presidio import PresidioDetector
from proxy.inspection.rules import PiiRules, read_pii_rules
from store.scope import Scope

SHIPPED = Path(__file__).parents[3] / "policies" / "pii.yaml"


@pytest.fixture(scope="session")
def detector() -> PresidioDetector:
    return PresidioDetector()


@pytest.fixture(scope="session")
def shipped(detector: PresidioDetector) -> PiiRules:
    return read_pii_rules(SHIPPED.read_text("utf-8"), "pii.yaml", detector.supported)


@pytest.fixture(scope="session")
def gate(detector: PresidioDetector) -> Iterator[PublishGate]:
    gate = PublishGate(detector, b"a master key of thirty-two bytes", deadline_s=60, workers=1, queue=8)
    yield gate
    gate.close()


@pytest.fixture
def scope() -> Scope:
    return Scope.parse("org/acme/project/q3")
