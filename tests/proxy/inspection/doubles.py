"""Detectors that do what a test needs."""

import re
import threading
from collections.abc import Callable, Mapping

from proxy.inspection.detector import Span


class CanaryDetector:
    """Finds the given texts wherever they stand, each as its entity, with one score."""

    supported = frozenset({"US_SSN", "PERSON", "EMAIL_ADDRESS", "PHONE_NUMBER", "SECRET"})

    def __init__(self, canaries: Mapping[str, str], score: float = 0.9) -> None:
        self.canaries = dict(canaries)
        self.score = score
        self.asked: list[tuple[str, str]] = []

    def detect(self, text: str, entities: frozenset[str], language: str, context: str = "") -> list[Span]:
        self.asked.append((text, context))
        return [
            Span(entity, match.start(), match.end(), self.score)
            for canary, entity in self.canaries.items()
            if entity in entities
            for match in re.finditer(re.escape(canary), text)
        ]


class ScriptedDetector:
    """Answers whatever it is told to answer, once for every call, then finds nothing."""

    supported = CanaryDetector.supported

    def __init__(self, *answers: Callable[[], list[Span]]) -> None:
        self.answers = list(answers)

    def detect(self, text: str, entities: frozenset[str], language: str, context: str = "") -> list[Span]:
        return self.answers.pop(0)() if self.answers else []


class StuckDetector:
    """Hangs on its first ``times`` calls until ``released`` is set, then finds nothing."""

    supported = CanaryDetector.supported

    def __init__(self, times: int = 1) -> None:
        self.times = times
        self.released = threading.Event()
        self.entered = threading.Semaphore(0)

    def detect(self, text: str, entities: frozenset[str], language: str, context: str = "") -> list[Span]:
        if self.times > 0:
            self.times -= 1
            self.entered.release()
            self.released.wait(30)
        return []
