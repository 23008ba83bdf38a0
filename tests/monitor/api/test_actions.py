"""Actions, verifications, the policy and drills over HTTP: who may, once, in time; and a link that does nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio

from monitor.cli.drill import follow
from monitor.cli.policy import explained
from monitor.cli.sources import Server
from monitor.host.calls import ActionStatus
from monitor.types import ActionKind
from tests.monitor.alerts.policy.build import policy_of
from tests.monitor.alerts.sinks.build import MemorySink, named
from tests.monitor.api.documents import OpenApi
from tests.monitor.api.server import PATIENCE, TOKEN, WHIP, Site, receive, serving
from tests.monitor.host.test_policing import Room
from tests.monitor.rig import OPEN, block

SDP = {"Content-Type": "application/sdp"}
POLICY = policy_of(
    {"name": "board", "calls": ["board"], "at_alert": {"notify": ["soc"], "actions": ["mute", "ask_to_verify"]}},
    default={"at_alert": {"notify": []}},
    link_base="https://sidewitness.example",
)
ACTION = "/v1/findings/{finding}/actions/{action}"


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(
        tmp_path, sinks=[named(MemorySink(), "soc"), named(MemorySink(), "pager")], policy=POLICY
    ) as made:
        made.components.policing.acts_by(Room())
        yield made


def check(method: str, path: str, response: httpx.Response) -> Any:
    media_type = response.headers["content-type"].partition(";")[0]
    assert OpenApi().answer_problems(method, path, response.status_code, media_type, response.json()) == []
    return response.json()


async def alert(site: Site) -> dict[str, str]:
    """Have somebody raise an alert; the addresses of what follows from it, by the name of the action."""
    async with site.client() as admin, site.subscribe() as socket, asyncio.timeout(PATIENCE):
        await receive(socket)
        await admin.post(WHIP, content=b"v=0", headers=SDP)
        site.peers.made[-1].put(block(OPEN))
        while (message := await receive(socket))["type"] != "finding":
            pass
        asked = {one["action"]: one for one in message["handling"]["actions"]}
        assert {one["link"] for one in asked.values()} == {
            f"https://sidewitness.example/action#{message['id']}/{one['id']}" for one in asked.values()
        }
        found = {name: f"/v1/findings/{message['id']}/actions/{one['id']}" for name, one in asked.items()}
        for path in found.values():
            while (await admin.get(path)).status_code == 404:
                await site.components.desk.of(message["id"])
        return found


async def test_an_action_is_confirmed_once_by_whoever_may(site: Site) -> None:
    path = (await alert(site))["mute"]
    async with site.client(headers=site.bearer("analyst", "ann")) as ann:
        for _ in range(2):
            told = check("GET", ACTION, await ann.get(path))
        assert (told["state"], told["call"], told["groups"], told["challenge"]) == (
            "proposed",
            "board",
            ["board"],
            None,
        )
        for role in ("viewer", "publisher", "enroller", "approver"):
            bearer = site.bearer(role, call="board" if role == "publisher" else None)
            assert (await ann.post(f"{path}/confirm", headers=bearer)).status_code == 403
        async with httpx.AsyncClient(base_url=site.base) as stranger:
            assert (await stranger.post(f"{path}/confirm")).status_code == 401
        # A link is opened by mail scanners and previews: it must not be what confirms.
        assert (await ann.get(f"{path}/confirm")).status_code == 405
        done = check("POST", ACTION + "/confirm", await ann.post(f"{path}/confirm"))
        assert (done["state"], done["confirmed_by"]) == ("done", "ann")
        for answer in ("confirm", "refuse"):
            again = await ann.post(f"{path}/{answer}")
            assert (again.status_code, check("POST", f"{ACTION}/{answer}", again)["status"]) == (409, 409)
        assert (await ann.post(f"{path}0/confirm")).status_code == 404
        case = (await ann.get(path.partition("/actions/")[0])).json()["case"]
    room = site.components.policing._actions
    assert isinstance(room, Room)
    assert room.asked == [("board", "p1", ActionKind.MUTE)]
    assert {(one["action"], one["state"]) for one in case["actions"]} == {("mute", "done"), ("ask_to_verify", "done")}


async def test_what_is_refused_or_fails_is_said(site: Site) -> None:
    path = (await alert(site))["mute"]
    async with site.client(headers=site.bearer("analyst", "ann")) as ann:
        assert check("POST", ACTION + "/refuse", await ann.post(f"{path}/refuse"))["state"] == "refused"
    site.components.policing.acts_by(Room(ActionStatus.NOT_HERE))
    site.peers.made.clear()
    async with site.client() as admin:
        await admin.delete(WHIP)


async def test_a_verification_is_carried_out_by_somebody_and_timed(site: Site) -> None:
    path = (await alert(site))["ask_to_verify"]
    finding, _, challenge = path.removeprefix("/v1/findings/").partition("/actions/")
    async with site.client(headers=site.bearer("analyst", "ann")) as ann:
        # It is noted first, and then carried out.
        async with asyncio.timeout(PATIENCE):
            while (told := (await ann.get(path)).json())["challenge"] is None:
                pass
        assert (len(told["challenge"]["words"]), told["challenge"]["outcome"]) == (4, None)
        answers = f"/v1/findings/{finding}/challenges/{challenge}"
        assert (await ann.post(answers, json={"outcome": "perhaps"})).status_code == 422
        assert (await ann.post(answers + "0", json={"outcome": "passed"})).status_code == 404
        done = check(
            "POST", "/v1/findings/{finding}/challenges/{challenge}", await ann.post(answers, json={"outcome": "failed"})
        )
        assert (done["challenge"]["outcome"], done["challenge"]["answered_by"]) == ("failed", "ann")
        assert done["challenge"]["seconds"] >= 0.0
        assert (await ann.post(answers, json={"outcome": "passed"})).status_code == 409


async def test_what_the_policy_would_do_is_explained(site: Site) -> None:
    path = "/v1/calls/{call}/participants/{participant}/policy"
    await alert(site)
    async with site.client() as admin:
        told = check("GET", path, await admin.get(path.format(call="board", participant="p1")))
        assert [group["name"] for group in told["groups"]] == ["board"]
        assert (await admin.get(path.format(call="board", participant="nobody"))).status_code == 404
    server = Server(site.base, TOKEN)
    lines = list(explained(await asyncio.to_thread(server.policy, "board", "p1")))
    assert lines[1] == "  in the group board: the call is named"
    assert "  at finding: soc told; mute (after confirmation); ask to verify (at once)" in lines


async def test_a_drill_says_how_long_each_sink_took_and_does_nothing(site: Site) -> None:
    server = Server(site.base, TOKEN)

    def drill() -> dict[str, Any]:
        return follow(server, "board", None, PATIENCE, lambda _seconds: None, lambda: 0.0)

    told = await asyncio.wait_for(asyncio.to_thread(drill), PATIENCE)
    assert (told["groups"], [one["sink"] for one in told["sinks"]]) == (["board"], ["soc"])
    assert told["sinks"][0]["seconds"] >= 0.0
    async with site.client() as admin, asyncio.timeout(PATIENCE):
        while len(found := (await admin.get("/v1/findings?view=changes")).json()["findings"]) < 2:
            pass
        assert [(one["drill"], one["action"]) for one in found] == [(True, "opened"), (True, "closed")]
        path = f"/v1/findings/{told['id']}/actions/{told['actions'][0]['id']}"
        while (await admin.get(path)).status_code == 404:
            pass
        # Practised to the end, and nothing is done.
        assert (await admin.post(f"{path}/confirm")).json()["why"] == "dry run: not done"
        label = {"event": "labelled", "label": "true"}
        assert (await admin.post(f"/v1/findings/{told['id']}/events", json=label)).status_code == 422
        assert check("GET", "/v1/drills/{drill}", await admin.get(f"/v1/drills/{told['id']}"))["finished"]
        assert (await admin.get("/v1/drills/other")).status_code == 404
        assert (await admin.post("/v1/drills", json={"call": "a/b"})).status_code == 422
        assert (await admin.post("/v1/drills", json={"who": 1})).status_code == 422
        told = check("POST", "/v1/drills", await admin.post("/v1/drills", json={}))
        assert (told["call"], told["finished"]) == ("drill", True)
    room = site.components.policing._actions
    assert isinstance(room, Room)
    assert room.asked == []
