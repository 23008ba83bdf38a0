"""How far a long work over many clips has come: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_LINES = 20


@contextmanager
def clip_progress(what: str, total: int) -> Iterator[Callable[[str | None], None]]:
    """Yield a function to call for each finished clip, with a line to show or None; all goes to stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(console, what, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(what, total=total)

        def tick(note: str | None) -> None:
            if note:
                progress.console.print(f"note: {note}", markup=False, soft_wrap=True)
            progress.advance(task)

        yield tick


class _Lines:
    """About twenty lines over the whole work, and every note."""

    def __init__(self, console: Console, what: str, total: int) -> None:
        self._console, self._what, self._total = console, what, total
        self._start, self._count = time.monotonic(), 0

    def __call__(self, note: str | None) -> None:
        self._count += 1
        if note:
            self._say(f"note: {note}")
        if self._count * PLAIN_LINES // self._total > (self._count - 1) * PLAIN_LINES // self._total:
            left = (time.monotonic() - self._start) * (self._total - self._count) / self._count
            self._say(f"{self._what}: {self._count}/{self._total}, {left:.0f} s left")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
