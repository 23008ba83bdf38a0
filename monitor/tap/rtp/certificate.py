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


class TapCertificate(RTCCertificate):
    """An ephemeral certificate of one connection, made by `generateCertificate`."""

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:  # noqa: N802 (aiortc's name)
        """Return the SHA-256 fingerprint alone.

        Several are allowed (RFC 8122 section 5), but libdatachannel, OBS's stack, keeps only one of them, and not
        always one whose hash it checks with.
        """
        return [print_ for print_ in super().getFingerprints() if print_.algorithm == FINGERPRINT_HASH]

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(CIPHER_SUITES.encode())
        return context
