"""Who is wrong too often waits, is counted and told of, and is shut out; who has a signed token is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.api.access.authority import Authority
from monitor.api.access.grant import Client, Grant, Refusal
from monitor.api.access.lockout import FREE_FAILURES
from monitor.api.access.verifiers import StaticToken
from monitor.host import logging as log
from monitor.host.metrics import Metrics
from tests.monitor.api.access.build import AWAY, HERE, Clock, Office
from tests.monitor.rig import quiet_log

TOKEN = "a-static-token-of-the-operator"


class Desk:
    """An authority whose waits are written down instead of waited for."""

    def __init__(self, folder: Path) -> None:
        self.office, self.metrics, self.clock = Office(folder), Metrics(), Clock()
        self.waits: list[float] = []
        static = StaticToken(TOKEN, local_only=False)
        self.authority = Authority((static, self.office.signed), self.metrics, self.clock, self.wait)

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def ask(self, bearer: str, client: Client = AWAY) -> Grant | Refusal:
        return await self.authority.identify(bearer, client)

    def refused(self, cause: Refusal) -> float:
        value = self.metrics.registry.get_sample_value("sidewitness_tokens_refused_total", {"cause": cause.cause})
        return value or 0.0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with quiet_log():
        made = Desk(tmp_path)
        yield made
        made.office.journal.close()


async def test_wrong_tokens_wait_are_counted_and_lock_their_address(desk: Desk) -> None:
    for _ in range(FREE_FAILURES):
        assert await desk.ask("wrong") is Refusal.WRONG
    assert desk.waits == [0.25, 0.5, 1.0, 2.0, 2.0]
    # The right one, too: else guessing would go on.
    assert await desk.ask(TOKEN) is Refusal.LOCKED
    assert await desk.ask("wrong") is Refusal.LOCKED
    assert isinstance(await desk.ask(TOKEN, Client("203.0.113.8")), Grant)
    assert (desk.refused(Refusal.WRONG), desk.refused(Refusal.LOCKED), len(desk.waits)) == (5.0, 2.0, 5)
    desk.clock.now += desk.authority.locked_for(AWAY)
    assert isinstance(await desk.ask(TOKEN), Grant)


async def test_right_tokens_in_between_do_not_wipe_the_slate(desk: Desk) -> None:
    for _ in range(FREE_FAILURES):
        await desk.ask(TOKEN)
        await desk.ask("wrong")
    assert await desk.ask(TOKEN) is Refusal.LOCKED


async def test_a_signed_token_is_heard_from_a_locked_address(desk: Desk) -> None:
    bearer = desk.office.issue()
    for _ in range(FREE_FAILURES):
        await desk.ask("wrong")
    assert isinstance(await desk.ask(bearer), Grant)
    desk.office.clock.now += 3600
    assert await desk.ask(bearer) is Refusal.EXPIRED


async def test_nobody_locks_out_an_admin_who_comes_the_same_unknown_way(desk: Desk) -> None:
    for client in (HERE, Client("127.0.0.1", lockable=False)):
        for _ in range(3 * FREE_FAILURES):
            assert await desk.ask("wrong", client) is Refusal.WRONG
        assert isinstance(await desk.ask(TOKEN, client), Grant)
    assert max(desk.waits) == 2.0


async def test_a_token_that_was_once_right_is_no_guess(desk: Desk) -> None:
    bearer = desk.office.issue(minutes=1)
    desk.office.clock.now += 61
    for _ in range(3 * FREE_FAILURES):
        assert await desk.ask(bearer) is Refusal.EXPIRED
    assert (desk.waits, desk.authority.locked_for(AWAY)) == ([], 0.0)
    assert desk.refused(Refusal.EXPIRED) == 3 * FREE_FAILURES


async def test_who_was_admitted_is_asked_about_again_without_being_counted(desk: Desk) -> None:
    bearer = desk.office.issue()
    assert await desk.authority.holds(bearer, AWAY)
    assert not await desk.authority.holds("wrong", AWAY)
    assert desk.refused(Refusal.WRONG) == 0.0
    with desk.office.journal.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE access_tokens")
    assert await desk.authority.holds(bearer, AWAY)


async def test_the_log_says_where_from_and_never_the_token(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("debug", "json")
    guess = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.c2lnbmF0dXJl"
    for _ in range(FREE_FAILURES):
        await desk.ask(guess)
    written = capsys.readouterr().err
    assert written.count('"a wrong token"') == FREE_FAILURES - 1
    assert written.count('"a wrong token: its address is locked"') == 1
    assert written.count("203.0.113.7") == FREE_FAILURES
    assert guess not in written
