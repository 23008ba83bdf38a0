"""Gateways whose hosts are actors of one Ray cluster: one of them is killed, and another goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.monitor.host.cluster.test_fleet import check_whole
from tests.monitor.host.peers.site import gateways
from tests.postgres import Server

pytest.importorskip("ray", reason="the extra `cluster` is not installed")
MEMORY_BYTES = 80 << 20


@pytest.mark.long
async def test_a_gateway_on_ray_is_killed_and_another_goes_on(postgres_server: Server, tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster()
    try:
        # Room for one host of each, and for one to be begun anew before that of the dead one is gone.
        for more in ({"include_dashboard": False}, {}, {}):
            cluster.add_node(num_cpus=1, object_store_memory=MEMORY_BYTES, **more)
        database = postgres_server.migrated_database()
        async with gateways(tmp_path, database, 2, cluster=cluster.address) as made:
            assert (await made.publish(made.gateways[0], "ada")).status_code == 201
            await made.until(lambda: all(one.kinds("finding", "ada") for one in made.gateways), "she has findings")
            struck = made.gateways[(await made.judged()).index(1)]
            [other] = [one for one in made.gateways if one is not struck]
            await made.kill(struck)
            await made.until(lambda: other.kinds("unmonitored", "ada"), "it is told")
            seen = len(other.kinds("finding", "ada"))
            assert (await made.publish(other, "ada")).status_code == 201
            await made.until(lambda: len(other.kinds("finding", "ada")) > seen + 6, "she goes on")
            assert [one["action"] for one in other.kinds("unmonitored", "ada")] == ["began", "resumed"]
            await made.end(other)
            check_whole(made, "ada")
    finally:
        cluster.shutdown()
