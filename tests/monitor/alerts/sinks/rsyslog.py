"""Debian's rsyslog as a receiver of syslog over TLS: a process of its own that writes what it gets."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.monitor.alerts.sinks.certificates import Issued

PATIENCE = 60.0
PACKAGES = "rsyslog rsyslog-gnutls"
PLUGINS = ("/usr/lib/x86_64-linux-gnu/rsyslog", "/usr/lib/aarch64-linux-gnu/rsyslog", "/usr/lib/rsyslog")
CONFIG = """
global(workDirectory="{folder}" defaultNetstreamDriver="gtls" maxMessageSize="64k"
       defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{certificate}"
       defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="r")
template(name="t" type="string"
         string="%pri%|%timereported:::date-rfc3339%|%hostname%|%app-name%|%msgid%|%structured-data%|%msg%\\n")
ruleset(name="r") {{ action(type="omfile" file="/dev/stdout" template="t" asyncWriting="off" flushOnTXEnd="on") }}
"""


def missing() -> str | None:
    """Why rsyslog cannot run here, None where it can."""
    if shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        return f"no rsyslogd: apt-get install {PACKAGES}"
    if not any(Path(folder, "lmnsd_gtls.so").exists() for folder in PLUGINS):
        return f"rsyslog has no TLS: apt-get install {PACKAGES}"
    return None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


async def listens(port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                # Another program, which does not say when it is ready.
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return


@asynccontextmanager
async def rsyslog(folder: Path, issued: Issued, port: int) -> AsyncIterator[asyncio.StreamReader]:
    """Run it; gives what it writes, a line a message."""
    config = folder / "rsyslog.conf"
    config.write_text(
        CONFIG.format(folder=folder, ca=issued.ca, certificate=issued.certificate, key=issued.key, port=port)
    )
    process = await asyncio.create_subprocess_exec(
        "/usr/sbin/rsyslogd",
        *("-n", "-f", str(config), "-i", str(folder / "pid")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        await listens(port)
        yield process.stdout
    finally:
        process.terminate()
        await process.communicate()


async def lines(output: asyncio.StreamReader, count: int) -> list[str]:
    """The next lines that it writes."""
    async with asyncio.timeout(PATIENCE):
        return [(await output.readline()).decode().rstrip("\n") for _ in range(count)]
