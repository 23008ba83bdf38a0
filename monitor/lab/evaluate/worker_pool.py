"""Clips scored in parallel, resumably: a pool of processes, each with its engines loaded once and one thread.

Every finished clip is appended to the file of outcomes before the next is waited for; what is found there is not
scored again.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from engines.errors import SidewitnessError
from monitor.face.coefficients import CoefficientsError
from monitor.lab.corpus.manifest import FEATURES_VERSION, Row, cached_features, workers_here
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.lab.evaluate.clip_detector import ClipDetector, Job
from monitor.lab.evaluate.outcomes import Outcome, OutcomeLog
from monitor.lab.evaluate.registry import SynchronyClips, SynchronyScorer, judge, trim, unusable
from monitor.lab.evaluate.voice_mismatch import EncodedClip
from monitor.lab.metrics.summary import Result
from monitor.tap.media.digest import digest
from monitor.tap.media.source import SourceError

UNREADABLE = "unreadable"
THREADS = "OMP_NUM_THREADS"
# Called once for each finished clip, with a line to show where something is wrong with it.
Tick = Callable[[str | None], None]


class WorkerError(SidewitnessError):
    """The processes that score cannot go on; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Where analysed clips and finished outcomes are kept, and how many processes work."""

    cache: Path
    partial: Path
    workers: int = field(default_factory=workers_here)


@dataclass(frozen=True, slots=True)
class Done:
    """What a worker says of one clip: an outcome for each detector by key, None where it was known before."""

    outcomes: tuple[tuple[str, Outcome | None], ...]
    note: str | None = None


def score_clips(
    jobs: Sequence[Job], detectors: Sequence[ClipDetector], effort: WorkerOptions, tick: Tick
) -> list[Result]:
    """Score every job by every detector: results in the order of the jobs, then of the detectors.

    Raises `EngineError` when packs cannot be loaded and `WorkerError` when a worker dies. A clip that cannot be read is
    a result with the reason `unreadable`.
    """
    results: list[list[Result]] = [[] for _ in jobs]
    with OutcomeLog(effort.partial) as partial, worker_pool(effort.workers, frozenset(partial.outcomes)) as pool:
        task = _Task(tuple(detectors), tuple(detector.key for detector in detectors), effort.cache)
        waiting = {pool.submit(task, job): n for n, job in enumerate(jobs)}
        for future in as_completed(waiting):
            done, n = future.result(), waiting[future]
            for detector, (key, outcome) in zip(detectors, done.outcomes, strict=True):
                if outcome is not None and key:
                    partial.add(key, outcome, _description(jobs[n], detector))
                results[n].append(_result(jobs[n], detector, outcome or partial.outcomes[key]))
            tick(done.note)
    return [result for group in results for result in group]


def encode_clips(rows: Sequence[Row], packs: Path, effort: WorkerOptions, tick: Tick) -> list[EncodedClip]:
    """Vectors of lips and voice of every clip that one speaking person can be seen in, leading silence dropped."""
    clips = encode_jobs([Job(row) for row in rows], packs, effort, tick)
    return [encoded for encoded in clips if encoded is not None]


def encode_jobs(
    jobs: Iterable[Job], packs: Path, effort: WorkerOptions, tick: Tick
) -> Generator[EncodedClip | None, None, None]:
    """Vectors of each job's clip in the order of the jobs, as `encode_clips` gives them; None where there are none."""
    with worker_pool(effort.workers) as pool:
        waiting = deque(pool.submit(encode_job, job, packs, effort.cache) for job in jobs)
        while waiting:
            encoded = waiting.popleft().result()
            tick(None)
            yield encoded


@dataclass(frozen=True, slots=True)
class _Task:
    """What is done to each job, in a worker."""

    detectors: tuple[ClipDetector, ...]
    keys: tuple[str, ...]
    cache: Path

    def __call__(self, job: Job) -> Done:
        row = job.row
        try:
            content = digest(row.path, row.sound)
            keys = [_key(content, job, key) for key in self.keys]
        except OSError as error:
            # Not kept: the file may be there the next time.
            return Done((("", Outcome(None, UNREADABLE)),) * len(self.keys), f"{row.name}: {error.strerror}")
        if _finished_keys.issuperset(keys):
            return Done(tuple((key, None) for key in keys))
        try:
            specs = [detector.input_spec for detector in self.detectors]
            files = [cached_features(row.path, row.sound, content, self.cache, job.change, spec) for spec in specs]
        except SourceError as error:
            return Done(tuple((key, Outcome(None, UNREADABLE)) for key in keys), str(error))
        # Detectors mostly take the same features: a file is read once.
        features = {file: ClipFeatures.load(file) for file in files}
        notes: list[str] = []
        judged = zip(files, self.detectors, keys, strict=True)
        outcomes = tuple((key, self._judged(job, features[file], d, key, notes)) for file, d, key in judged)
        return Done(outcomes, notes[0] if notes else None)

    def _judged(
        self, job: Job, features: ClipFeatures, detector: ClipDetector, key: str, notes: list[str]
    ) -> Outcome | None:
        if key in _finished_keys:
            return None
        try:
            return judge(job, features, detector)
        except (SourceError, CoefficientsError) as error:
            # Detectors read what features do not hold, and the clips of the person that is claimed.
            notes.append(f"{job.row.name}: {error}")
            return Outcome(None, UNREADABLE)


def encode_job(job: Job, packs: Path, cache: Path) -> EncodedClip | None:
    """Vectors of one clip, leading silence dropped; None where no one speaking person can be seen. In a worker."""
    row = job.row
    try:
        input_spec = SynchronyClips(packs).input_spec
        file = cached_features(row.path, row.sound, digest(row.path, row.sound), cache, job.change, input_spec)
    except (OSError, SourceError):
        return None
    features, _ = trim(ClipFeatures.load(file))
    return None if unusable(features) else _scorer(packs).encode(row, features)


@cache
def _scorer(packs: Path) -> SynchronyScorer:
    return SynchronyClips(packs).load()


def _key(content: str, job: Job, detector: str) -> str:
    references = [_reference(clip) for clip in job.row.reference]
    identity = "/".join([content, *references, str(FEATURES_VERSION), job.change.name if job.change else "", detector])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


@cache
def _reference(clip: Path) -> str:
    # The same few clips stand behind all clips of a person: each is read once.
    return digest(clip)


def _description(job: Job, detector: ClipDetector) -> dict[str, str]:
    change = {"change": job.change.name} if job.change else {}
    return {"path": job.row.name, "detector": detector.name, **change}


def _result(job: Job, detector: ClipDetector, outcome: Outcome) -> Result:
    row = job.row
    return Result(row.name, row.label, row.method, row.subject, detector=detector.name, **asdict(outcome))


# Keys of the outcomes that need no work, in a worker.
_finished_keys: frozenset[str] = frozenset()


def _start(finished: frozenset[str]) -> None:
    """Prepare a worker: it knows what is done, leaves interrupts to its parent and ends with it."""
    global _finished_keys
    _finished_keys = finished
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    # A killed parent closes no queue: without this its workers would wait for ever.
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def worker_pool(workers: int, finished: frozenset[str] = frozenset()) -> Iterator[ProcessPoolExecutor]:
    """Hold processes that end with this one; `finished` are keys of outcomes that need no work."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"
    # Spawned, not forked: the engines and progress bars of this process have threads, which a fork would cut off.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (finished,))
    try:
        yield pool
    except BrokenProcessPool:
        raise WorkerError(
            "a worker died, perhaps of too little memory: run the same command again, with fewer --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
        os.environ.pop(THREADS) if before is None else os.environ.update({THREADS: before})
