"""Hosts on the nodes of a real Ray cluster on this machine: judged there, and judged elsewhere when a node is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.config import ConfigError, Settings
from monitor.host.calls import AtCapacity, HostsAlive
from monitor.host.cluster.far_host import FarHost
from monitor.host.cluster.host_settings import THREADS
from tests.monitor.host.cluster.site import TOY, Site, site
from tests.monitor.host.cluster.test_fleet import check_whole, episodes

ray = pytest.importorskip("ray", reason="the extra `cluster` is not installed")
ROOT = Path(__file__).parents[4]
NODES, MEMORY_BYTES = 3, 80 << 20


# First: whoever has joined one cluster joins no other.
def test_where_there_is_no_cluster_that_is_a_line(tmp_path: Path) -> None:
    from monitor.host.cluster.gateway import begins

    with pytest.raises(ConfigError, match="setting 'cluster': there is no Ray cluster at localhost:9 "):
        begins(Settings(state_dir=tmp_path, cluster="localhost:9"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without room for hosts, and nodes with room for one each."""
    from ray.cluster_utils import Cluster

    node = {"include_dashboard": False, "object_store_memory": MEMORY_BYTES}
    untyped: Any = Cluster
    made = untyped(initialize_head=True, head_node_args={"num_cpus": 0, **node})
    for _ in range(NODES):
        made.add_node(num_cpus=1, object_store_memory=MEMORY_BYTES)
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
        killed = next(node for node in cluster.worker_nodes if node.node_id == nodes[0])
        await asyncio.to_thread(cluster.remove_node, killed, allow_graceful=False)
        await made.until(lambda: made.fleet.alive == HostsAlive(1, 2), "it is noticed")
        lost = [who for who in people if made.kinds("unmonitored", who)]
        assert lost
        assert {made.kinds("unmonitored", who)[0]["reason"] for who in lost} == {"host_lost"}
        await made.until(lambda: all(len(made.kinds("unmonitored", who)) == 2 for who in lost), "they go on")
        await made.until(lambda: made.fleet.alive == HostsAlive(2, 2), "it is begun on another node")
        assert node_of(made.fleet.hosts[0]) not in nodes
        over.set()
        await made.fleet.drain()
        await asyncio.gather(*tasks)
        await made.sidecar.components.recorder.close()
        check_whole(made)
        for who in people:
            found = episodes(made, who)
            assert found == list(range(len(found)))
