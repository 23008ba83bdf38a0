"""What became of a DTLS handshake: aiortc says only that it failed.

It uses aiortc's private names (`monitor.tap.rtp.install`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiortc.rtcdtlstransport import RTCDtlsTransport, State

from monitor.tap.rtp.certificate import TapCertificate


class Handshake:
    """Watches the handshake of one transport; `error` is empty until it has failed."""

    def __init__(self, transport: RTCDtlsTransport, certificate: TapCertificate) -> None:
        self._transport, self._certificate = transport, certificate
        self._failed_step = ""
        steps = {
            "_validate_peer_identity": "the certificate is not the one of the offer's fingerprint",
            "_setup_srtp": "no SRTP profile in common",
        }
        for name, words in steps.items():
            setattr(transport, name, self._watched(getattr(transport, name), words))

    @property
    def error(self) -> str:
        """What went wrong, for the log."""
        if self._transport._state is not State.FAILED:
            return ""
        return self._failed_step or self._certificate.alert or "the connection was closed"

    def _watched(self, step: Callable[..., None], words: str) -> Callable[..., None]:
        def watched(*arguments: Any) -> None:
            # Whoever listens is told of the failure while the step still runs.
            self._failed_step = words
            step(*arguments)
            if self._transport._state is not State.FAILED:
                self._failed_step = ""

        return watched
