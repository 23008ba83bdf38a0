"""Our DTLS certificate: an ECDSA key, one fingerprint, and cipher suites for peers with a key of either kind.

It stands where aiortc's certificate stood and uses its private names (`monitor.tap.rtp.install`).
"""

from __future__ import annotations

from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, SRTPProtectionProfile
from OpenSSL import SSL

# The suite is chosen by the key of the side that is the DTLS server, which is the publisher wherever it leaves us the
# choice. aiortc offers the ECDSA half only; GStreamer's key is RSA. The first suite is the one that RFC 8827 section
# 6.5 requires.
CIPHER_SUITES = ":".join(
    f"ECDHE-{key}-{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES128-GCM-SHA256", "CHACHA20-POLY1305", "AES128-SHA", "AES256-SHA")
)
FINGERPRINT_HASH = "sha-256"
# Alerts that end a handshake (RFC 8446 section 6.2, RFC 5246 section 7.2.2).
_FATAL = 2
_ALERTS = {
    10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired",
    46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 50: "decode_error", 51: "decrypt_error",
    70: "protocol_version", 71: "insufficient_security", 80: "internal_error", 90: "user_canceled",
    109: "missing_extension", 110: "unsupported_extension", 116: "certificate_required",
}  # fmt: skip


class TapCertificate(RTCCertificate):
    """An ephemeral certificate of one connection, made by `generateCertificate`.

    `alert` is the last fatal alert of its handshake in words, empty where there was none.
    """

    alert = ""

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:  # noqa: N802 (aiortc's name)
        """Return the SHA-256 fingerprint alone.

        Several are allowed (RFC 8122 section 5), but libdatachannel, OBS's stack, keeps only one of them, and not
        always one whose hash it checks with.
        """
        return [print_ for print_ in super().getFingerprints() if print_.algorithm == FINGERPRINT_HASH]

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(CIPHER_SUITES.encode())
        context.set_info_callback(self._note_alert)
        return context

    def _note_alert(self, _connection: SSL.Connection, where: int, alert: int) -> None:
        if where & SSL.SSL_CB_ALERT and alert >> 8 == _FATAL:
            speaker = "the publisher" if where & SSL.SSL_CB_READ else "this side"
            self.alert = f"{speaker} said {_ALERTS.get(alert & 0xFF, f'alert {alert & 0xFF}')}"
