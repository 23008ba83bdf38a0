"""Who may send to a port: the first who belongs there, until they have been silent."""

from __future__ import annotations

from monitor.tap.rtp.source_pin import RELEASE_SECONDS, SourcePin

ADA, EVE, ADAS_RTCP = ("192.0.2.1", 5000), ("198.51.100.9", 5000), ("192.0.2.1", 5007)


def test_nobody_else_is_looked_at_while_the_first_is_heard() -> None:
    pin = SourcePin()
    assert pin.may_send(EVE, 0.0)
    pin = pin.heard(ADA, 10.0)
    assert pin.may_send(ADA, 10.5)
    assert not pin.may_send(EVE, 10.5)
    pin = pin.heard(ADA, 12.0)
    assert not pin.may_send(EVE, 12.0 + RELEASE_SECONDS)
    assert pin.may_send(EVE, 12.1 + RELEASE_SECONDS)


def test_who_comes_after_a_silence_takes_the_place_whole() -> None:
    pin = SourcePin().heard(ADA, 0.0).reported(ADAS_RTCP).heard(EVE, 9.0)
    assert (pin.media, pin.rtcp) == (EVE, None)


def test_rtcp_is_of_the_same_machine_and_says_where_ours_goes() -> None:
    pin = SourcePin()
    assert not pin.may_report(ADA, 0.0)
    assert pin.feedback(is_multiplexed=True) is None
    pin = pin.heard(ADA, 0.0)
    assert (pin.feedback(is_multiplexed=True), pin.feedback(is_multiplexed=False)) == (ADA, ("192.0.2.1", 5001))
    assert pin.may_report(ADAS_RTCP, 1.0)
    assert not pin.may_report(EVE, 1.0)
    assert not pin.may_report(ADAS_RTCP, 1.0 + RELEASE_SECONDS)
    pin = pin.reported(ADAS_RTCP)
    assert pin.feedback(is_multiplexed=False) == ADAS_RTCP
    assert pin.may_send(ADAS_RTCP, 1.0)


def test_ours_goes_where_it_was_said_to_until_theirs_comes_from_elsewhere() -> None:
    pin = SourcePin(reports_to=5099)
    assert pin.feedback(is_multiplexed=False) is None
    pin = pin.heard(ADA, 0.0)
    assert pin.feedback(is_multiplexed=False) == ("192.0.2.1", 5099)
    assert pin.reported(ADAS_RTCP).feedback(is_multiplexed=False) == ADAS_RTCP
    assert pin.heard(EVE, 9.0).feedback(is_multiplexed=True) == ("198.51.100.9", 5099)
