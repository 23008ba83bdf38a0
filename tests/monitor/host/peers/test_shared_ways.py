"""A way into calls in the settings of several gateways: one of them has it open, and another one when that is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import SourceSettings
from monitor.host.cluster.fleet_sources import keys_of
from tests.monitor.host.cluster.test_fleet import check_whole
from tests.monitor.host.peers.site import Gateway, Site, gateways
from tests.plugins.toy import installed
from tests.postgres import Server


async def opener(made: Site) -> Gateway:
    """The one that has it open; the others say who has."""
    whys = {one.base: (await made.sources(one))[0]["why"] for one in made.gateways}
    [found] = [one for one in made.gateways if whys[one.base] is None]
    assert [why for why in whys.values() if why is not None] == ["another gateway has it"] * (len(made.gateways) - 1)
    return found


async def test_one_has_it_open_and_another_one_when_that_is_gone(
    postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, folder = tmp_path / "site", tmp_path / "gateways"
    folder.mkdir()
    with installed(site, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", str(site))
        ways = [{"plugin": "toy", "participant": "ida"}]
        async with gateways(folder, postgres_server.migrated_database(), 2, sources=ways) as made:
            await made.until(lambda: all(one.kinds("finding", "ida") for one in made.gateways), "they are judged")
            struck = await opener(made)
            [other] = [one for one in made.gateways if one is not struck]
            await made.kill(struck)
            seen = len(other.kinds("finding", "ida"))
            await made.until(lambda: len(other.kinds("finding", "ida")) > seen + 6, "they go on")
            # One that comes leaves it to whoever has it.
            await made.begin_again(made.gateways.index(struck))
            assert await opener(made) is other
            assert [len(people) for people in (await made.calls(made.gateways[0])).values()] == [1]
            for one in made.gateways:
                await made.end(one)
            check_whole(made, "ida")


def test_the_same_settings_are_called_the_same_everywhere_and_say_nothing() -> None:
    toy = SourceSettings.model_validate({"plugin": "toy", "token": "a secret"})
    keys = keys_of([("default", toy), ("other", toy), ("default", toy)])
    assert len(set(keys)) == 3
    assert keys_of([("other", toy), ("default", toy)]) == [keys[1], keys[0]]
    assert "secret" not in "".join(keys)
