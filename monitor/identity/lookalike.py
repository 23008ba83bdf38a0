"""Names that are taken for each other: compared by their skeletons, as UTS 39 (Unicode Security Mechanisms) says.

A skeleton is what a name looks like and no name: it is compared and never shown or kept. Beyond the standard, case,
accents, separators, symbols and characters that are not seen make no difference here: whoever reads a name in a hurry
misses these as well.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("confusables.txt")
# Marks that go onto letters of any script; those of one script are letters of their own (vowels, tones).
GENERIC_MARKS = ((0x0300, 0x036F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))
RIGHT_TO_LEFT_OVERRIDE = "\u202e"
# Not seen, though the category is not that of a format character: fillers and selectors.
UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {chr(n) for n in range(0xFE00, 0xFE10)}


def looks_like(name: str, other: str) -> bool:
    """Whether two names that may be equal are taken for each other."""
    return not skeletons(name).isdisjoint(skeletons(other))


def find(name: str, others: Iterable[str]) -> str | None:
    """Give the first of the others, by name, that `name` is taken for; None where there is none."""
    alike = skeletons(name)
    return next((other for other in sorted(others) if not alike.isdisjoint(skeletons(other))), None)


def skeletons(name: str) -> frozenset[str]:
    """Give what a name looks like: as written, where I and l are one, and in small letters.

    Empty for a name of which nothing is seen.
    """
    return frozenset(_skeleton(form) for seen in shown(name) for form in (seen, _small(seen))) - {""}


def visible(name: str) -> str:
    """Give what is seen of a name: without characters that take no place."""
    return "".join(character for character in name if not is_unseen(character))


def is_mark(character: str) -> bool:
    """Whether a character is an accent that goes onto letters of any script."""
    return any(first <= ord(character) <= last for first, last in GENERIC_MARKS)


def shown(name: str) -> tuple[str, ...]:
    """Give a name as it is stored and, after a right-to-left override, as it is seen."""
    before, override, after = name.partition(RIGHT_TO_LEFT_OVERRIDE)
    return (name, before + after[::-1]) if override else (name,)


def _small(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _skeleton(name: str) -> str:
    seen = visible(unicodedata.normalize("NFD", name))
    taken = unicodedata.normalize("NFKD", "".join(_table().get(c, c) for c in seen))
    # Compatibility characters have skeletons too, and what a character is taken for may carry marks.
    taken = "".join(_table().get(c, c) for c in taken)
    return "".join(c for c in unicodedata.normalize("NFD", taken) if not _is_aside(c))


def is_unseen(character: str) -> bool:
    """Whether a character takes no place where it stands."""
    return unicodedata.category(character) in ("Cf", "Cc") or character in UNSEEN or ord(character) >= 0xE0000


def _is_aside(character: str) -> bool:
    """Whether a character does not tell names apart: separators, punctuation, symbols, accents."""
    return is_mark(character) or unicodedata.category(character)[0] in "ZPS"


@cache
def _table() -> dict[str, str]:
    table: dict[str, str] = {}
    for line in TABLE.read_text("ascii").splitlines():
        looks, _, characters = line.partition("#")[0].partition(":")
        taken = "".join(chr(int(code, 16)) for code in looks.split())
        table.update({chr(int(code, 16)): taken for code in characters.split()})
    return table
