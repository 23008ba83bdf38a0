"""The models of all participants of a process, computed together: every engine behind a batcher, a client for each.

What a participant is given are `Models` like any others; that others share the engines is seen in nothing but time.
"""

from __future__ import annotations

import threading

from engines.base import Engine
from engines.batching.batcher import Batcher
from engines.batching.queue import BatchConfig, BatchLoad
from monitor.session.models import Models


class BatchedModels:
    """The engines of `models`, each behind a batcher of its own; `close` it when every session has ended."""

    def __init__(self, models: Models, config: BatchConfig | None = None) -> None:
        self._models, self._config = models, config or BatchConfig()
        self._lock = threading.Lock()
        self._batchers: dict[int, Batcher] = {}

    def models(self) -> Models:
        """Make the models of one participant: the same engines, each through a client of this participant's own."""
        return self._models.through(self._client)

    def load(self) -> BatchLoad:
        """Say how all the batchers are doing, as one."""
        with self._lock:
            batchers = list(self._batchers.values())
        return BatchLoad.join(batcher.load() for batcher in batchers)

    def close(self) -> None:
        """Let go of what waits, and of the threads; safe to call twice."""
        with self._lock:
            batchers = list(self._batchers.values())
        for batcher in batchers:
            batcher.close()

    def _client(self, engine: Engine) -> Engine:
        with self._lock:
            batcher = self._batchers.get(id(engine))
            if batcher is None:
                batcher = self._batchers[id(engine)] = Batcher(engine, self._config)
        return batcher.client()
