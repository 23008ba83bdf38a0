"""TLS between gateways that have a secret in common, and no certificate authority.

The key of the certificate is made of the secret (HKDF, RFC 5869), so whoever has the secret, and nobody else, can show
it and checks it: TLS 1.3, with a certificate asked of both ends. Names are not compared: any gateway is any other's.
"""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

KEY_BYTES = 32
PURPOSE = b"sidewitness peers 1"
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sidewitness-gateway")])
# The same in every gateway, whenever it begins: a certificate is as good as the secret.
SERIAL = 1
FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)


def contexts(secret: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of the end that listens and of the one that connects; blocks for a moment."""
    key = Ed25519PrivateKey.from_private_bytes(HKDF(SHA256(), KEY_BYTES, None, PURPOSE).derive(secret.encode()))
    name = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    dated = name.serial_number(SERIAL).not_valid_before(FROM).not_valid_after(UNTIL)
    is_own = x509.BasicConstraints(ca=True, path_length=0)
    certificate = dated.add_extension(is_own, critical=True).sign(key, None).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    ends = (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
    listens, connects = (_context(end, private, certificate) for end in ends)
    return listens, connects


def _context(protocol: ssl._SSLMethod, private: bytes, certificate: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=certificate.decode())
    # OpenSSL reads keys from files only: this one has no name and no place on a disk that others see.
    with tempfile.TemporaryFile() as file:
        file.write(private + certificate)
        file.flush()
        context.load_cert_chain(f"/dev/fd/{file.fileno()}")
    return context
