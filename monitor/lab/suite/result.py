"""The figures of one part, and what they hold for: the packs that are shipped, by the hash of each file used. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from engines.errors import SidewitnessError

SCHEMA = 1


class SuiteError(SidewitnessError):
    """The suite or a document of its results cannot be made; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class PartResult:
    """What a part came to.

    `packs` holds the sha256 of every shipped file that the figures depend on, as `pack/file`; `scored_by` those of the
    encoders that scored each fold, where they were not the shipped ones; `built` those of packs that are made at
    installation and may differ from machine to machine. `data` has the sha256 of each manifest and split. `key` is of
    all this and of the code: a result with another key is made anew. With a `limit` only so many clips of each group
    were used, and the figures are fit for no document.

    `stale` says that the shipped packs have changed since, and is set by hand; `by_hand` is where the figures come from
    if no part of the suite made them: these have a finished `table`.
    """

    part: str
    version: int
    packs: Mapping[str, str]
    figures: Mapping[str, Any]
    data: Mapping[str, str] = field(default_factory=dict)
    scored_by: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    built: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    limit: int | None = None
    stale: bool = False
    by_hand: str = ""

    def to_json(self) -> str:
        """Give the text of the file that holds a result."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str) -> PartResult:
        """Read what `to_json` wrote; `name` says in errors which file it is. Raises `SuiteError`."""
        try:
            raw = json.loads(text)
            if raw.pop("schema") != SCHEMA:
                raise SuiteError(f"{name} is of another version of the suite: run the part again")
            known = {entry.name for entry in fields(cls)}
            return cls(**{key: value for key, value in raw.items() if key in known})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SuiteError(f"{name} is no result of the suite ({error}): delete it and run the part again") from None


def short(hashes: Mapping[str, str]) -> str:
    """Name files with the beginning of their hashes, a pack at a time."""
    return ", ".join(f"{name} {sha256[:8]}" for name, sha256 in sorted(hashes.items()))
