"""How sure one can be that words name a person.

A small model's guess says little by itself: it calls "Draft", "Kafka" and "Deploy Kubernetes" persons, all with the
same confidence. So its guess counts only when something else speaks for a name as well:

- a title, or a given name of the list, with the words that follow it;
- two words with capitals, one of them a listed family name, or both of them no English words;
- one word with a capital that is no English word, where people are spoken of ("ask …", "… approved", "Priya and …").

Listed given names count without the model too, which overlooks many ("Priya said"); those that are also English words
or products ("Will", "Claude") do not, unless a family name follows or people are spoken of. Words with digits, with
capitals inside or in capitals throughout name things, and so do the products of the list.

What this gives up: names in lower case, rare names without any of the above, and scripts without capitals.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from proxy.inspection.words import listed

FULL = 0.85
SINGLE = 0.6
LIKELY = 0.5
GUESS = 0.3

_TOKEN = re.compile(r"[\w'\u2019\-]+")
_NAME = re.compile(
    r"(?:(?:Mc|Mac|De|Di|Du|La|Le|Van|O['\u2019]|D['\u2019])?[^\W\d_a-z][^\W\d_A-Z]+)(?:['\u2019\-][^\W\d_]+)*"
)
_POSSESSIVE = re.compile(r"['\u2019]s?\Z")
_LINK = r"(?:de|da|di|del|della|der|den|van|von|bin|al|el|la|[A-Z])"
_BETWEEN = re.compile(rf"[ \t]{{1,2}}(?:{_LINK}\.?[ \t]{{0,2}}){{0,3}}(?<=[ \t.])")
_LINKS = re.compile(_LINK)
_TITLE_BEFORE = re.compile(
    r"\b(?:Dr|Mr|Mrs|Ms|Mx|Prof|Professor|Sir|Madam|Miss|Herr|Frau|Señora?|Madame)\.?[ \t]{1,2}\Z"
)
_TITLES = frozenset(
    {
        "dr",
        "mr",
        "mrs",
        "ms",
        "mx",
        "prof",
        "professor",
        "sir",
        "madam",
        "miss",
        "herr",
        "frau",
        "señor",
        "señora",
        "madame",
    }
)
_SPOKEN_OF_BEFORE = re.compile(
    r"\b(?:ask(?:ed|s)?|tell|told|ping(?:ed)?|e-?mail(?:ed)?|call(?:ed)?|met|interview(?:ed)?|cc|dear|hi|hello|thanks"
    r"|contact(?:ed)?|colleague|customer|patient|candidate|reviewer|owner|author|assignee|assigned to|according to"
    r"|sp(?:ea|o)ke? (?:to|with)|talk(?:ed)? (?:to|with)|chat(?:ted)? with|lunch with|call with|meeting with"
    r"|interview with|met with|sync with|hired?|named|name is|name)[:,]? {1,2}\Z",
    re.IGNORECASE,
)
_SPOKEN_OF_AFTER = re.compile(
    r"(?:['\u2019]s)?,? {1,2}(?:(?:has|had|is|was|already|also) )?(?:said|says|thinks|thought|asked|approved|agreed"
    r"|disagreed|mentioned|told|confirmed|replied|suggested|emailed|prefers|likes|lives|resigned|complained|believes|insisted"
    r"|hopes|promised|on leave|on vacation|on holiday)\b"
)
_JOINED = re.compile(r",? (?:and|or|&) |, ")
_SPEECH_REACH = 32
_SUFFIXES = (
    ("ies", "y"),
    ("es", ""),
    ("s", ""),
    ("ed", ""),
    ("ed", "e"),
    ("ing", ""),
    ("ing", "e"),
    ("ly", ""),
    ("er", ""),
)

_DOUBTFUL = listed("doubtful_names") | (listed("given_names") & listed("products"))


@dataclass(frozen=True, slots=True)
class Name:
    """Characters ``start`` up to ``end`` may name a person."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Word:
    """One word with a capital, and where it stands. ``key`` is its small-letter form."""

    key: str
    start: int
    end: int
    shouted: bool


class NameSense:
    """Judges names in text. ``ordinary`` are English words in small letters, base forms at least."""

    def __init__(self, ordinary: Collection[str]) -> None:
        self._ordinary = frozenset(ordinary)
        self._given = listed("given_names")
        self._family = listed("surnames")
        self._products = listed("products")

    def names(self, text: str, guesses: Collection[tuple[int, int]]) -> Iterator[Name]:
        """Every name in ``text``, left to right; ``guesses`` are where a model saw persons."""
        last: Name | None = None
        for run in _runs(text, self._given | self._family):
            guessed = any(start < run[-1].end and run[0].start < end for start, end in guesses)
            for name in self._names(text, run, guessed=guessed):
                joined = name.score == GUESS and last and _JOINED.fullmatch(text, last.end, name.start)
                yield (judged := Name(name.start, name.end, LIKELY) if joined else name)
                last = judged if judged.score > GUESS else last

    def _names(self, text: str, run: list[Word], *, guessed: bool) -> Iterator[Name]:
        """The names in one run of words, those with a title or a given name if there are any."""
        found = list(self._sure_names(text, run, guessed=guessed))
        unknown = [word for word in run if word.key in self._family or not self._means_something(word.key)]
        if not found and (guessed or len(unknown) > 1 or _spoken_of(text, run)):
            found = list(self._without_given(text, unknown))
        yield from found

    def _sure_names(self, text: str, run: list[Word], *, guessed: bool) -> Iterator[Name]:
        end = 0
        if _TITLE_BEFORE.search(text, max(0, run[0].start - _SPEECH_REACH), run[0].start):
            end = self._end(run, 1)
            yield Name(run[0].start, end, FULL)
        for place, word in enumerate(run):
            if word.start >= end and (word.key in self._given or word.key.partition("-")[0] in self._given):
                name = self._from_given(text, run[place:], guessed=guessed)
                if name is not None:
                    end = name.end
                    yield name

    def _from_given(self, text: str, run: list[Word], *, guessed: bool) -> Name | None:
        """The name that begins with the given name that ``run`` begins with."""
        first, end = run[0], self._end(run, 1)
        doubtful = first.key in _DOUBTFUL
        if end > first.end:
            if not doubtful or run[1].key in self._family:
                return Name(first.start, end, FULL)
            return Name(first.start, end, LIKELY) if guessed or not _begins_a_sentence(text, first.start) else None
        if first.shouted or (doubtful and not (_spoken_of(text, run[:1]) and first.key not in self._products)):
            return None
        return Name(first.start, first.end, LIKELY if doubtful else SINGLE)

    def _without_given(self, text: str, unknown: list[Word]) -> Iterator[Name]:
        """A name of which no part is a listed given name. ``unknown`` are the words that mean nothing else."""
        telling = [word for word in unknown if not self._means_something(word.key)]
        if not telling or telling[0].shouted:
            return
        family = any(word.key in self._family for word in unknown)
        if len(unknown) > 1:
            score = SINGLE if family else LIKELY
        else:
            score = LIKELY if family or _spoken_of(text, telling) else GUESS
        yield Name(unknown[0].start, unknown[-1].end, score)

    def _end(self, run: list[Word], begun: int) -> int:
        """Where the name ends whose first ``begun`` words are the run's first: family names and unknown words go on."""
        end = run[begun - 1].end
        for word in run[begun : begun + 3]:
            listed_name = word.key in self._family or word.key in self._given
            if not listed_name and self._means_something(word.key):
                break
            end = word.end
        return end

    def _means_something(self, key: str) -> bool:
        """Whether the word is an English word, in any form, or a product."""
        if key in self._ordinary or key in self._products or key in _TITLES or key.endswith(("bot", "db", "api")):
            return True
        stems = (key.removesuffix(suffix) + stem for suffix, stem in _SUFFIXES if key.endswith(suffix))
        return any(stem in self._ordinary for stem in stems) or all(
            part in self._ordinary for part in re.split(r"['\u2019\-]", key)
        )


def _runs(text: str, shoutable: Collection[str]) -> Iterator[list[Word]]:
    """Words with capitals that stand side by side, initials and particles between them allowed."""
    run: list[Word] = []
    for token in _TOKEN.finditer(text):
        word = _word(token, shoutable)
        if run and (word is None or not _BETWEEN.fullmatch(text, run[-1].end, word.start)):
            if word is None and _LINKS.fullmatch(token[0]):
                continue
            yield run
            run = []
        if word is not None:
            run.append(word)
    if run:
        yield run


def _word(token: re.Match[str], shoutable: Collection[str]) -> Word | None:
    text = _POSSESSIVE.sub("", token[0])
    shouted = len(text) > 1 and text.isupper()
    if _NAME.fullmatch(text) or (shouted and text.lower() in shoutable):
        return Word(text.lower(), token.start(), token.start() + len(text), shouted)
    return None


def _begins_a_sentence(text: str, start: int) -> bool:
    return bool(re.search(r"(?:\A|[.!?:;\n\-*])[^\w\n]*\Z", text[max(0, start - _SPEECH_REACH) : start]))


def _spoken_of(text: str, words: list[Word]) -> bool:
    """Whether the words around are those with which people are spoken of."""
    start, end = words[0].start, words[-1].end
    before = _SPOKEN_OF_BEFORE.search(text, max(0, start - _SPEECH_REACH), start)
    return bool(before or _SPOKEN_OF_AFTER.match(text, end))
