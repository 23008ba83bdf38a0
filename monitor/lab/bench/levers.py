"""What each way of doing less takes off a participant: the session's processor time on the live stream, by turns.

The stream's person is claimed, so that every detector works. The settings go round and round over the same packets, so
that a machine that is busy with other things is so for all of them; what is told is the median of the rounds.

python -m monitor.lab.bench.levers [ROUNDS] [CLIP]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from monitor.detectors.persona.live import LoadedPersona
from monitor.face.cadence import CALM, EVERY, LIGHT
from monitor.lab.bench.clip import Stream, choose, prepare
from monitor.lab.bench.pairwise_cost import enrolled, items
from monitor.lab.bench.persona_cost import enrolled_movement
from monitor.session.models import Models, load_models
from monitor.session.session import JOIN_SECONDS, Session, SessionConfig
from monitor.types import ParticipantKey

ROUNDS = 3
AS_BEFORE = SessionConfig(cadence=EVERY, by_turns=False, join_seconds=0.0)
# Each beside the one before it.
SETTINGS = {
    "landmarks in every picture, every detector at every hop, sound block by block": AS_BEFORE,
    "sound in pieces of 0.24 s": replace(AS_BEFORE, join_seconds=JOIN_SECONDS),
    "and detectors by turns": SessionConfig(cadence=EVERY),
    "and landmarks where the face moves (the default)": SessionConfig(cadence=CALM),
    "and judged lightly": SessionConfig(cadence=LIGHT),
}


@dataclass(frozen=True, slots=True)
class Lever:
    """One setting: cores of a session with the decoding of its media, the median of `rounds`, and their extremes."""

    name: str
    cores: float
    least: float
    most: float
    rounds: int


def measure(
    stream: Stream, models: Models, rounds: int = ROUNDS, progress: Callable[[float], None] = lambda _: None
) -> list[Lever]:
    """Run the stream through a session of each setting, in turn; raises `CannotCompare` where nobody can be claimed."""
    movement, models = enrolled_movement(stream, models)
    reference = enrolled(stream, models)
    reference = replace(reference, parts={**reference.parts, models.of(LoadedPersona).info.name: movement})
    seconds: dict[str, list[float]] = {name: [] for name in SETTINGS}
    for number in range(rounds):
        for name, config in SETTINGS.items():
            session = Session(ParticipantKey("bench", "1", "bench"), models, config, reference)
            # The engines run in the thread that asks: its own clock is right on a busy machine, too.
            began = time.thread_time()
            for item in items(stream, 1):
                session.tick(item.stamp.arrival)
                session.push(item)
            seconds[name].append((time.thread_time() - began) / stream.seconds)
        progress((number + 1) / rounds)
    return [Lever(name, median(found), min(found), max(found), len(found)) for name, found in seconds.items()]


def main(words: list[str]) -> None:
    """Measure and print one line a setting."""
    rounds = int(words[0]) if words else ROUNDS
    clip = Path(words[1]) if len(words) > 1 else choose()
    with tempfile.TemporaryDirectory() as folder:
        levers = measure(prepare(clip, Path(folder) / "stream.webm"), load_models(), rounds)
    before = levers[0].cores
    for lever in levers:
        span = f"{lever.least:.3f} to {lever.most:.3f} of {lever.rounds}"
        sys.stdout.write(f"{lever.cores:.3f} core ({span})  {lever.cores - before:+.3f}  {lever.name}\n")
        before = lever.cores


if __name__ == "__main__":
    main(sys.argv[1:])
