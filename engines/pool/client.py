"""The engine `ray-pool`: an encoder is asked of the pool of the Ray cluster, and computed here where there is none.

Two things may keep the pool from answering. It is gone, or cannot be reached: then this machine computes, and the pool
is asked again a while later. Or it has too much to do: then what waited too long is dropped, as in any batcher, and
whoever asked says that they could not be judged; computing it here as well would only bring this machine down too.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from engines.base import Arrays, Engine, EngineError, FloatArray, InputError, Manifest, ModelPack, check_inputs
from engines.batching.queue import Drop, Dropped
from engines.pool.standing import Standing
from engines.pool.wire import Answer, Tensor, packed, result
from engines.registry import find_engine, resolve

log = logging.getLogger(__name__)
LOCAL = "openvino"


class Gone(EngineError):  # noqa: N818 - a fact, which the caller mends
    """There is no pool, or it cannot be reached."""


class Pool(Protocol):
    """A pool as it is asked."""

    def serves(self) -> Mapping[str, str]:
        """Return the sha256 of each pack's model; raises `Gone`."""
        ...

    def run(self, pack: str, sha256: str, owner: str, tensors: tuple[Tensor, ...]) -> Answer:
        """Run one batch; raises `Gone`, or `TimeoutError` where it does not answer in time."""
        ...


class PooledEngine:
    """Runs a pack in the pool that `reach` finds, else in `local`; `reach` raises `Gone`. Thread-safe."""

    def __init__(
        self, pack: ModelPack, local: Engine, reach: Callable[[], Pool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._manifest, self._local, self._reach, self._clock = pack.manifest, local, reach, clock
        self._owner = f"{os.uname().nodename}-{os.getpid()}-{id(self)}"
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._standing = Standing()
        self._pool: Pool | None = None
        self._said: str | None = None

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack that this engine runs."""
        return self._manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`. Raises `Dropped` where the pool has too much to do."""
        check_inputs(self._manifest, inputs)
        pool = self._pool or self._look()
        if pool is None:
            return self._local.run(inputs)
        try:
            found = result(pool.run(self._manifest.name, self._manifest.sha256, self._owner, packed(inputs)))
        except TimeoutError:
            self._note(Standing.too_late)
            raise Dropped(Drop.DEADLINE) from None
        except Dropped:
            self._note(lambda standing, _now: standing.answered())
            raise
        except InputError:
            # Longer than it was compiled for: what is right here is computed here.
            return self._local.run(inputs)
        except EngineError as error:
            self._note(Standing.gone, f"is computed here: {error}")
            return self._local.run(inputs)
        self._note(lambda standing, _now: standing.answered(), "is asked of the pool")
        return found

    def warm_up(self) -> None:
        """Run once here, so that a pool that goes is no slow call."""
        self._local.warm_up()

    def _look(self) -> Pool | None:
        """Return the pool; None while it is left alone, or another thread looks for it, or where there is none."""
        if not self._standing.asks(self._clock()) or not self._looking.acquire(blocking=False):
            return None
        try:
            self._pool = pool = self._serving(self._reach())
        except Gone as error:
            self._note(Standing.gone, f"is computed here: {error}")
            return None
        finally:
            self._looking.release()
        return pool

    def _serving(self, pool: Pool) -> Pool:
        """Return a pool that serves this very model; raises `Gone`."""
        if pool.serves().get(self._manifest.name) != self._manifest.sha256:
            raise Gone("the pool does not serve this pack: give it the packs that hosts have")
        return pool

    def _note(self, change: Callable[[Standing, float], Standing], what: str | None = None) -> None:
        """Change how the pool stands, and say `what` follows where that is something else than was said last."""
        with self._lock:
            now = self._clock()
            self._standing = change(self._standing, now)
            if not self._standing.asks(now):
                self._pool = None
            is_new, self._said = what is not None and what != self._said, what or self._said
        if is_new:
            log.warning("%s %s", self._manifest.name, what)


def build_engine(pack: ModelPack) -> Engine:
    """Return a pack's engine, in the pool where that serves it; raises ImportError where Ray is not installed."""
    from engines.pool.on_ray import reach

    local: Engine = resolve(find_engine(LOCAL).build)(pack)
    return PooledEngine(pack, local, reach)
