"""One defence taken away: which text of which file is replaced, and the tests that must fail then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """`old`, which occurs once in `file`, becomes `new`; every test of `tests` must fail then.

    `name` says what is taken away. A test is an id as pytest takes it, without parameters: some of them must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
