"""The sink `syslog`: RFC 5424 over TLS (RFC 5425) with CEF in each message.

Syslog has no word for "I have it". A delivery is a connection of its own, and counts once the receiver has answered our
end of the stream with its own, which it does after it has read everything before. A connection that is reset, that
ends before ours or that runs out of time is a delivery that failed. What a receiver has read and not yet written when
it dies is lost, with every sender of syslog. Repeated messages are recognised by `event_id`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pydantic import Field, field_validator

from monitor.alerts.sinks.address import checked_addresses
from monitor.alerts.sinks.base import Item, SinkError, SinkSpec
from monitor.alerts.sinks.cef import framed, syslog_line
from monitor.alerts.sinks.event import event_of
from monitor.alerts.sinks.tls import ConnectOptions, tls_context

HOST = re.compile(r"[A-Za-z0-9_.:\-]{1,253}")
NO_HOST = "-"
# RFC 5424 section 6.2.4: printable ASCII.
HOSTNAME = r"^[!-~]{1,255}$"
LOCAL0 = 16
# Between the messages and the end of the stream: whoever ends the connection meanwhile has not read them.
GRACE_SECONDS = 0.2


class SyslogOptions(ConnectOptions):
    """The receiver, and the facility and host name that messages bear."""

    host: str
    port: int = Field(default=6514, ge=1, le=65535)
    facility: int = Field(default=LOCAL0, ge=0, le=23)
    hostname: str | None = Field(default=None, pattern=HOSTNAME)

    @field_validator("host")
    @classmethod
    def _host_is_one(cls, value: str) -> str:
        if not HOST.fullmatch(value):
            raise ValueError("write a host name or an address, without scheme and port")
        return value


class SyslogSink:
    """Sends a batch over a connection, in a thread of its own: only there is the end of a TLS stream ours to see."""

    def __init__(self, options: SyslogOptions) -> None:
        self._options = options
        self._context = tls_context(options)
        own = socket.gethostname()
        self._hostname = options.hostname or (own if re.fullmatch(HOSTNAME, own) else NO_HOST)
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="syslog")

    async def deliver(self, items: Sequence[Item]) -> None:
        """Send a message an item, and wait until the receiver has read them."""
        events = map(event_of, items)
        data = b"".join(framed(syslog_line(event, self._options.facility, self._hostname)) for event in events)
        addresses = await checked_addresses(self._options.host, self._options.port, self._options.allow_private)
        try:
            await asyncio.get_running_loop().run_in_executor(self._sender, self._send, addresses, data)
        except ssl.SSLCertVerificationError as error:
            raise SinkError(
                f"the receiver's certificate is not believed ({error.verify_message}): set ca_file, or correct it"
            ) from None
        except TimeoutError:
            raise SinkError("the receiver did not take the messages in time") from None
        except ConnectionRefusedError:
            raise SinkError("nobody listens at the receiver's address: start it, or correct the address") from None
        except OSError:
            raise SinkError("the connection broke before the receiver had read everything") from None

    async def close(self) -> None:
        """Release the thread."""
        self._sender.shutdown(wait=False, cancel_futures=True)

    def _send(self, addresses: Sequence[str], data: bytes) -> None:
        seconds = self._options.timeout_seconds
        with (
            self._connect(addresses) as connection,
            self._context.wrap_socket(connection, server_hostname=self._options.host) as stream,
        ):
            stream.sendall(data)
            stream.settimeout(GRACE_SECONDS)
            # Whatever it says is not looked at; an end that comes before ours is no answer to it.
            with contextlib.suppress(TimeoutError):
                if stream.recv(1) == b"":
                    raise ConnectionResetError
            stream.settimeout(seconds)
            # rsyslog ends its connection without the alert of RFC 5425 section 4.4.
            with contextlib.suppress(ssl.SSLEOFError):
                stream.unwrap()

    def _connect(self, addresses: Sequence[str]) -> socket.socket:
        failed: OSError = ConnectionRefusedError()
        for address in addresses:
            try:
                return socket.create_connection((address, self._options.port), self._options.timeout_seconds)
            except OSError as error:
                failed = error
        raise failed


SPEC = SinkSpec("syslog", SyslogOptions, SyslogSink)
