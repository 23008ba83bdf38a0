"""One parser under attack, and how inputs are made of its seeds: edits, splices of two, and plain noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

SEEDS = Path(__file__).parent / "seeds"
MAX_EDITS = 6
MAX_NOISE_BYTES = 256
# What breaks parsers of text, and of numbers in it; each target adds words of its own.
NASTY = (
    *(b"", b"\x00", b"\xff", b"\xff\xfe", b"\n", b"\r\n", b"-1", b"0", b"1e999", b"-1e999", b"NaN", b"1" * 400),
    *(b"4294967296", b"18446744073709551616", b"\xc3\x28", b"\xd9\xa3", b"[" * 3000, b"{" * 40, b'"', b"A" * 5000),
)


@dataclass(frozen=True, slots=True)
class Target:
    """`parse` gets bytes and may raise `errors`, which its documentation names, and nothing else.

    `glances` is how many inputs `make test` tries: fewer where one costs more.
    """

    name: str
    parse: Callable[[bytes], object]
    errors: tuple[type[Exception], ...] = ()
    words: tuple[bytes, ...] = ()
    glances: int = 400

    @property
    def seeds(self) -> list[bytes]:
        """The committed inputs: well-formed ones, and what was found before."""
        return [path.read_bytes() for path in sorted((SEEDS / self.name).iterdir())]

    def accepts(self, data: bytes) -> bool:
        """Whether the parser takes an input; raises what it does not document."""
        try:
            self.parse(data)
        except self.errors:
            return False
        return True

    def inputs(self, start: int = 0) -> Iterator[bytes]:
        """Changed seeds and noise without end, the same for the same `start`."""
        random, seeds = Random(start), self.seeds
        words = (*NASTY, *self.words)
        while True:
            data = _edited(random.choice(seeds), random, words)
            if random.random() < 0.2:
                tail = _edited(random.choice(seeds), random, words)
                data = data[: random.randint(0, len(data))] + tail[random.randint(0, len(tail)) :]
            yield random.randbytes(random.randint(0, MAX_NOISE_BYTES)) if random.random() < 0.05 else data


def _edited(data: bytes, random: Random, words: tuple[bytes, ...]) -> bytes:
    """Replace a few pieces by words or noise, most of them short ones."""
    for _ in range(random.randint(0, MAX_EDITS)):
        at = random.randint(0, len(data))
        cut = min(int(random.paretovariate(0.7)) - 1, len(data) - at)
        piece = random.choice(words) if random.random() < 0.5 else random.randbytes(random.randint(0, 4))
        data = data[:at] + piece + data[at + cut :]
    return data
