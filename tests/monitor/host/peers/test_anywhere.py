"""What somebody does at one gateway about what is at another: confirm an action there, look after a drill there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.monitor.host.peers.site import BEARER, gateways
from tests.plugins.toy import installed
from tests.postgres import Server

AUTHORIZED = {"Authorization": f"Bearer {BEARER}"}
PLUGIN = '''
from pathlib import Path

from monitor.types import ActionKind
from plugins.base import Acting, PluginOptions, PluginSpec
from sidewitness_toy_plugin import Silence


class Options(PluginOptions):
    muted: str


class Obliging(Acting):
    """Brings Ada, and writes down whom it mutes."""

    def __init__(self, options):
        self.options = options

    @property
    def actions(self):
        return frozenset({ActionKind.MUTE})

    async def run(self, intake):
        admitted = await intake.admit("board", "ada", Silence())
        intake.connected()
        await admitted.wait()

    async def mute(self, call, participant):
        Path(self.options.muted).write_text(f"{call} {participant}")


SPEC = PluginSpec("obliging", Options, Obliging)
'''
POLICY = {"default": {"at_alert": {"actions": ["mute"]}}}


def install(folder: Path) -> None:
    """Write a plug-in as an installer would."""
    metadata = folder / "sidewitness_obliging-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "sidewitness_obliging.py").write_text(PLUGIN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: sidewitness-obliging\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[sidewitness.plugins]\nobliging = sidewitness_obliging:SPEC\n")


async def test_an_action_is_done_where_the_participant_came_in_wherever_it_is_confirmed(
    postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, site, muted = tmp_path / "gateways", tmp_path / "site", tmp_path / "muted"
    folder.mkdir()
    install(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    ways = [{"plugin": "obliging", "muted": str(muted)}]
    database = postgres_server.migrated_database()
    with installed(site, monkeypatch):
        await confirmed(folder, database, ways)
    assert muted.read_text() == "board ada"


async def confirmed(folder: Path, database: str, ways: list[dict[str, str]]) -> None:
    """Confirm at the gateway that has not brought her, and look after a drill at both."""
    async with gateways(folder, database, 2, sources=ways, policy=POLICY) as made:
        await made.until(lambda: all(g.kinds("finding", "ada") for g in made.gateways), "there is a finding")
        whys = [(await made.sources(one))[0]["why"] for one in made.gateways]
        other = made.gateways[whys.index("another gateway has it")]
        finding = other.kinds("finding", "ada")[0]
        [action] = finding["handling"]["actions"]
        address = f"{other.base}/v1/findings/{finding['id']}/actions/{action['id']}"
        done = await made.client.post(f"{address}/confirm", headers=AUTHORIZED)
        assert (done.status_code, done.json()["state"]) == (200, "done"), done.text
        # What is in progress at one is found by its id at each, and what is nowhere at none.
        begun = await made.client.post(f"{other.base}/v1/drills", headers=AUTHORIZED, json={"call": "board"})
        assert begun.status_code == 201, begun.text
        for gateway in made.gateways:
            seen = await made.client.get(gateway.base + begun.headers["location"], headers=AUTHORIZED)
            assert (seen.status_code, seen.json()["id"]) == (200, begun.json()["id"])
            unknown = await made.client.get(f"{gateway.base}/v1/enrolments/none", headers=AUTHORIZED)
            assert unknown.status_code == 404
