"""The door to Presidio: what it finds, and that it neither fails open nor reaches for the network."""

import logging
import shutil
import socket
import threading
from pathlib import Path

import pytest
import regex
import spacy.cli
from hypothesis import given
from hypothesis import strategies as st
from presidio_analyzer import Pattern, PatternRecognizer
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer

from proxy.errors import GateUnavailable
from proxy.inspection import presidio, weights
from proxy.inspection.draft import Draft
from proxy.inspection.gate import PublishGate
from proxy.inspection.presidio import PresidioDetector, RegexTimeoutError
from proxy.inspection.rules import PiiRules
from proxy.inspection.verdict import Blocked
from store.scope import Scope

BLANK = spacy.blank("en")
ALL = frozenset(
    {
        "US_SSN",
        "CREDIT_CARD",
        "IBAN_CODE",
        "SECRET",
        "EMAIL_ADDRESS",
        "PHONE_NUMBER",
        "PERSON",
        "IP_ADDRESS",
        "LOCATION",
    }
)


def found(detector: PresidioDetector, text: str, entity: str, context: str = "") -> list[tuple[str, float]]:
    spans = detector.detect(text, frozenset({entity}), "en", context)
    return [(text[span.start : span.end], span.score) for span in spans]


def test_everything_that_rules_may_ask_for_is_supported(detector: PresidioDetector) -> None:
    assert detector.supported >= ALL
    assert not detector.supported & {"URL", "ORGANIZATION", "DATE_TIME", "US_DRIVER_LICENSE"}


@pytest.mark.parametrize(
    ("text", "number", "score"),
    [
        ("Raw data contains PII: user SSN 123-45-6789.", "123-45-6789", 0.85),
        ("SSN: 078-05-1120", "078-05-1120", 0.85),
        ("ssn 666.12.3456", "666.12.3456", 0.85),
        ("her social security number is 987 65 4320", "987 65 4320", 0.85),
        ('{"ssn":"536904399"}', "536904399", 0.85),
        ("536904399 is her social security number", "536904399", 0.85),
        ("id_536-90-4399_v2 (ssn)", "536-90-4399", 0.85),
        ("ssn 536\u201190\u20114399", "536\u201190\u20114399", 0.85),
        ("ssn ５３６-９０-４３９９", "５３６-９０-４３９９", 0.85),
        ("number 536-90-4399", "536-90-4399", 0.5),
        ("SSN" + " " * 81 + "536-90-4399", "536-90-4399", 0.5),
    ],
)
def test_a_social_security_number_is_found(detector: PresidioDetector, text: str, number: str, score: float) -> None:
    assert found(detector, text, "US_SSN") == [(number, score)]


@pytest.mark.parametrize(
    "text",
    [
        "536904399",
        "order 1-536-90-4399-2",
        "ssn of commit 05ed8536904399ab",
        "ssn 5369043991",
        "lesson 536904399",
        "2024-05-0112",
    ],
)
def test_other_numbers_are_no_social_security_numbers(detector: PresidioDetector, text: str) -> None:
    assert found(detector, text, "US_SSN") == []


@pytest.mark.parametrize(
    ("text", "context", "number"),
    [("536904399", "ssn", "536904399"), ("is 536904399", "user socialSecurity", "536904399")],
)
def test_offsets_never_count_the_context(detector: PresidioDetector, text: str, context: str, number: str) -> None:
    assert found(detector, text, "US_SSN", context) == [(number, 0.85)]


def test_what_is_in_the_context_is_not_reported(detector: PresidioDetector) -> None:
    assert found(detector, "fine", "US_SSN", "ssn 536 90 4399") == []


def test_a_span_that_begins_in_the_context_is_cut_to_the_text(detector: PresidioDetector) -> None:
    assert found(detector, "hunter2!x", "SECRET", "db_password") == [("hunter2!x", 0.75)]


@pytest.mark.parametrize("text", ["4111 1111 1111 1111", "5500-0055-5555-5559", "371449635398431"])
def test_a_card_is_found(detector: PresidioDetector, text: str) -> None:
    assert found(detector, text, "CREDIT_CARD") == [(text, 1.0)]


@pytest.mark.parametrize("text", ["4111 1111 1111 1112", "1714557600123458", "1714557600000002"])
def test_a_wrong_card_or_a_timestamp_is_not(detector: PresidioDetector, text: str) -> None:
    assert found(detector, text, "CREDIT_CARD") == []


def test_an_account_is_found_without_what_follows_it(detector: PresidioDetector) -> None:
    text = "pay DE89370400440532013000 2 days late, not DE88370400440532013000"
    assert found(detector, text, "IBAN_CODE") == [("DE89370400440532013000", 1.0)]


@pytest.mark.parametrize(
    "text",
    ["secret", "password", "my token expired", "token_count = 4096", "api_key=None", "password: ${DB_PASSWORD}"],
)
def test_talk_about_secrets_is_no_secret(detector: PresidioDetector, text: str) -> None:
    assert found(detector, text, "SECRET") == []


def test_a_private_key_is_covered_to_its_end(detector: PresidioDetector) -> None:
    block = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\naC1rZXk=\n-----END OPENSSH PRIVATE KEY-----"
    assert found(detector, f"see {block} here", "SECRET") == [(block, 0.95)]
    cut_off = "-----BEGIN PRIVATE KEY-----\\nMIIEvQ"
    assert found(detector, cut_off, "SECRET") == [(cut_off, 0.95)]


@pytest.mark.parametrize(
    ("text", "score"),
    [("call 212-555-0123", 0.75), ("+44 20 7946 0958", 0.5), ("212-555-0123", 0.5), ("2125550123", 0.2)],
)
def test_a_telephone_number_is_scored_by_its_shape_and_its_surroundings(
    detector: PresidioDetector, text: str, score: float
) -> None:
    assert [round(min(at, 0.75), 2) for _, at in found(detector, text, "PHONE_NUMBER")] == [score]


def test_nothing_is_looked_for_that_was_not_asked_for(detector: PresidioDetector) -> None:
    assert detector.detect("SSN 123-45-6789 of John Smith", frozenset({"PERSON"}), "en")[0].entity == "PERSON"
    assert detector.detect("SSN 123-45-6789", frozenset(), "en") == []


@pytest.mark.parametrize(("entities", "language"), [({"US_SSN"}, "de"), ({"URL"}, "en"), ({"us_ssn"}, "en")])
def test_an_unsupported_language_or_entity_is_refused(
    detector: PresidioDetector, entities: set[str], language: str
) -> None:
    with pytest.raises(ValueError, match="not supported"):
        detector.detect("text", frozenset(entities), language)


def test_two_threads_get_the_same_answers_as_one(detector: PresidioDetector) -> None:
    texts = ["ask John Smith", "SSN 123-45-6789", "mail a@b.com", "nothing here"] * 5
    alone = [detector.detect(text, ALL, "en") for text in texts]
    answers: dict[int, list[object]] = {}

    def ask(name: int) -> None:
        answers[name] = [detector.detect(text, ALL, "en") for text in texts]

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {0: alone, 1: alone}


def test_offsets_hold_where_no_space_breaks_the_text(detector: PresidioDetector) -> None:
    text = "'" * 700 + "x" * 300 + ",SSN:123-45-6789,John Smith"
    spans = detector.detect(text, frozenset({"US_SSN", "PERSON"}), "en")
    assert [text[span.start : span.end] for span in spans] == ["123-45-6789", "John Smith"]


@given(text=st.text("ab .-1'\n", min_size=1, max_size=60))
def test_the_quick_search_for_a_token_finds_the_one_that_presidios_finds(text: str) -> None:
    tokens = BLANK.make_doc(text)
    starts = [token.idx for token in tokens]
    for start in range(len(text)):
        try:
            slow = LemmaContextAwareEnhancer._find_index_of_match_token(text[start:], start, tokens, starts)
        except ValueError:
            slow = len(tokens)
        assert presidio._ContextWords._find_index_of_match_token("", start, tokens, starts) == slow


# --- failing closed -----------------------------------------------------------------------------------------------


class _SlowPattern:
    """A compiled pattern that runs out of time, at once or after its first match."""

    def __init__(self, matches: int) -> None:
        self.matches = matches

    def finditer(self, text: str, **_: object) -> object:
        yield from [regex.search("123", text)] * self.matches
        raise TimeoutError("regex timed out")


def _slowed(detector: PresidioDetector, monkeypatch: pytest.MonkeyPatch, name: str, matches: int) -> None:
    """Make the patterns of one recogniser run out of time."""
    engine = detector._engines.get()
    for recogniser in engine._analyzer.registry.recognizers:
        if name in recogniser.supported_entities:
            for pattern in recogniser.patterns:
                monkeypatch.setattr(pattern.compiled_regex, "_compiled", _SlowPattern(matches))
    detector._engines.put(engine)


@pytest.mark.parametrize("matches", [0, 1])
@pytest.mark.parametrize("entity", ["SECRET", "EMAIL_ADDRESS", "IBAN_CODE", "CREDIT_CARD"])
def test_a_pattern_that_runs_out_of_time_is_a_failure(
    detector: PresidioDetector, monkeypatch: pytest.MonkeyPatch, entity: str, matches: int
) -> None:
    with monkeypatch.context() as patched:
        _slowed(detector, patched, entity, matches)
        with pytest.raises(RegexTimeoutError):
            detector.detect("SSN 123-45-6789", frozenset({entity}), "en")
    assert found(detector, "SSN 123-45-6789", "US_SSN")


def test_every_pattern_of_every_recogniser_is_guarded(detector: PresidioDetector) -> None:
    engine = detector._engines.get()
    recognisers = [one for one in engine._analyzer.registry.recognizers if isinstance(one, PatternRecognizer)]
    detector._engines.put(engine)
    assert len(recognisers) >= 9
    for recogniser in recognisers:
        for pattern in recogniser.patterns:
            assert isinstance(pattern.compiled_regex, presidio._StrictRegex)
            assert pattern.compiled_with_flags == recogniser.global_regex_flags


def test_a_real_pattern_is_stopped_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presidio, "REGEX_TIMEOUT_S", 0.01)
    slow = presidio._StrictRegex(Pattern("slow", r"(?:a|aa)+\Z", 0.5), 0)
    with pytest.raises(RegexTimeoutError):
        list(slow.finditer("a" * 5000 + "b", timeout=60))


async def test_a_pattern_that_runs_out_of_time_means_no_verdict_and_the_gate_goes_on(
    detector: PresidioDetector,
    gate: PublishGate,
    shipped: PiiRules,
    scope: Scope,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    draft = Draft("Raw data contains PII: user SSN 123-45-6789.")
    with monkeypatch.context() as patched:
        _slowed(detector, patched, "SECRET", 0)
        with pytest.raises(GateUnavailable):
            await gate.inspect(draft, scope, shipped)
    assert caplog.records[-1].args == ("RegexTimeoutError",)
    assert isinstance(await gate.inspect(draft, scope, shipped), Blocked)


async def test_the_gate_with_the_real_detector_passes_its_check(gate: PublishGate) -> None:
    await gate.check()


async def test_nothing_of_a_text_is_logged_even_at_debug_level(
    gate: PublishGate, shipped: PiiRules, scope: Scope, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    text = "Email quixotic@example.com, phone 212-555-0123, IBAN DE89370400440532013000, says Zebedee Okafor"
    await gate.inspect(Draft(text, {"quixotic": "Zebedee"}), scope, shipped)
    assert not [word for word in ("quixotic", "555", "DE89", "Zebedee", "Email") if word in caplog.text]


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the network was asked")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(spacy.cli, "download", refuse)
    detector = PresidioDetector()
    text = "SSN 123-45-6789, a@b.example.co.uk, x@host.internal, +1 212 555 0123, John Smith at 10.0.0.1"
    assert {span.entity for span in detector.detect(text, ALL, "en")} >= {"US_SSN", "EMAIL_ADDRESS", "PERSON"}


# --- the model ----------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(weights.verified_model(), tmp_path / "model"))


def test_the_reviewed_model_is_accepted(copied: Path) -> None:
    weights.verify(copied)


@pytest.mark.parametrize(
    "name", ["ner/model", "vocab/strings.json", "config.cfg", "tokenizer", "lemmatizer/lookups/lookups.bin"]
)
def test_a_model_with_one_byte_changed_is_not_loaded(copied: Path, name: str) -> None:
    file = copied / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(weights.UnverifiedModelError, match=name):
        weights.verify(copied)


def test_a_model_with_a_file_missing_is_not_loaded(copied: Path) -> None:
    (copied / "ner" / "model").unlink()
    with pytest.raises(weights.UnverifiedModelError, match=r"ner/model .* is missing"):
        weights.verify(copied)


def test_a_model_that_is_not_installed_is_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "MODEL", "no_such_model")
    with pytest.raises(weights.UnverifiedModelError, match="not installed"):
        PresidioDetector()
