"""Checks that are begun again, between two real ICE connections of aioice."""

from __future__ import annotations

import asyncio

import pytest
from aioice import stun
from aioice.ice import CandidatePair, Connection

from monitor.tap.rtp.ice import resume_checks

IN_PROGRESS = CandidatePair.State.IN_PROGRESS


async def test_a_pair_that_the_far_end_chooses_later_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two addresses on the far side: the second falls silent until the first was chosen, and is chosen then."""
    far, near = Connection(ice_controlling=True), Connection(ice_controlling=False)
    resume_checks(near)
    for connection, addresses in ((far, ["127.0.0.1", "127.0.0.2"]), (near, ["127.0.0.3"])):
        monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6, own=addresses: own)
        await connection.gather_candidates()
    first, second = far._protocols
    for protocol in far._protocols:
        vars(protocol)["send_stun"] = lambda message, addr: None
    all_checked, check_state = asyncio.Event(), near.check_state

    def noted(pair: CandidatePair, state: CandidatePair.State) -> None:
        check_state(pair, state)
        if {p.state for p in near._check_list} == {IN_PROGRESS}:
            all_checked.set()

    vars(near)["check_state"] = noted
    for one, other in ((far, near), (near, far)):
        one.remote_username, one.remote_password = other.local_username, other.local_password
        for candidate in other.local_candidates:
            await one.add_remote_candidate(candidate)
        await one.add_remote_candidate(None)
    connecting = asyncio.gather(far.connect(), near.connect())
    try:
        await asyncio.wait_for(all_checked.wait(), 5)
        del vars(first)["send_stun"]
        await asyncio.wait_for(connecting, 10)
        assert near._nominated[1].remote_addr[0] == "127.0.0.1"
        (stopped,) = [pair for pair in near._check_list if pair.state is IN_PROGRESS]
        del vars(second)["send_stun"]
        await choose(far, CandidatePair(second, far.remote_candidates[0]))
        assert stopped.task is not None
        await asyncio.wait_for(asyncio.shield(stopped.task), 5)
        assert near._nominated[1] is stopped
    finally:
        await asyncio.gather(far.close(), near.close())


async def choose(far: Connection, pair: CandidatePair) -> None:
    """Have the controlling side nominate a pair (RFC 8445 section 8.1.1)."""
    request, key = far.build_request(pair, nominate=True), str(far.remote_password).encode()
    response, _ = await pair.protocol.request(request, pair.remote_addr, integrity_key=key)
    assert response.message_class is stun.Class.RESPONSE
