"""The encoders of a pool, each behind a batcher: those who ask take turns, and nobody waits beyond half a second."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

from engines.base import MODELS, Engine, EngineError
from engines.batching.batcher import Batcher
from engines.batching.queue import BatchConfig, BatchLoad
from engines.pool.wire import Answer, Tensor, answered, refused, unpacked
from engines.registry import resolve

# Hosts that ask; of more the ones that have not asked for longest begin anew in the order of turns.
MAX_OWNERS = 1024
LOAD = "engines.load:load_engine"


class Encoders:
    """Packs that run in an engine of this machine, for any number of those who ask; all of it is thread-safe.

    Raises `EngineError` where a pack or the engine cannot be used. `patience` is for how many seconds a request may
    wait to be computed before it is dropped, `capacity` how many rows of a pack may.
    """

    def __init__(
        self,
        engine: str,
        packs: Sequence[str],
        models: str | None = None,
        patience: float = 0.5,
        capacity: int = 256,
    ) -> None:
        self._patience = patience
        load, folder = resolve(LOAD), Path(models) if models is not None else MODELS
        config = BatchConfig(max_delay=min(0.010, patience), patience=patience, capacity=capacity)
        self._batchers = {name: Batcher(load(name, engine, folder, wait=True), config) for name in packs}
        self._clients: OrderedDict[tuple[str, str], Engine] = OrderedDict()
        self._lock = threading.Lock()

    def serves(self) -> Mapping[str, str]:
        """Return the sha256 of each pack's model, by its name."""
        return {name: batcher.engine.manifest.sha256 for name, batcher in self._batchers.items()}

    def about(self) -> tuple[Mapping[str, str], float]:
        """Return what is served, and for how many seconds a request may wait."""
        return self.serves(), self._patience

    def run(self, pack: str, sha256: str, owner: str, tensors: tuple[Tensor, ...]) -> Answer:
        """Run one batch of rows of `owner` in a pack, whose model must be the one that they have."""
        if self.serves().get(pack) != sha256:
            return refused(EngineError(f"the pool does not serve this pack {pack}: give it the packs that hosts have"))
        try:
            return answered(self._client(pack, owner).run(unpacked(tensors)))
        except EngineError as error:
            return refused(error)

    def load(self) -> tuple[int, int, float, int]:
        """Return how many batches and rows were computed, how long they waited (p95, in seconds), and were dropped."""
        load = BatchLoad.join(batcher.load() for batcher in self._batchers.values())
        return load.batches, load.rows, load.wait_p95, load.dropped_total

    def close(self) -> None:
        """Compute nothing more; safe to call twice."""
        for batcher in self._batchers.values():
            batcher.close()

    def _client(self, pack: str, owner: str) -> Engine:
        with self._lock:
            client = self._clients.pop((pack, owner), None) or self._batchers[pack].client()
            self._clients[pack, owner] = client
            if len(self._clients) > MAX_OWNERS:
                self._clients.popitem(last=False)
        return client
