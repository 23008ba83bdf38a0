"""Whether the name that somebody bears in a call is that of an enrolled person: in full, in part, or not. Pure.

Names are read as people write them in calls: with titles and roles, the family name first, another name or a place
behind a bar or in brackets, signs and emoji, initials and middle names. Words are compared by their skeletons
(`lookalike`), so that another alphabet's letters make no other name; a name written out in another script is another
name here, and is found only where a rule says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from monitor.identity.lookalike import is_mark, shown, skeletons, visible

MAX_CHARACTERS = 256
MAX_WORDS = 12
MAX_READINGS = 24
SEPARATORS = re.compile(r"[\s._~:@+,;/\\|\u2010-\u2015\u30fb\uff65-]+")
BRACKETS = re.compile(r"[(\[{<\u300c\u3010]([^()\[\]{}<>\u300c\u300d\u3010\u3011]*)[)\]}>\u300d\u3011]")
# What parts a name from a place, a role or another name; a hyphen only between spaces.
BARS = re.compile(r"\s*[|\u2022\u00b7/]\s*|\s+[@\u2010-\u2015-]+\s+")
POSSESSIVE = re.compile(r"['\u2019]s\b.*$", re.IGNORECASE | re.DOTALL)
HONORIFICS = re.compile(r"(?<=\w\w)(さん|様|先生|씨|님|先輩|女士)$")
BEFORE = """
    mr mrs ms miss mx dr prof professor sir dame lord lady rev fr hon judge herr frau mme mlle monsieur madame señor
    señora sr sra don doña dott ing mag dipl ceo cfo cto coo ciso cio chair chairman president minister senator guest
    host cohost external
"""
AFTER = """
    phd md mba jr sr ii iii iv esq msc bsc ma ba llm cpa cfa dds mp qc kc ceo cfo cto coo ciso cio chair president vp
    guest host cohost external extern mobile phone iphone ipad tablet laptop me you
"""
Looks = frozenset[str]


class Match(IntEnum):
    """How much of a name another one is."""

    NONE = 0
    PART = 1
    FULL = 2


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much of an enrolled name a shown one is; `lookalike` where it is that only by letters that look like it."""

    match: Match
    lookalike: bool = False


@dataclass(frozen=True, slots=True)
class _Word:
    """A word as it is compared: all that it looks like, and its letter where it is an initial or as one would be."""

    looks: Looks
    letter: str
    is_initial: bool


@dataclass(frozen=True, slots=True)
class _Reading:
    """A name in one way in which it may be meant: its words, and all of them without spaces."""

    words: tuple[_Word, ...]
    whole: Looks


@dataclass(frozen=True, slots=True)
class Name:
    """A name that is read, in every way in which it may be meant."""

    text: str
    looks: Looks
    readings: tuple[_Reading, ...]


def read(name: str) -> Name:
    """Read a name, to be compared with others; what is too long for one is left out."""
    text = name[:MAX_CHARACTERS]
    return Name(text, skeletons(text), _readings(text, skeletons))


def compare(name: Name, enrolled: Name) -> Likeness:
    """Compare a name that is shown in a call with an enrolled one.

    In full: every word of one is in the other, in this order or with the family name first, but for titles, and but for
    middle names that only one of them has. In part: the first or the last name is an initial, or a name in full stands
    among other words. A first name alone is nobody's.
    """
    is_alike = not name.looks.isdisjoint(enrolled.looks)
    match = Match.FULL if is_alike else _match(name.readings, enrolled.readings)
    if match is not Match.FULL:
        return Likeness(match)
    written = _match(_readings(name.text, _as_written), _readings(enrolled.text, _as_written))
    return Likeness(match, written is not Match.FULL)


def _match(mine: tuple[_Reading, ...], theirs: tuple[_Reading, ...]) -> Match:
    return max((_compare(one, other) for one in mine for other in theirs), default=Match.NONE)


def _readings(name: str, fold: Callable[[str], Looks]) -> tuple[_Reading, ...]:
    found: list[tuple[str, ...]] = []
    for form in shown(name):
        for part in _parts(unicodedata.normalize("NFKC", visible(form))):
            words = _words(part)
            if words and words not in found:
                found.append(words)
    return tuple(
        _Reading(tuple(_Word(fold(word), word[0], len(word) == 1) for word in words), fold("".join(words)))
        for words in found[:MAX_READINGS]
    )


def _parts(text: str) -> list[str]:
    without = BRACKETS.sub(" ", text)
    parts = [without, *BRACKETS.findall(text)]
    for part in [*parts]:
        parts += BARS.split(part) if BARS.search(part) else []
    for part in [*parts]:
        family, comma, rest = part.partition(",")
        # Doe, Jane; Jane Doe, Acme; Jane Doe, PhD.
        parts += [f"{rest} {family}", family] if comma else []
    return [POSSESSIVE.sub("", part) for part in parts]


def _words(text: str) -> tuple[str, ...]:
    words = [HONORIFICS.sub("", word) for word in map(_letters, SEPARATORS.split(text)) if word]
    words = [word for word in words if not word.isdigit()] or words
    while len(words) > 2 and _is_among(words[0], BEFORE):
        words = words[1:]
    while len(words) > 2 and (cut := _title_after(words)):
        words = words[:-cut]
    return tuple(words[:MAX_WORDS])


def _letters(word: str) -> str:
    # Enclosing marks (Me) make signs of digits.
    return "".join(c for c in word if unicodedata.category(c)[0] in "LMN" and unicodedata.category(c) != "Me")


def _title_after(words: list[str]) -> int:
    """How many words at the end are one title: `Ph. D.` is two."""
    if _is_among(words[-1], AFTER):
        return 1
    return 2 if len(words) > 3 and len(words[-1]) == 1 and _is_among("".join(words[-2:]), AFTER) else 0


def _is_among(word: str, titles: str) -> bool:
    return not skeletons(word).isdisjoint(_looks_of(titles))


@cache
def _looks_of(titles: str) -> Looks:
    return frozenset(look for title in titles.split() for look in skeletons(title))


def _as_written(word: str) -> Looks:
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", word).casefold())
    return frozenset({"".join(c for c in plain if not is_mark(c))})


def _compare(mine: _Reading, enrolled: _Reading) -> Match:
    if not mine.whole.isdisjoint(enrolled.whole) or _same_words(mine.words, enrolled.words):
        return Match.FULL
    # The family name may stand first.
    turned = (*mine.words[1:], *mine.words[:1])
    ends = max(_ends(mine.words, enrolled.words), _ends(turned, enrolled.words))
    is_within = ends is Match.NONE and len(enrolled.words) > 1 and _holds(mine.words, enrolled.words)
    return Match.PART if is_within else ends


def _ends(one: tuple[_Word, ...], other: tuple[_Word, ...]) -> Match:
    """Compare two names by the first and the last word, where those between do not contradict each other."""
    if len(one) < 2 or len(other) < 2 or not _agree(one[1:-1], other[1:-1]):
        return Match.NONE
    ends = ((one[0], other[0]), (one[-1], other[-1]))
    whole = [_same(mine, theirs) and not mine.is_initial for mine, theirs in ends]
    if all(whole):
        return Match.FULL
    return Match.PART if any(whole) and all(_same_or_initial(*pair) for pair in ends) else Match.NONE


def _agree(middle: tuple[_Word, ...], other: tuple[_Word, ...]) -> bool:
    """Whether one has no middle names, or both have the same, as names or as initials."""
    if not middle or not other:
        return True
    return len(middle) == len(other) and all(map(_same_or_initial, middle, other))


def _same_or_initial(word: _Word, other: _Word) -> bool:
    is_initial = word.is_initial or other.is_initial
    return _same(word, other) or (is_initial and not skeletons(word.letter).isdisjoint(skeletons(other.letter)))


def _holds(words: tuple[_Word, ...], name: tuple[_Word, ...]) -> bool:
    places = range(len(words) - len(name) + 1)
    return any(all(map(_same, words[at : at + len(name)], name)) for at in places)


def _same_words(one: tuple[_Word, ...], other: tuple[_Word, ...]) -> bool:
    left = list(other)
    for word in one:
        found = next((at for at, candidate in enumerate(left) if _same(word, candidate)), None)
        if found is None:
            return False
        del left[found]
    return not left


def _same(word: _Word, other: _Word) -> bool:
    return not word.looks.isdisjoint(other.looks)
