"""nginx with TLS and a path prefix, as docs/operations.md has it, and coturn: both on free ports of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import re
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.interop.check import stopped
from tests.interop.installed import program
from tests.interop.sidecar import free_port

OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"
LISTEN_SECONDS = 20.0


def documented_location(upstream: str) -> str:
    """The block of nginx's configuration in the documents, for a sidecar at `upstream`."""
    found = re.search(r"```nginx\n(.*?)```", OPERATIONS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert "http://127.0.0.1:8480" in found[1]
    return found[1].replace("http://127.0.0.1:8480", upstream)


def certificate(folder: Path) -> Path:
    """Write a certificate for 127.0.0.1 with its key, `tls.pem` and `tls.key`; gives the first."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a proxy of the tests")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    unencrypted = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    (folder / "tls.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unencrypted))
    path = folder / "tls.pem"
    path.write_bytes(made.public_bytes(pem))
    return path


@contextlib.asynccontextmanager
async def nginx(folder: Path, upstream: str) -> AsyncIterator[str]:
    """Serve the sidecar under /sidewitness with TLS; gives the address, certified by `tls.pem` in the folder."""
    port = free_port()
    certificate(folder)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(f"""
daemon off;
pid {folder}/nginx.pid;
worker_processes 1;
error_log stderr;
events {{ }}
http {{
access_log off;
{temporary}
server {{
listen 127.0.0.1:{port} ssl;
ssl_certificate {folder}/tls.pem;
ssl_certificate_key {folder}/tls.key;
{documented_location(upstream)}
}}
}}
""")
    executable = program("nginx")
    assert executable is not None
    process = await asyncio.create_subprocess_exec(
        executable, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf"), "-g", "user root;"
    )
    try:
        await listening(port)
        yield f"https://127.0.0.1:{port}/sidewitness"
    finally:
        # Not killed: its worker would stay.
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def coturn(folder: Path, host: str, user: str, password: str) -> AsyncIterator[str]:
    """A TURN server at an address of this machine; gives its URI."""
    port = free_port(host)
    executable = program("turnserver")
    assert executable is not None
    with (folder / "turn.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(executable, "-n", "-L", host, "-E", host, "-p", str(port), "-a", "-u", f"{user}:{password}"),
            *("-r", "sidewitness.test", "--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout", "-v"),
            *("--pidfile", str(folder / "turn.pid"), "--userdb", str(folder / "turn.db")),
            stdout=log,
            stderr=log,
        )
        async with stopped(process):
            await listening(port, host)
            yield f"turn:{host}:{port}?transport=udp"


async def listening(port: int, host: str = "127.0.0.1") -> None:
    """Wait until somebody listens on a TCP port."""
    async with asyncio.timeout(LISTEN_SECONDS):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, port)
                writer.close()
                return
            await asyncio.sleep(0.05)
