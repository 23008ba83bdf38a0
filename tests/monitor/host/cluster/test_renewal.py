"""Hosts of a running gateway are begun anew, as real processes: nobody is lost, nothing found twice, nobody accused."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx
import pytest

from monitor import cli
from monitor.api.server import address, listen
from monitor.config import Settings, SourceSettings
from monitor.host.calls import AtCapacity
from monitor.host.cluster.operating import FleetHosts
from monitor.serve import Surface
from tests.monitor.api.documents import OpenApi
from tests.monitor.host.cluster.site import PATIENCE, Site, site
from tests.monitor.host.cluster.test_fleet import check_whole
from tests.monitor.host.cluster.test_kill import stay

TOKEN = "a-token-for-the-tests"


def done(made: Site) -> list[int]:
    return list(made.fleet.renewal.rolling.done)


async def test_a_host_is_drained_in_mid_call_and_its_findings_go_on(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        ada, bob = await made.publish("ada"), await made.publish("bob", "other")
        hosts, number, pid = FleetHosts(made.fleet), made.seat_of("ada"), made.pid_of("ada")
        assert number is not None
        chosen = SourceSettings.model_validate({"plugin": "folder", "path": str(tmp_path / "nothing"), "call": "board"})
        ways = made.sidecar.components.ingest
        for _ in range(2):
            await ways.add(chosen)
        # While a finding of hers is open.
        await made.until(lambda: made.kinds("finding", "ada"), "there is a finding")
        await made.until(lambda: made.kinds("finding", "ada")[-1]["action"] == "updated", "it is open")
        assert not hosts.drain(2)
        assert hosts.drain(number)
        await made.until(lambda: ada.ended and made.kinds("unmonitored", "ada"), "she is let go, and it is told")
        told = made.kinds("unmonitored", "ada")
        assert [(one["action"], one["reason"]) for one in told] == [("began", "host_drained")]
        await made.until(lambda: made.kinds("state", "ada")[-1]["reason"] == "host_drained", "it is said why")
        again = await made.publish("ada")
        assert made.seat_of("ada") == 1 - number
        await made.until(lambda: len(made.kinds("unmonitored", "ada")) == 2, "she is watched again")
        await made.until(lambda: done(made) == [number], "the host is begun anew")
        [row] = [one for one in hosts.describe()["hosts"] if one["host"] == number]
        assert (row["phase"], row["starts"], row["why"], row["node"]) == ("ready", 2, None, None)
        assert made.fleet.hosts[number].pid != pid
        assert not bob.ended
        assert made.kinds("unmonitored", "bob") == []
        # Both ways in are somewhere.
        await made.until(lambda: all(one["why"] != "no host is ready" for one in ways.describe()), "they are placed")
        before = len(made.kinds("finding", "ada"))
        await made.until(lambda: len(made.kinds("finding", "ada")) > before + 3, "findings go on")
        assert not again.ended
        await made.fleet.drain()
        await made.sidecar.components.recorder.close()
        check_whole(made, "ada", "bob")


@pytest.mark.long
async def test_a_host_that_hangs_is_begun_anew_all_the_same(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        await made.publish("ada")
        await made.until(lambda: made.kinds("finding", "ada"), "there is a finding")
        number, pid = made.seat_of("ada"), made.pid_of("ada")
        assert number is not None
        assert pid is not None
        host = made.fleet.hosts[number]
        os.kill(pid, signal.SIGSTOP)
        made.fleet.renewal.ask([number])
        await made.until(lambda: host.leaving, "it is let go")
        # Until it is gone nobody judges her, and nobody else can.
        with pytest.raises(AtCapacity, match="publish again in a moment"):
            await made.publish("ada")
        await made.until(lambda: made.pid_of("ada") is None, "it is ended")
        await made.publish("ada")
        await made.until(lambda: done(made) == [number], "the host is begun anew")
        assert host.starts == 2
        await made.fleet.drain()
        await made.sidecar.components.recorder.close()
        check_whole(made, "ada")
        assert {one["reason"] for one in made.kinds("unmonitored", "ada")} == {"host_drained"}


@asynccontextmanager
async def served(made: Site, folder: Path) -> AsyncIterator[str]:
    """The HTTP surface of a gateway."""
    surface, ready = Surface(made.sidecar, Settings(state_dir=folder), TOKEN), asyncio.Event()
    with closing(listen("127.0.0.1", 0)) as listener:
        server = surface.server(ready.set)
        serving = asyncio.create_task(server.serve([listener]))
        await asyncio.wait_for(ready.wait(), PATIENCE)
        try:
            yield address(listener)
        finally:
            server.should_exit = True
            await asyncio.wait_for(serving, PATIENCE)


async def test_an_admin_has_all_hosts_begun_anew_while_calls_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIDEWITNESS_TOKEN", TOKEN)
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path))
    async with site(tmp_path, max_participants=8) as made:
        people, over = [f"p{number}" for number in range(4)], asyncio.Event()
        tasks = [asyncio.create_task(stay(made, who, over)) for who in people]
        await made.until(lambda: all(made.kinds("finding", who) for who in people), "everybody has findings")
        pids = {host.pid for host in made.fleet.hosts}
        async with served(made, tmp_path) as base:
            bearer = {"Authorization": f"Bearer {TOKEN}"}
            assert await asyncio.to_thread(cli.run, ["hosts", "roll", "--url", base]) == 0
            lines = capsys.readouterr().out.splitlines()
            assert [line for line in lines if "draining" in line or "starting" in line]
            assert pids.isdisjoint({host.pid for host in made.fleet.hosts})
            assert made.fleet.renewal.describe() == {"now": None, "waiting": [], "done": [0, 1], "why": None}
            assert await asyncio.to_thread(cli.run, ["hosts", "list", "--url", base]) == 0
            assert capsys.readouterr().out.count("ready") == 2
            assert await asyncio.to_thread(cli.run, ["hosts", "drain", "2", "--url", base]) == 1
            assert "404: there is no such host" in capsys.readouterr().err
            async with httpx.AsyncClient(base_url=base, headers=bearer, timeout=PATIENCE) as client:
                for method, path in (
                    ("GET", "/v1/hosts"),
                    ("POST", "/v1/hosts/{host}/drain"),
                    ("POST", "/v1/hosts/roll"),
                ):
                    answer = await client.request(method, path.format(host=1))
                    body, code = answer.json(), answer.status_code
                    assert OpenApi().answer_problems(method, path, code, "application/json", body) == []
                    assert len(body["hosts"]) == 2
            over.set()
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
        await made.sidecar.components.recorder.close()
        check_whole(made, *people)
        for who in people:
            assert {one["reason"] for one in made.kinds("unmonitored", who)} == {"host_drained"}
