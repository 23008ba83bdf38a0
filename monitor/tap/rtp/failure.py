"""Why a publisher did not connect, or was lost, in a word and a sentence. Pure.

The sentence is for the log: it holds no name, no address and nothing of the offer.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.tap.media.source import CONSENT_EXPIRED, DTLS_FAILED, NO_ICE_ANSWER, ConnectionFailure


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a connection came: `ice` and `dtls` say whether these succeeded, `consent_expired` whether that did.

    `dtls_error` is what became of the handshake, empty while it runs; `candidates` is how many of the publisher's could
    be tried.
    """

    ice: bool
    dtls: bool
    consent_expired: bool = False
    dtls_error: str = ""
    candidates: int = 0


def explain(progress: Progress, handshake_seconds: float, consent_seconds: float) -> ConnectionFailure | None:
    """Explain the end of a connection that nobody closed; None where all went well until the far end left."""
    if progress.consent_expired:
        return ConnectionFailure(
            CONSENT_EXPIRED, f"consent expired: neither answers nor media for {consent_seconds:g} s"
        )
    if not progress.ice:
        return ConnectionFailure(
            NO_ICE_ANSWER,
            f"no ICE answer within {handshake_seconds:g} s; candidates that could be tried: {progress.candidates}",
        )
    if progress.dtls:
        return None
    if progress.dtls_error:
        return ConnectionFailure(DTLS_FAILED, f"DTLS handshake failed: {progress.dtls_error}")
    return ConnectionFailure(DTLS_FAILED, f"DTLS handshake not finished within {handshake_seconds:g} s")
