"""The gate with detectors that do what a test needs: every door, every verdict, every failure."""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from proxy.errors import GateUnavailable
from proxy.inspection.detector import Detector, Span
from proxy.inspection.draft import Draft
from proxy.inspection.finding import Finding
from proxy.inspection.gate import PublishGate
from proxy.inspection.rules import PiiRules, read_pii_rules
from proxy.inspection.verdict import Blocked, Held, Pass, Redacted
from store.memory import JSON
from store.scope import Scope
from tests.proxy.inspection.doubles import CanaryDetector, ScriptedDetector, StuckDetector

CANARY = "canary-7Q4"
SCOPE = Scope.parse("org/acme/project/q3")
RULES = """\
version: 1
rules:
  - {scope: org/acme/**, entities: [US_SSN], verdict: block}
  - {scope: org/acme/**, entities: [EMAIL_ADDRESS], verdict: redact}
  - {scope: org/acme/**, entities: [PHONE_NUMBER], verdict: redact, operator: pseudonym}
  - {scope: org/acme/**, entities: [PERSON], verdict: hold}
  - {scope: org/acme/**, entities: [SECRET], verdict: pass}
allow:
  - {entity: US_SSN, text: "Known  SAMPLE"}
  - {entity: US_SSN, text: local sample, scope: org/other}
"""


@pytest.fixture(scope="module")
def rules() -> PiiRules:
    return read_pii_rules(RULES, "pii.yaml", CanaryDetector.supported)


@asynccontextmanager
async def opened(detector: Detector, **limits: float) -> AsyncIterator[PublishGate]:
    settings = {"deadline_s": 20, "workers": 2, "queue": 4} | limits
    gate = PublishGate(detector, b"0123456789abcdef", **settings)  # type: ignore[arg-type]
    try:
        yield gate
    finally:
        gate.close()


async def inspected(rules: PiiRules, draft: Draft, canaries: dict[str, str], **options: bool):
    async with opened(CanaryDetector(canaries)) as gate:
        return await gate.inspect(draft, SCOPE, rules, **options)


DOORS: dict[str, tuple[Draft, str]] = {
    "content": (Draft(f"say {CANARY}"), "content"),
    "a metadata value": (Draft("x", {"team": CANARY}), "metadata.team"),
    "a metadata key": (Draft("x", {"a": 1, CANARY: 2}), "metadata.#1 (key)"),
    "a list item": (Draft("x", {"notes": ["a", "b", CANARY]}), "metadata.notes[2]"),
    "a deep value": (Draft("x", {"a": {"b": [{"c": CANARY}]}}), "metadata.a.b[0].c"),
    "a deep key": (Draft("x", {"a": [{"b": {CANARY: None}}]}), "metadata.a[0].b.#0 (key)"),
    "a list in a list": (Draft("x", {"a": [[["y", CANARY]]]}), "metadata.a[0][0][1]"),
    "a value under a key that is no identifier": (Draft("x", {"two words": CANARY}), "metadata.#0"),
    "a value under an empty key": (Draft("x", {"": CANARY}), "metadata.#0"),
    "a value under a long key": (Draft("x", {"k" * 65: CANARY}), "metadata.#0"),
}


@pytest.mark.parametrize(("draft", "field"), DOORS.values(), ids=DOORS)
async def test_every_field_is_a_door(rules: PiiRules, draft: Draft, field: str) -> None:
    verdict = await inspected(rules, draft, {CANARY: "US_SSN"})
    assert isinstance(verdict, Blocked)
    assert [finding.field for finding in verdict.findings] == [field]
    assert verdict.findings[0].end - verdict.findings[0].start == len(CANARY)
    assert CANARY not in json.dumps([finding.as_dict() for finding in verdict.findings]) + repr(verdict)


@pytest.mark.parametrize(
    ("value", "text"),
    [(536904399, "536904399"), (-536904399, "536904399"), (536904399.0, "536904399"), (5369.04399, "5369.04399")],
)
async def test_numbers_are_read_as_people_read_them(rules: PiiRules, value: float, text: str) -> None:
    verdict = await inspected(rules, Draft("x", {"n": [value]}), {text: "US_SSN"})
    assert isinstance(verdict, Blocked)


async def test_truth_values_and_null_are_no_text(rules: PiiRules) -> None:
    detector = CanaryDetector({"True": "US_SSN", "None": "US_SSN"})
    async with opened(detector) as gate:
        assert await gate.inspect(Draft("x", {"a": True, "b": None}), SCOPE, rules) == Pass()
    assert [text for text, _ in detector.asked] == ["x", "a", "b"]


async def test_a_value_is_shown_with_the_keys_that_lead_to_it(rules: PiiRules) -> None:
    detector = CanaryDetector({})
    async with opened(detector) as gate:
        await gate.inspect(Draft("text", {"user": {"ssn": ["1"]}}), SCOPE, rules)
    assert detector.asked == [("text", ""), ("user", ""), ("ssn", "user"), ("1", "user ssn")]


async def test_a_key_in_which_something_was_found_is_hidden_from_its_values_findings_too(rules: PiiRules) -> None:
    verdict = await inspected(rules, Draft("x", {"maria_g": {"n": CANARY}}), {"maria_g": "US_SSN", CANARY: "US_SSN"})
    assert isinstance(verdict, Blocked)
    assert [finding.field for finding in verdict.findings] == ["metadata.#0 (key)", "metadata.#0.n"]


MIXED = {"s3": "US_SSN", "m4": "EMAIL_ADDRESS", "p5": "PERSON", "k6": "SECRET"}


@pytest.mark.parametrize(
    ("text", "verdict", "entities"),
    [
        ("s3 m4 p5 k6", Blocked, {"US_SSN"}),
        ("m4 p5 k6", Held, {"PERSON"}),
        ("m4 k6", Redacted, {"EMAIL_ADDRESS"}),
        ("k6", Pass, {"SECRET"}),
        ("nothing", Pass, set()),
    ],
)
async def test_the_strictest_verdict_wins_and_names_its_grounds(
    rules: PiiRules, text: str, verdict: type, entities: set[str]
) -> None:
    answer = await inspected(rules, Draft(text), MIXED)
    assert type(answer) is verdict
    assert {finding.entity for finding in answer.findings} == entities


async def test_only_what_a_rule_redacts_is_redacted(rules: PiiRules) -> None:
    answer = await inspected(rules, Draft("m4 and k6", {"to": ["m4", 7], "m4": "k6"}), MIXED)
    assert isinstance(answer, Redacted)
    assert answer.draft.content == "<EMAIL_ADDRESS> and k6"
    assert answer.draft.metadata == {"to": ["<EMAIL_ADDRESS>", 7], "<EMAIL_ADDRESS>": "k6"}
    assert answer.findings[0] == Finding("EMAIL_ADDRESS", "content", 0, 2, 0.9)


@pytest.mark.parametrize(
    ("text", "options", "verdict", "content"),
    [
        ("p5", {"approved": True}, Pass, "p5"),
        ("p5 m4", {"approved": True}, Redacted, "p5 <EMAIL_ADDRESS>"),
        ("p5 m4", {"redact_held": True}, Redacted, "<PERSON> <EMAIL_ADDRESS>"),
        ("p5 s3", {"approved": True}, Blocked, None),
        ("p5 s3", {"approved": True, "redact_held": True}, Blocked, None),
    ],
)
async def test_a_reviewer_decides_about_what_is_held_and_nothing_else(
    rules: PiiRules, text: str, options: dict[str, bool], verdict: type, content: str | None
) -> None:
    answer = await inspected(rules, Draft(text), MIXED, **options)
    assert type(answer) is verdict
    if isinstance(answer, Redacted):
        assert answer.draft.content == content


@pytest.mark.parametrize(
    ("text", "verdict"), [("known sample", Pass), ("KNOWN  sample", Pass), ("local sample", Blocked)]
)
async def test_an_allowed_text_is_never_a_finding_where_it_is_allowed(
    rules: PiiRules, text: str, verdict: type
) -> None:
    answer = await inspected(rules, Draft(text, {"k": text}), {text: "US_SSN"})
    assert type(answer) is verdict
    assert bool(answer.findings) is (verdict is Blocked)


async def test_findings_that_no_rule_is_about_pass_and_are_counted(rules: PiiRules) -> None:
    async with opened(CanaryDetector(MIXED)) as gate:
        assert isinstance(await gate.inspect(Draft("s3 s3 p5"), Scope.parse("org/elsewhere"), rules), Pass)
        assert isinstance(await gate.inspect(Draft("s3"), SCOPE, rules), Blocked)
    assert gate.unmatched == {"US_SSN": 2, "PERSON": 1}
    assert gate.counts == {"pass": 1, "block": 1}


async def test_a_finding_below_every_threshold_is_none(rules: PiiRules) -> None:
    async with opened(CanaryDetector(MIXED, score=0.39)) as gate:
        assert await gate.inspect(Draft("s3 p5"), SCOPE, rules) == Pass()
    assert not gate.unmatched


# --- failures -----------------------------------------------------------------------------------------------------

TEXT = f"my secret is {CANARY}"


def _raise(error: BaseException) -> Callable[[], list[Span]]:
    def answer() -> list[Span]:
        raise error

    return answer


BROKEN: dict[str, Callable[[], object]] = {
    "an exception that quotes the text": _raise(RuntimeError(TEXT)),
    "an exception named after the text's key": _raise(KeyError(CANARY)),
    "an exit": _raise(SystemExit(TEXT)),
    "an end of iteration": _raise(StopIteration(TEXT)),
    "a time-out of its own": _raise(TimeoutError(TEXT)),
    "no answer": lambda: None,
    "not spans": lambda: [TEXT],
    "an end behind the text": lambda: [Span("US_SSN", 0, len(TEXT) + 1, 0.9)],
    "a start before the text": lambda: [Span("US_SSN", -1, 4, 0.9)],
    "an empty span": lambda: [Span("US_SSN", 3, 3, 0.9)],
    "a reversed span": lambda: [Span("US_SSN", 4, 3, 0.9)],
    "offsets that are no whole numbers": lambda: [Span("US_SSN", 0.0, 2.0, 0.9)],  # type: ignore[arg-type]
    "a score above 1": lambda: [Span("US_SSN", 0, 2, 1.1)],
    "a score below 0": lambda: [Span("US_SSN", 0, 2, -0.1)],
    "a score that is no number": lambda: [Span("US_SSN", 0, 2, float("nan"))],
    "an entity that nobody asked for": lambda: [Span(CANARY, 0, 2, 0.9)],
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_a_detector_that_fails_or_talks_nonsense_means_no_verdict(
    rules: PiiRules, answer: Callable[[], list[Span]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(ScriptedDetector(answer), workers=1) as gate:
        with pytest.raises(GateUnavailable) as caught:
            await gate.inspect(Draft(TEXT), SCOPE, rules)
        assert await gate.inspect(Draft(TEXT), SCOPE, rules) == Pass()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert CANARY not in str(caught.value) + repr(caught.value) + caplog.text
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == ["scopegate.gate"]
    assert gate.counts == {"unavailable": 1, "pass": 1}


@pytest.mark.parametrize(
    "metadata",
    [{"a": b"bytes"}, {"a": {"b", "c"}}, {1: "a"}, {"a": 10**5000}, {"a": object()}, {"a": "\ud800"}],
    ids=["bytes", "a set", "a key that is no text", "an endless number", "an object", "half a character"],
)
async def test_what_is_not_json_is_not_let_through(rules: PiiRules, metadata: dict[str, JSON]) -> None:
    def encoded(text: str) -> list[Span]:
        text.encode()
        return []

    detector = CanaryDetector({})
    detector.detect = lambda text, *_: encoded(text)  # type: ignore[method-assign, assignment]
    async with opened(detector) as gate:
        with pytest.raises(GateUnavailable):
            await gate.inspect(Draft("x", metadata), SCOPE, rules)


async def test_metadata_too_deep_to_walk_is_not_let_through(rules: PiiRules) -> None:
    deep: JSON = "x"
    for _ in range(sys.getrecursionlimit()):
        deep = [deep]
    async with opened(CanaryDetector({})) as gate:
        with pytest.raises(GateUnavailable):
            await gate.inspect(Draft("x", {"a": deep}), SCOPE, rules)


async def test_a_detector_past_the_deadline_means_no_verdict_and_the_gate_goes_on(
    rules: PiiRules, caplog: pytest.LogCaptureFixture
) -> None:
    detector = StuckDetector()
    async with opened(detector, deadline_s=0.05) as gate:
        with pytest.raises(GateUnavailable) as caught:
            await gate.inspect(Draft(TEXT), SCOPE, rules)
        assert CANARY not in str(caught.value) + caplog.text
        assert caplog.records[-1].args == ("TimeoutError",)
        assert await gate.inspect(Draft(TEXT), SCOPE, rules) == Pass()
        detector.released.set()


async def test_a_draft_that_was_given_up_is_not_looked_at_further(rules: PiiRules) -> None:
    detector = StuckDetector()
    async with opened(detector, deadline_s=0.05, workers=1, queue=0) as gate:
        with pytest.raises(GateUnavailable):
            await gate.inspect(Draft("x", {"a": "b"}), SCOPE, rules)
        detector.times = 1
        detector.released.set()
        while True:  # until the worker has noticed and is free again
            try:
                await gate.inspect(Draft(" "), SCOPE, rules)
                break
            except GateUnavailable:
                await asyncio.sleep(0)
    assert detector.times == 1


async def test_a_full_pool_means_no_verdict_at_once_and_the_gate_goes_on(
    rules: PiiRules, caplog: pytest.LogCaptureFixture
) -> None:
    detector = StuckDetector(times=1)
    async with opened(detector, workers=1, queue=1) as gate:
        waiting = [asyncio.create_task(gate.inspect(Draft("x"), SCOPE, rules)) for _ in range(2)]
        await asyncio.to_thread(detector.entered.acquire)
        with pytest.raises(GateUnavailable):
            await gate.inspect(Draft(TEXT), SCOPE, rules)
        assert caplog.records[-1].args == ("PoolFullError",)
        detector.released.set()
        assert await asyncio.gather(*waiting) == [Pass(), Pass()]
        assert await gate.inspect(Draft("x"), SCOPE, rules) == Pass()


async def test_a_caller_who_leaves_frees_the_place(rules: PiiRules) -> None:
    detector = StuckDetector()
    async with opened(detector, workers=1, queue=1) as gate:
        first = asyncio.create_task(gate.inspect(Draft("x"), SCOPE, rules))
        await asyncio.to_thread(detector.entered.acquire)
        second = asyncio.create_task(gate.inspect(Draft("x"), SCOPE, rules))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        detector.released.set()
        assert await first == Pass()
        assert await gate.inspect(Draft("x"), SCOPE, rules) == Pass()
    assert "unavailable" not in gate.counts


async def test_those_who_wait_when_it_closes_get_no_verdict(rules: PiiRules) -> None:
    detector = StuckDetector()
    async with opened(detector, workers=1, queue=1) as gate:
        waiting = [asyncio.create_task(gate.inspect(Draft("x"), SCOPE, rules)) for _ in range(2)]
        await asyncio.to_thread(detector.entered.acquire)
        gate.close()
        detector.released.set()
        first, second = await asyncio.gather(*waiting, return_exceptions=True)
    assert first == Pass()
    assert isinstance(second, GateUnavailable)


async def test_closing_does_not_wait_for_a_stuck_detector(rules: PiiRules) -> None:
    detector = StuckDetector()
    async with opened(detector, workers=1, queue=1, deadline_s=0.05) as gate:
        with pytest.raises(GateUnavailable):
            await gate.inspect(Draft("x"), SCOPE, rules)
        gate.close()
        with pytest.raises(GateUnavailable):
            await gate.inspect(Draft("x"), SCOPE, rules)
    detector.released.set()


@pytest.mark.parametrize(
    "answer",
    [list, lambda: [Span("US_SSN", 0, 3, 0.9)], _raise(RuntimeError("x"))],
    ids=["nothing", "elsewhere", "an exception"],
)
async def test_a_gate_that_is_blind_fails_its_check(answer: Callable[[], list[Span]]) -> None:
    async with opened(ScriptedDetector(answer)) as gate:
        with pytest.raises(GateUnavailable):
            await gate.check()


async def test_a_gate_that_sees_passes_its_check() -> None:
    async with opened(CanaryDetector({"123-45-6789": "US_SSN"})) as gate:
        await gate.check()


@pytest.mark.parametrize(
    "limits", [{"deadline_s": 0}, {"deadline_s": -1}, {"workers": 0}, {"queue": -1}, {"deadline_s": float("nan")}]
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, float]) -> None:
    settings = {"deadline_s": 1, "workers": 1, "queue": 1} | limits
    with pytest.raises(ValueError):
        PublishGate(CanaryDetector({}), b"0123456789abcdef", **settings)  # type: ignore[arg-type]


def test_a_short_master_key_is_refused() -> None:
    with pytest.raises(ValueError, match="master key"):
        PublishGate(CanaryDetector({}), b"short", deadline_s=1, workers=1, queue=1)
