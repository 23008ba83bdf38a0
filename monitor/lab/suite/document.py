"""Documents whose tables are made of results: blocks between `<!-- suite:NAME -->` and `<!-- /suite -->`.

    python -m monitor.lab.suite.document docs/results.md [--mark-stale]

writes every block of a document anew from the results beside it (`docs/results/NAME.json`). With --mark-stale those
that were made with other packs than the shipped ones say so from then on. All but `main` and what reads and writes is
pure.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engines.base import MODELS
from engines.errors import SidewitnessError
from monitor.lab.suite.depends import pack_files
from monitor.lab.suite.parts import NAMES, Part
from monitor.lab.suite.result import PartResult, SuiteError, short

BLOCK = re.compile(r"<!-- suite:(?P<name>[\w-]+) -->\n(?P<body>.*?)<!-- /suite -->", re.DOTALL)
OPENING = re.compile(r"<!-- suite:([\w-]+) -->")
LINE_LETTERS = 120
RENEW = "sidewitness evaluate --suite DATA --part {name} --write docs/results.md"

# The hashes of the shipped files that a part depends on.
Current = Callable[[Part], Mapping[str, str]]


def render(part: Part, result: PartResult) -> str:
    """Lay one result out as the lines of its block."""
    lines = [""]
    if result.stale:
        lines += [f"**Measured with earlier packs** ({short(result.packs)}), not with those that are shipped now.", ""]
    if result.by_hand:
        lines += [*result.figures["table"], "", f"By hand, before the suite: {result.by_hand}"]
    else:
        lines += [*part.table(result.figures), "", _provenance(part, result)]
    return "\n".join([*(wrapped for line in lines for wrapped in _wrapped(line)), "", ""])


def filled(text: str, results: Mapping[str, PartResult], parts: Mapping[str, Part] = NAMES) -> str:
    """Give a document with every block made anew; a block without a result stays. Raises `SuiteError`."""

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in parts:
            raise SuiteError(f"no part {name!r} of the suite: there is {', '.join(parts)}")
        body = render(parts[name], results[name]) if name in results else match["body"]
        return f"<!-- suite:{name} -->\n{body}<!-- /suite -->"

    return BLOCK.sub(block, text)


def names_in(text: str) -> list[str]:
    """Name the parts whose blocks a document has; raises `SuiteError` for a block that is not closed."""
    whole, opened = [match["name"] for match in BLOCK.finditer(text)], OPENING.findall(text)
    if whole != opened:
        raise SuiteError(f"a block <!-- suite:NAME --> among {', '.join(opened)} has no <!-- /suite --> of its own")
    return whole


def problems(
    texts: Iterable[str], results: Mapping[str, PartResult], current: Current, parts: Mapping[str, Part] = NAMES
) -> list[str]:
    """Say what is untrue in documents made of these results: a line for each, with what to do."""
    texts = list(texts)
    found = [line for name, result in results.items() for line in _faults(name, result, current, parts)]
    named = [name for text in texts for name in names_in(text)]
    found += [f"{name}: a block without a result: {_how(name)}" for name in named if name not in results]
    found += [f"{name}: a result without a block: say where its table belongs" for name in results if name not in named]
    if not found:
        changed = [text for text in texts if filled(text, results, parts) != text]
        found += ["a block is not what its result makes: python -m monitor.lab.suite.document docs/results.md"] * len(
            changed
        )
    return found


def _faults(name: str, result: PartResult, current: Current, parts: Mapping[str, Part]) -> list[str]:
    if name not in parts or result.part != name:
        return [f"{name}: no part of the suite has this name"]
    if result.limit is not None:
        return [f"{name}: a trial of {result.limit} clips a group, fit for no document: {_how(name)}"]
    same = dict(result.packs) == dict(current(parts[name]))
    if result.stale:
        return [f"{name}: marked stale, but its packs are those that are shipped: {_how(name)}"] if same else []
    if not same:
        mark = "or mark it: python -m monitor.lab.suite.document docs/results.md --mark-stale"
        return [f"{name}: measured with {short(result.packs)}, which are no longer shipped: {_how(name)}, {mark}"]
    if not result.by_hand and result.version != parts[name].version:
        return [f"{name}: measured as by version {result.version}, now {parts[name].version}: {_how(name)}"]
    return []


def marked(results: Mapping[str, PartResult], current: Current, parts: Mapping[str, Part] = NAMES) -> list[PartResult]:
    """Give the results whose mark is wrong, with the right one: stale where their packs are shipped no longer."""
    found = []
    for name, result in results.items():
        stale = dict(result.packs) != dict(current(parts[name])) if name in parts else result.stale
        if stale != result.stale:
            found.append(replace(result, stale=stale))
    return found


def shipped(part: Part) -> Mapping[str, str]:
    """Give the hashes of the shipped files that a part depends on."""
    return pack_files(part.packs, MODELS)


def read_results(document: Path) -> dict[str, PartResult]:
    """Read the results beside a document; raises `SuiteError`."""
    folder = document.parent / document.stem
    return {path.stem: PartResult.from_json(path.read_text(), str(path)) for path in sorted(folder.glob("*.json"))}


def renew(document: Path, fresh: Sequence[PartResult]) -> list[str]:
    """Put fresh results beside a document and write its blocks anew; gives a line for each that has no place.

    Raises `SuiteError` for a document that cannot be read, and for results of a trial with a limit.
    """
    try:
        text = document.read_text()
    except OSError as error:
        raise SuiteError(f"{document} cannot be read ({error.strerror}): name the document to write") from None
    if limited := [result.part for result in fresh if result.limit is not None]:
        raise SuiteError(f"{', '.join(limited)}: figures of a trial with --limit are fit for no document: leave it out")
    named, folder = names_in(text), document.parent / document.stem
    folder.mkdir(exist_ok=True)
    for result in fresh:
        if result.part in named:
            (folder / f"{result.part}.json").write_text(result.to_json())
    document.write_text(filled(text, read_results(document)))
    return [f"{document.name} has no block <!-- suite:{r.part} -->" for r in fresh if r.part not in named]


def _wrapped(line: str) -> list[str]:
    """Break prose into lines that fit on a screen; rows of tables stay."""
    if line.startswith("|"):
        return [line]
    return textwrap.wrap(line, LINE_LETTERS, break_long_words=False, break_on_hyphens=False) or [""]


def _provenance(part: Part, result: PartResult) -> str:
    by_fold = "; ".join(f"fold {fold} by {short(hashes)}" for fold, hashes in result.scored_by.items())
    across = f"; scored by encoders that had not seen the source: {by_fold}" if by_fold else ""
    return f"Part `{part.name}` of the suite, for {short(result.packs)}{across}."


def _how(name: str) -> str:
    return RENEW.format(name=name)


def main(arguments: Sequence[str]) -> int:
    """Write the blocks of the documents that are named; gives the exit status."""
    try:
        documents = [Path(argument) for argument in arguments if not argument.startswith("--")]
        for document in documents:
            stale = marked(read_results(document), shipped) if "--mark-stale" in arguments else []
            renew(document, stale)
            for result in stale:
                sys.stdout.write(f"{result.part}: {'stale' if result.stale else 'current'}\n")
    except SidewitnessError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_status
    return 0 if documents else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
