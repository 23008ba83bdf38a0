from __future__ import annotations

import pytest

from monitor.tap.rtp.failure import Progress, explain


@pytest.mark.parametrize(
    ("progress", "reason", "detail"),
    [
        (
            Progress(ice=False, dtls=False, candidates=2),
            "no_ice_answer",
            "no ICE answer within 10 s; candidates that could be tried: 2",
        ),
        (
            Progress(ice=True, dtls=False, dtls_error="this side said illegal_parameter"),
            "dtls_failed",
            "DTLS handshake failed: this side said illegal_parameter",
        ),
        (Progress(ice=True, dtls=False), "dtls_failed", "DTLS handshake not finished within 10 s"),
        (
            Progress(ice=True, dtls=True, consent_expired=True),
            "consent_expired",
            "consent expired: neither answers nor media for 30 s",
        ),
        (
            Progress(ice=True, dtls=False, consent_expired=True, dtls_error="the connection was closed"),
            "consent_expired",
            "consent expired: neither answers nor media for 30 s",
        ),
    ],
)
def test_why_a_connection_failed(progress: Progress, reason: str, detail: str) -> None:
    failure = explain(progress, 10.0, 30.0)
    assert failure is not None
    assert (failure.reason, failure.detail) == (reason, detail)


def test_a_connection_that_the_far_end_closed_has_not_failed() -> None:
    assert explain(Progress(ice=True, dtls=True), 10.0, 30.0) is None
