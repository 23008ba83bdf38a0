"""What the numbers of refusals and of stops mean."""

from __future__ import annotations

from plugins.protocols.zoom import codes


def test_a_refusal_says_what_to_do() -> None:
    assert codes.refusal(3).startswith("Zoom refuses the signature: correct client_id and client_secret")
    assert "the audio parameter data_opt" in codes.refusal(23)
    assert "the video parameter fps" in codes.refusal(30)
    assert codes.refusal(99) == "Zoom refuses the stream (status 99): see the app's page in the Marketplace"
    for code in range(120):
        line = codes.refusal(code)
        assert line.isprintable()
        assert ": " in line


def test_only_a_revoked_stream_deletes_and_what_is_our_fault_has_failed() -> None:
    stops = {reason: codes.stop(reason) for reason in range(40)}
    assert [reason for reason, stop in stops.items() if stop.deletes] == [codes.REVOKED]
    failed = {reason for reason, stop in stops.items() if stop.failed}
    assert {18, 19, 23, 24} <= failed
    assert not failed & set(range(10))
    assert 20 not in failed
    assert stops[31].why == "Zoom has ended the stream (stop reason 31)"
