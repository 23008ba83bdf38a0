"""A real Ray cluster on this machine: hosts on its nodes, a node that is killed under a call, a pool of encoders."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.base import MODELS, EngineError
from engines.checks.parity import distance, seeded
from engines.load import load_engine
from engines.packs import load_pack
from engines.pool.client import build_engine
from monitor.config import ConfigError, Settings, SourceSettings
from monitor.host.calls import AtCapacity, HostsAlive
from monitor.host.cluster.far_host import FarHost
from monitor.host.cluster.host_process import JUDGING
from monitor.host.cluster.host_settings import THREADS
from tests.monitor.host.cluster.site import PATIENCE, TOY, Site, site
from tests.monitor.host.cluster.test_fleet import check_whole

ray = pytest.importorskip("ray", reason="the extra `cluster` is not installed")
ROOT = Path(__file__).parents[4]
MEMORY_BYTES = 80 << 20


# First: whoever has joined one cluster joins no other.
def test_where_there_is_no_cluster_that_is_a_line(tmp_path: Path) -> None:
    from monitor.host.cluster.gateway import begins

    with pytest.raises(ConfigError, match="setting 'cluster': there is no Ray cluster at localhost:9 "):
        begins(Settings(state_dir=tmp_path, cluster="localhost:9"))


def begin(cluster: Any, **how: Any) -> None:
    """Begin a node; once more where it is late: Ray gives it 30 s, which busy machines may not keep."""
    try:
        cluster.add_node(num_cpus=1, object_store_memory=MEMORY_BYTES, **how)
    except Exception as error:
        if "timed out" not in str(error):
            raise
        cluster.add_node(num_cpus=1, object_store_memory=MEMORY_BYTES, **how)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head and two nodes with room for one host each: one more than has a host."""
    from ray.cluster_utils import Cluster

    made: Any = Cluster()
    begin(made, include_dashboard=False)
    for _ in range(2):
        begin(made, wait=False)
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


def node_of(host: FarHost) -> str:
    """The node that a host is on."""
    assert host.running is not None
    return str(host.running.node)


async def stay(made: Site, participant: str, over: asyncio.Event) -> None:
    """Publish, and publish again whenever that ends."""
    while not over.is_set():
        try:
            await (await made.publish(participant, call=f"call-{participant}")).wait()
        except AtCapacity:
            made.changed.clear()
            await made.changed.wait()


async def test_a_node_is_killed_and_its_participants_go_on_elsewhere(cluster: Any, tmp_path: Path) -> None:
    from monitor.host.cluster.ray_hosts import ray_actors

    env = {"PYTHONPATH": str(ROOT), **dict.fromkeys(THREADS, "1")}
    launch = ray_actors(cluster.address, TOY, env)
    async with site(tmp_path, hosts=2, launch=launch) as made:
        nodes = [node_of(host) for host in made.fleet.hosts]
        assert len(set(nodes)) == 2
        people, over = [f"p{number}" for number in range(4)], asyncio.Event()
        tasks = [asyncio.create_task(stay(made, who, over)) for who in people]
        await made.until(lambda: all(made.kinds("finding", who) for who in people), "everybody has findings")
        assert {made.seat_of(who, f"call-{who}") for who in people} == {0, 1}
        # The head, without which there is no cluster, has a host or the room for one.
        killed = next(node for node in cluster.worker_nodes if node.node_id in nodes)
        struck = nodes.index(killed.node_id)
        lost = [who for who in people if made.seat_of(who, f"call-{who}") == struck]
        await asyncio.to_thread(cluster.remove_node, killed, allow_graceful=False)
        await made.until(lambda: made.fleet.alive == HostsAlive(1, 2), "it is noticed")
        # Its messages come after it is noticed, and who has gone on by then has two of them.
        await made.until(lambda: all(made.kinds("unmonitored", who) for who in lost), "whom it had is told of")
        assert {made.kinds("unmonitored", who)[0]["reason"] for who in lost} == {"host_lost"}
        await made.until(lambda: all(len(made.kinds("unmonitored", who)) == 2 for who in lost), "they go on")
        await made.until(lambda: made.fleet.alive == HostsAlive(2, 2), "it is begun on another node")
        assert node_of(made.fleet.hosts[struck]) not in nodes
        over.set()
        await made.fleet.drain()
        await asyncio.gather(*tasks)
        await made.sidecar.components.recorder.close()
        check_whole(made, *people)
    # For whoever comes next: nothing is placed on a node that is known to be dead.
    await asyncio.to_thread(cluster.wait_for_nodes, PATIENCE)


VOICE = "speech_voice"
# To compile them, and to hear and see somebody for as long as a window.
SECONDS_FOR_MODELS = 180.0


class Asking:
    """A process of the cluster that asks its pool, in a thread as a host's sessions do."""

    def __init__(self) -> None:
        self._engine: Any = build_engine(load_pack(MODELS / VOICE))

    async def numbers(self, seed: int) -> Any:
        """Compute a batch; also say whether the pool did."""
        inputs = seeded(self._engine.manifest, 2, seed)
        found = await asyncio.to_thread(self._engine.run, inputs)
        return found, self._engine._pool is not None


def test_a_pool_computes_what_hosts_would_and_they_do_it_where_it_is_gone(cluster: Any) -> None:
    from engines.pool.on_ray import pool

    with pytest.raises(EngineError, match="another one than ray-pool"), pool(cluster.address, "ray-pool", [VOICE], 0.0):
        pass
    local = load_engine(VOICE, "onnx", wait=True)
    expected = [local.run(seeded(local.manifest, 2, seed)) for seed in range(12)]
    with pool(cluster.address, "onnx", [VOICE], 0.0, patience=PATIENCE) as asked:
        with pytest.raises(EngineError, match="has a pool already"), pool(cluster.address, "onnx", [VOICE], 0.0):
            pass
        remote: Any = ray.remote(Asking)
        options = {"num_cpus": 0, "max_concurrency": 16, "runtime_env": {"env_vars": {"PYTHONPATH": str(ROOT)}}}
        asking = remote.options(**options).remote()
        # On a busy machine it may be looked for more than once.
        until = time.monotonic() + PATIENCE
        while not ray.get(asking.numbers.remote(0), timeout=PATIENCE)[1]:
            assert time.monotonic() < until
        found = ray.get([asking.numbers.remote(seed) for seed in range(12)], timeout=PATIENCE)
        assert [is_pooled for _, is_pooled in found] == [True] * 12
        for (outputs, _), wanted in zip(found, expected, strict=True):
            assert max(distance(wanted[name], outputs[name]) for name in wanted) < 1e-5
        batches, rows, _, dropped = asked.load()
        assert (rows, dropped) == (26, 0)
        assert batches <= 13
    outputs, is_pooled = ray.get(asking.numbers.remote(3), timeout=PATIENCE)
    assert not is_pooled
    # By OpenVINO now, which differs from ONNX Runtime as the parity of engines allows.
    assert max(distance(expected[3][name], outputs[name]) for name in expected[3]) < 1e-3
    ray.kill(asking)


def scored(made: Site) -> list[dict[str, Any]]:
    return [
        one["scores"]["synchrony"]
        for one in made.told
        if one["type"] == "state" and one["scores"].get("synchrony", {}).get("score") is not None
    ]


@pytest.mark.long
async def test_a_recorded_person_is_judged_on_a_node_by_encoders_of_the_pool(
    cluster: Any, data_dir: Path, tmp_path: Path
) -> None:
    from engines.pool.on_ray import pool
    from monitor.host.cluster.ray_hosts import ray_actors

    clips, state = tmp_path / "clips", tmp_path / "state"
    clips.mkdir()
    state.mkdir()
    shutil.copy(data_dir / "clips/real/MimicTalk__German_20s.mp4", clips / "somebody.mp4")
    chosen = SourceSettings.model_validate({"plugin": "folder", "path": str(clips), "call": "board", "loop": True})
    launch = ray_actors(cluster.address, JUDGING, {"PYTHONPATH": str(ROOT), **dict.fromkeys(THREADS, "1")})
    with pool(cluster.address, "onnx", [VOICE, "speech_lips"], 0.0) as asked:
        async with site(state, hosts=1, launch=launch, engine="ray-pool", hop_seconds=0.5) as made:
            await made.sidecar.components.ingest.add(chosen)
            await made.until(lambda: len(scored(made)) >= 3, "there are scores", SECONDS_FOR_MODELS)
            batches, rows, _, _ = await asyncio.to_thread(asked.load)
            assert rows >= batches > 0
