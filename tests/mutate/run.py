"""Takes every listed defence away in a copy of the working tree, and says whether its tests notice.

`python -m tests.mutate.run [--jobs N] [WORD...]` tries those whose name, file or tests hold one of the words. One line
each: red (every named test failed, as it must), green (one did not), stale (the text to replace is not there once), or
broken (the tests did not run to their end, or fail without the mutation). Exit 1 unless all are red.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console
from rich.progress import Progress

from tests.mutate.mutation import Mutation
from tests.mutate.table import MUTATIONS

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 300.0
# Built at installation and not in the repository: the copy takes them where they are.
BUILT = ("engines/models/face_identity", "engines/models/speech_presence", "engines/models/voice_identity")
# What pytest ends with: all passed, some failed.
PASSED, FAILED = 0, 1
DATA = "SIDEWITNESS_DATA"


def is_stale(mutation: Mutation, root: Path = ROOT) -> bool:
    """Whether the text to replace does not occur just once."""
    file = root / mutation.file
    return not file.is_file() or file.read_text().count(mutation.old) != 1


def failed_tests(output: str) -> set[str]:
    """The ids of the tests that failed or broke, without their parameters, from what pytest writes."""
    return {found.partition("[")[0] for found in re.findall(r"^(?:FAILED|ERROR) (\S+::\w+)", output, re.MULTILINE)}


def verdict(mutation: Mutation, status: int, failed: set[str]) -> str:
    """Say what became of a mutation whose tests ended with `status`."""
    if status not in (PASSED, FAILED):
        return "broken"
    return "red" if set(mutation.tests) <= failed else "green"


@contextmanager
def copied(root: Path = ROOT) -> Iterator[Path]:
    """A copy of what is in the repository or could be, without what is ignored."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=root, capture_output=True, check=True, text=True).stdout.split("\0")
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copy = Path(folder) / "tree"
        for name in filter(None, names):
            if (root / name).is_file() and not (root / name).is_symlink():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, copy / name)
        for name in BUILT:
            if (root / name).is_dir():
                (copy / name).symlink_to((root / name).resolve())
        yield copy


def tested(copy: Path, tests: Iterable[str]) -> tuple[int, set[str]]:
    """Run tests in a copy; return pytest's exit status and which failed."""
    data = os.environ.get(DATA, str(ROOT / ".." / "shared" / "data"))
    environment = {**os.environ, "PYTHONPATH": str(copy), DATA: data, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return -1, set()
    return done.returncode, failed_tests(done.stdout)


def tried(mutation: Mutation, copy: Path) -> str:
    """Take one defence away in a copy, run its tests, and put it back."""
    if is_stale(mutation, copy):
        return "stale"
    file = copy / mutation.file
    whole = file.read_text()
    try:
        file.write_text(whole.replace(mutation.old, mutation.new))
        return verdict(mutation, *tested(copy, mutation.tests))
    finally:
        file.write_text(whole)


def chosen(words: Iterable[str]) -> list[Mutation]:
    """The mutations that hold one of the words, all of them where there is none."""
    wanted = [word.lower() for word in words]
    return [m for m in MUTATIONS if not wanted or any(word in _text(m) for word in wanted)]


def _text(mutation: Mutation) -> str:
    return " ".join((mutation.name, mutation.file, *mutation.tests)).lower()


def main() -> int:
    """Try them and say what became of each; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutate.run", description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--jobs", type=int, default=max(1, min(4, (os.cpu_count() or 2) // 2)), metavar="N")
    given = parser.parse_args()
    console, mutations = Console(highlight=False), chosen(given.words)
    if not mutations:
        console.print("no mutation holds any of these words")
        return 2
    with copied() as first, _more_copies(first, given.jobs) as copies, Progress(console=console) as progress:
        task = progress.add_task("without mutation", total=len(mutations) + 1)
        status, failed = tested(first, sorted({test for m in mutations for test in m.tests}))
        progress.update(task, advance=1, description="mutations")
        if status != PASSED:
            console.print(f"broken  without any mutation: {', '.join(sorted(failed)) or 'the tests did not end'}")
            return 1
        counts = {"red": 0, "green": 0, "stale": 0, "broken": 0}
        with ThreadPoolExecutor(given.jobs) as pool:
            waiting = {pool.submit(_in_turn, mutation, copies): mutation for mutation in mutations}
            for done in as_completed(waiting):
                counts[done.result()] += 1
                console.print(f"{done.result():<7} {waiting[done].file}: {waiting[done].name}", soft_wrap=True)
                progress.advance(task)
    console.print(", ".join(f"{count} {name}" for name, count in counts.items()))
    return 0 if counts["red"] == len(mutations) else 1


@contextmanager
def _more_copies(first: Path, count: int) -> Iterator[SimpleQueue[Path]]:
    copies: SimpleQueue[Path] = SimpleQueue()
    copies.put(first)
    for n in range(1, count):
        copies.put(shutil.copytree(first, first.parent / f"tree{n}", symlinks=True))
    yield copies


def _in_turn(mutation: Mutation, copies: SimpleQueue[Path]) -> str:
    copy = copies.get()
    try:
        return tried(mutation, copy)
    finally:
        copies.put(copy)


if __name__ == "__main__":
    sys.exit(main())
