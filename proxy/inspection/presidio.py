"""The one door to Presidio, spaCy and tldextract: nothing is ever downloaded, and nothing fails open.

Stock Presidio downloads a missing model and the list of public suffixes, logs words of the text, and goes on without
a recogniser whose regular expression ran out of time. Here the model is loaded from a verified folder, suffixes come
from the list that tldextract carries, Presidio's log is shut, and running out of time is an exception.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import regex  # type: ignore[import-untyped]  # ships no types, and comes with Presidio
import spacy
from presidio_analyzer import (
    AnalysisExplanation,
    AnalyzerEngine,
    EntityRecognizer,
    LocalRecognizer,
    Pattern,
    PatternRecognizer,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    CryptoRecognizer,
    EmailRecognizer,
    IbanRecognizer,
    IpRecognizer,
    MedicalLicenseRecognizer,
    NhsRecognizer,
    PhoneRecognizer,
    SpacyRecognizer,
    UkNinoRecognizer,
    UsItinRecognizer,
    UsPassportRecognizer,
)
from spacy.lookups import Lookups
from spacy.tokens import Doc
from tldextract import TLDExtract

from proxy.inspection.detector import Span
from proxy.inspection.person import NameSense
from proxy.inspection.phone import phone_score
from proxy.inspection.secret import SHAPES
from proxy.inspection.ssn import social_security_numbers
from proxy.inspection.weights import verified_model

LANGUAGE = "en"
REGEX_TIMEOUT_S = 1.0

_GUESSED: Final = frozenset({"PERSON", "LOCATION"})
_UNUSED_PIPES: Final = ("tok2vec", "tagger", "parser", "senter", "attribute_ruler", "lemmatizer")
_LABELS: Final = {"PERSON": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION"}
_SUFFIXES: Final = TLDExtract(suffix_list_urls=(), cache_dir=None)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CONTEXT_CHARACTERS: Final = 80
# The tokenizer takes the square of the length of what no space breaks: the model is shown a space here and there.
_UNBROKEN: Final = re.compile(r"(\S{127})\S")

# Presidio logs words of the text at debug level, and what it reports at higher levels is an exception here.
logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL)


class RegexTimeoutError(Exception):
    """A recogniser's regular expression ran out of time, so its part of the text was not judged."""


class PresidioDetector:
    """Presidio with a small English model and Scopegate's own recognisers. Safe to call from several threads.

    ``engines`` texts are looked at at a time (about 60 MB each); further callers wait their turn. Stretches of the
    text that the model saw are not kept in memory.
    """

    def __init__(self, *, engines: int = 1, model: Path | None = None) -> None:
        """Load the model from the folder ``model``, by default the installed one after verifying it.

        Raises:
            UnverifiedModelError: the installed model is missing, or not the one that was reviewed.
        """
        folder = model or verified_model()
        self._engines: SimpleQueue[_Engine] = SimpleQueue()
        for _ in range(engines):
            engine = _Engine(folder)
            self._engines.put(engine)
        self._supported = engine.supported

    @property
    def supported(self) -> frozenset[str]:
        """The entities that may be asked for."""
        return self._supported

    def detect(self, text: str, entities: frozenset[str], language: str, context: str = "") -> list[Span]:
        """Every span of ``text`` that looks like one of ``entities``, whatever its score, left to right.

        The text is read as if it stood behind ``context`` and a colon, which is how a person reads a key and a value.

        Raises:
            ValueError: the language or an entity is not supported.
            RegexTimeoutError: a recogniser ran out of time.
        """
        if language != LANGUAGE or not entities <= self._supported:
            raise ValueError("the language or an entity is not supported")
        if not entities:
            return []
        prefix = _prefix(context)
        with self._engine() as engine:
            found = engine.spans(prefix + text, entities)
        return sorted(_behind(found, len(prefix)), key=lambda span: (span.start, span.end, span.entity))

    @contextmanager
    def _engine(self) -> Iterator[_Engine]:
        engine = self._engines.get()
        try:
            yield engine
        finally:
            self._engines.put(engine)


class _Engine:
    """One pipeline with its recognisers; for one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._nlp = _EnglishPipeline(folder)
        recognisers = [_strict(recogniser) for recogniser in _recognisers(NameSense(_ordinary_words(folder)))]
        self._analyzer = AnalyzerEngine(
            registry=RecognizerRegistry(recognizers=recognisers),
            nlp_engine=self._nlp,
            context_aware_enhancer=_ContextWords(
                context_prefix_count=8, context_suffix_count=4, context_matching_mode="whole_word"
            ),
        )
        self.supported = frozenset(entity for recogniser in recognisers for entity in recogniser.supported_entities)

    def spans(self, text: str, entities: frozenset[str]) -> list[Span]:
        """All spans of ``entities`` in ``text``."""
        self._nlp.guessing = bool(entities & _GUESSED) and not text.islower()
        # Words that were seen would otherwise stay in the vocabulary for good.
        with self._nlp.pipeline.memory_zone():
            results = self._analyzer.analyze(text=text, language=LANGUAGE, entities=sorted(entities))
            return [Span(result.entity_type, result.start, result.end, result.score) for result in results]


class _EnglishPipeline(SpacyNlpEngine):
    """Named entities and nothing else. Lemmas are the words in small letters: context words are compared to them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            models=[{"lang_code": LANGUAGE, "model_name": str(folder)}],
            ner_model_configuration=NerModelConfiguration(model_to_presidio_entity_mapping=_LABELS),
        )
        self._folder = folder
        self.guessing = True

    def load(self) -> None:
        """Load the pipeline from its folder."""
        self.pipeline = spacy.load(self._folder, exclude=list(_UNUSED_PIPES))
        self.nlp = {LANGUAGE: self.pipeline}  # type: ignore[assignment]  # Presidio's own is written without types

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        """Tokens, and when they are wanted the model's guesses."""
        prose = _UNBROKEN.sub(r"\1 ", text)
        doc = self.pipeline(prose) if self.guessing else self.pipeline.make_doc(prose)
        guesses = [span for span in doc.ents if span.label_ in _LABELS]
        for span in guesses:
            span.label_ = _LABELS[span.label_]
        artifacts = NlpArtifacts(
            entities=guesses,
            tokens=doc,
            tokens_indices=[token.idx for token in doc],
            lemmas=[token.lower_ for token in doc],
            nlp_engine=self,
            language=language,
        )
        artifacts.keywords = frozenset(artifacts.keywords)  # type: ignore[assignment]  # only ever searched
        return artifacts

    @staticmethod
    def _download_spacy_model_if_needed(model_name: str) -> None:
        raise RuntimeError(f"{model_name} is not installed, and nothing is ever downloaded")


class _ContextWords(LemmaContextAwareEnhancer):
    """Presidio's, in time that grows with the text and not with its square."""

    @staticmethod
    def _find_index_of_match_token(word: str, start: int, tokens: Doc, tokens_indices: list[int]) -> int:  # noqa: ARG004
        before = max(0, bisect_right(tokens_indices, start) - 1)
        return before if start < tokens_indices[before] + len(tokens[before]) else before + 1


class _Recogniser(LocalRecognizer):
    """A recogniser of one entity, written as a function from text (and the model's guesses) to places and scores."""

    entity: str

    def __init__(self) -> None:
        super().__init__(supported_entities=[self.entity], supported_language=LANGUAGE)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        if self.entity not in entities:
            return []
        return [_result(self, *place) for place in self.places(text, nlp_artifacts)]

    def places(self, text: str, artifacts: NlpArtifacts | None) -> Iterator[tuple[int, int, float]]:
        """(start, end, score) of everything found."""
        raise NotImplementedError


class _SocialSecurity(_Recogniser):
    entity = "US_SSN"

    def places(self, text: str, artifacts: NlpArtifacts | None) -> Iterator[tuple[int, int, float]]:  # noqa: ARG002
        return social_security_numbers(text)


class _Person(_Recogniser):
    entity = "PERSON"

    def __init__(self, sense: NameSense) -> None:
        super().__init__()
        self._sense = sense

    def places(self, text: str, artifacts: NlpArtifacts | None) -> Iterator[tuple[int, int, float]]:
        guesses = [
            (span.start_char, span.end_char)
            for span in (artifacts.entities if artifacts else ())
            if span.label_ == self.entity
        ]
        return ((name.start, name.end, name.score) for name in self._sense.names(text, guesses))


class _Phone(PhoneRecognizer):
    """Presidio's, with scores by shape and surroundings: it takes dates, addresses and build numbers for telephones."""

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,  # noqa: ARG002
    ) -> list[RecognizerResult]:
        """Presidio's numbers that stay likely."""
        results: list[RecognizerResult] = super().analyze(text, entities)
        for result in results:
            result.score = phone_score(text, result.start, result.end)
        return [result for result in results if result.score > 0]


class _Card(CreditCardRecognizer):
    """Presidio's, without the numbers that begin with 1: those are timestamps in microseconds."""

    def validate_result(self, pattern_text: str) -> bool:
        return not pattern_text.startswith("1") and bool(super().validate_result(pattern_text))


class _Email(EmailRecognizer):
    """Presidio's, with the list of suffixes at hand. An unknown suffix of letters still counts: ``x@host.internal``."""

    def validate_result(self, pattern_text: str) -> bool | None:
        if _SUFFIXES(pattern_text).fqdn:
            return True
        return None if re.fullmatch(r"[A-Za-z]{2,}", pattern_text.rpartition(".")[2]) else False


class _Iban(IbanRecognizer):
    """Presidio's patterns and checksum; its own search goes on when out of time, and logs what it cannot read."""

    patterns: list[Any]

    def analyze(
        self,
        text: str,
        entities: list[str],  # noqa: ARG002
        nlp_artifacts: NlpArtifacts | None = None,  # noqa: ARG002
        regex_flags: int | None = None,  # noqa: ARG002
    ) -> list[RecognizerResult]:
        found = []
        for pattern in self.patterns:
            for match in pattern.compiled_regex.finditer(text):
                ends = sorted({match.end(group) for group in range(1, len(match.groups()) + 1)}, reverse=True)
                valid = (end for end in ends if end > match.start() and self.validate_result(text[match.start() : end]))
                end = next(valid, None)
                if end is not None:
                    found.append(_result(self, match.start(), end, EntityRecognizer.MAX_SCORE))
        return found


class _StrictRegex:
    """A compiled pattern that cannot run out of time silently: Presidio skips what raises ``TimeoutError``."""

    def __init__(self, pattern: Pattern, flags: int) -> None:
        self._compiled = regex.compile(pattern.regex, flags)

    def finditer(self, text: str, timeout: float = REGEX_TIMEOUT_S) -> Iterator[Any]:
        try:
            yield from self._compiled.finditer(text, timeout=min(timeout, REGEX_TIMEOUT_S), concurrent=True)
        except TimeoutError:
            raise RegexTimeoutError from None


def _result(recogniser: EntityRecognizer, start: int, end: int, score: float) -> RecognizerResult:
    name = type(recogniser).__name__
    about = {
        RecognizerResult.RECOGNIZER_NAME_KEY: name,
        RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recogniser.id,
    }
    why = AnalysisExplanation(name, score)
    return RecognizerResult(recogniser.supported_entities[0], start, end, score, why, about)


def _strict(recogniser: EntityRecognizer) -> EntityRecognizer:
    """``recogniser``, its patterns compiled once and made to fail when they run out of time."""
    if isinstance(recogniser, PatternRecognizer):
        untyped: Any = recogniser
        flags = untyped.global_regex_flags
        untyped.patterns = [Pattern(old.name, old.regex, old.score) for old in untyped.patterns]
        for pattern in untyped.patterns:
            pattern.compiled_regex = _StrictRegex(pattern, flags)
            pattern.compiled_with_flags = flags
    return recogniser


def _recognisers(sense: NameSense) -> list[EntityRecognizer]:
    """All that are needed. Not among them: addresses of web pages, dates, organisations, driving licences."""
    return [
        _SocialSecurity(),
        _Person(sense),
        SpacyRecognizer(supported_language=LANGUAGE, supported_entities=["LOCATION"]),
        _secrets(),
        _Card(),
        _Iban(),
        _Email(),
        _Phone(supported_regions=("US", "GB", "CA", "IN", "DE", "FR")),
        IpRecognizer(),
        CryptoRecognizer(),
        MedicalLicenseRecognizer(),
        NhsRecognizer(),
        UkNinoRecognizer(),
        UsItinRecognizer(),
        UsPassportRecognizer(),
    ]


def _secrets() -> PatternRecognizer:
    patterns = [Pattern(shape.name, shape.regex, shape.score) for shape in SHAPES]
    # Stock flags ignore case, and "sg_", "AKIA" or "eyJ" mean something in their own case only.
    return PatternRecognizer(
        "SECRET", patterns=patterns, supported_language=LANGUAGE, global_regex_flags=regex.MULTILINE
    )


def _ordinary_words(folder: Path) -> frozenset[str]:
    """The English words, WordNet's, that come with the model for its lemmatizer."""
    lookups = Lookups().from_disk(folder / "lemmatizer" / "lookups")
    index, exceptions = lookups.get_table("lemma_index"), lookups.get_table("lemma_exc")
    words = {word for part in index for word in index[part]} | {
        word for part in exceptions for word in exceptions[part]
    }
    return frozenset(words) | frozenset(spacy.blank(LANGUAGE).Defaults.stop_words)


def _prefix(context: str) -> str:
    """The context as words before a colon; ``userSsn`` and ``user_ssn`` are two."""
    words = re.split(r"[\W_]+", _HUMP.sub(" ", context))
    shown = " ".join(word for word in words if word)[-_CONTEXT_CHARACTERS:]
    return f"{shown}: " if shown else ""


def _behind(spans: Sequence[Span], offset: int) -> Iterator[Span]:
    """Spans of the text that stands ``offset`` characters in, in its own characters."""
    for span in spans:
        if span.end > offset:
            yield span._replace(start=max(0, span.start - offset), end=span.end - offset)
