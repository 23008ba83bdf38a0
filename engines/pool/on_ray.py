"""A pool as an actor of a Ray cluster: begun there, found there by its name, and asked. Needs the extra `cluster`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, PendingCallsLimitExceeded, RayError

from engines.base import EngineError
from engines.batching.queue import Drop, Dropped
from engines.pool.client import LOCAL, Gone
from engines.pool.encoders import Encoders
from engines.pool.wire import Answer, Tensor, refused

ENGINE = "ray-pool"
NAMESPACE, NAME = "sidewitness", "sidewitness-encoders"
# For the way there and back, and for computing, besides what a request may wait in the pool.
WAY_SECONDS = 0.5
# An engine is compiled before the pool answers.
BEGIN_SECONDS = 600.0
# At the same time, in all; and of one host, beyond which it is not asked.
CALLS, CALLS_EACH = 256, 64


class Asked:
    """The pool of the cluster that this process is in."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._seconds = WAY_SECONDS

    def serves(self) -> Mapping[str, str]:
        """Return what it serves; raises `Gone`."""
        try:
            serves: Mapping[str, str]
            serves, patience = ray.get(self._actor.about.remote(), timeout=WAY_SECONDS)
        except (RayError, TimeoutError) as error:
            raise Gone(f"the pool is gone ({type(error).__name__})") from None
        self._seconds = WAY_SECONDS + patience
        return serves

    def run(self, pack: str, sha256: str, owner: str, tensors: tuple[Tensor, ...]) -> Answer:
        """Run one batch; raises `Gone` or `TimeoutError`."""
        try:
            answer: Answer = ray.get(self._actor.run.remote(pack, sha256, owner, tensors), timeout=self._seconds)
        except GetTimeoutError:
            raise TimeoutError from None
        except PendingCallsLimitExceeded:
            return refused(Dropped(Drop.QUEUE_FULL))
        except RayError as error:
            raise Gone(f"the pool is gone ({type(error).__name__})") from None
        return answer

    def load(self) -> tuple[int, int, float, int]:
        """Return how it is doing, as `Encoders.load` does; raises `Gone`."""
        try:
            found: tuple[int, int, float, int] = ray.get(self._actor.load.remote(), timeout=BEGIN_SECONDS)
        except (RayError, TimeoutError) as error:
            raise Gone(f"the pool is gone ({type(error).__name__})") from None
        return found


def probe() -> str:
    """Say what this engine does here; whether there is a pool is known in a cluster only."""
    return f"asks the pool of a Ray cluster (ray {ray.__version__}), and computes in {LOCAL} where there is none"


def reach() -> Asked:
    """Find the pool of the cluster that this process is in; raises `Gone` where there is none."""
    if not ray.is_initialized():
        raise Gone("this process is in no Ray cluster: see the setting cluster")
    try:
        return Asked(ray.get_actor(NAME, namespace=NAMESPACE))
    except (ValueError, RayError) as error:
        raise Gone(f"the cluster has no pool ({type(error).__name__}): `sidewitness engines pool` begins one") from None


@contextlib.contextmanager
def pool(
    address: str, engine: str, packs: Sequence[str], gpus: float, models: str | None = None, **config: Any
) -> Iterator[Asked]:
    """Have a pool in a cluster while the context is open; raises `EngineError` where it cannot be."""
    if engine == ENGINE:
        raise EngineError(f"a pool computes with an engine of its machine: choose another one than {ENGINE}")
    try:
        if not ray.is_initialized():
            ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError) as error:
        why = f"there is no Ray cluster at {address} ({type(error).__name__}): start one with `ray start --head`"
        raise EngineError(why) from None
    options = {
        "name": NAME,
        "namespace": NAMESPACE,
        "num_cpus": 1,
        "num_gpus": gpus,
        "max_restarts": 0,
        "max_concurrency": CALLS,
        "max_pending_calls": CALLS_EACH,
    }
    remote: Any = ray.remote(Encoders)
    try:
        actor = remote.options(**options).remote(engine, list(packs), models, **config)
    except ValueError:
        raise EngineError("the cluster has a pool already: end it first") from None
    try:
        try:
            ray.get(actor.about.remote(), timeout=BEGIN_SECONDS)
        except RayError as error:
            raise EngineError(f"the pool cannot be begun: {_reason(error)}") from None
        yield Asked(actor)
    finally:
        ray.kill(actor)


def _reason(error: RayError) -> str:
    """Return the last line of what an actor says that could not be made: its own error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
