"""What comes over HTTP and WebSocket: messages of subscribers, forms with clips, consents, and headers of proxies."""

from __future__ import annotations

import json
from ipaddress import ip_network

from engines.errors import SidewitnessError
from monitor.alerts.disclosure import Disclosure
from monitor.alerts.journal import Head
from monitor.alerts.push import Close, Phase, Subscriber
from monitor.api.form import ClipBegins, ClipData, Field, FormError, FormReader
from monitor.api.forwarded import address_of, path_within, prefix_of, seen_under
from monitor.api.identities import _read_consent
from tests.fuzz.target import Target

TOKEN = "a-token-of-the-fuzzer"
LOOPBACK = (ip_network("127.0.0.0/8"),)


def subscriber(data: bytes) -> None:
    """Messages one a line: whatever is said is answered or shuts the subscription, and only a token opens one."""
    peer = Subscriber()
    for line in data.split(b"\n"):
        peer.receive(line.decode(errors="surrogateescape"))
        if peer.phase is Phase.CHECKING:
            peer.admit(Disclosure.FULL) if peer.bearer == TOKEN else peer.end(Close.BAD_TOKEN)
        peer.start(Head(7, 3))
        peer.replay((), Head(7, 3))
        while (message := peer.take()) is not None:
            json.loads(message.text)
    assert peer.phase in (Phase.AWAITING, Phase.CLOSED) or TOKEN.encode() in data or rb"\u" in data


def form(data: bytes) -> None:
    """A content type, a line end, and the body: read whole and in pieces it is the same, and names are harmless."""
    kind, _, body = data.partition(b"\n")
    whole = _read_form(kind.decode("latin-1"), body, max(len(body), 1))
    assert _read_form(kind.decode("latin-1"), body, 7) == whole


def _read_form(kind: str, body: bytes, step: int) -> tuple[object, ...]:
    reader = FormReader(kind)
    fields: list[Field] = []
    clips: list[tuple[str, bytearray]] = []
    error = None
    try:
        for at in range(0, len(body), step):
            for event in reader.feed(body[at : at + step]):
                match event:
                    case Field():
                        fields.append(event)
                    case ClipBegins(name):
                        assert name
                        assert "/" not in name
                        assert not name.startswith(".")
                        clips.append((name, bytearray()))
                    case ClipData(piece):
                        clips[-1][1].extend(piece)
        reader.close()
    except FormError as refused:
        error = refused.status
    # What came before an error depends on where the pieces end.
    return (error,) if error else (fields, clips)


def consent(data: bytes) -> None:
    _read_consent(data.decode(errors="replace"))


def proxy(data: bytes) -> None:
    """The prefix that a proxy names never makes an address that leads elsewhere."""
    header, _, path = data.partition(b"\n")
    headers = [(b"x-forwarded-prefix", header)]
    scope = {"type": "http", "path": path.decode("latin-1"), "client": ("127.0.0.1", 1), "headers": headers}
    placed = seen_under(scope, prefix_of(scope, "", LOOPBACK))
    path_within(placed)
    address = address_of(placed, "/v1")
    assert address.startswith("/")
    assert not address.startswith("//")
    assert address.isprintable()


TARGETS = (
    Target(
        "subscriber", subscriber, (), (b'"subscribe"', b'{"type": "ping"}\n', TOKEN.encode(), b'"after": ', b"true")
    ),
    Target(
        "form", form, (FormError,), (b"\r\n--b\r\n", b"--b--", b"Content-Disposition: ", b'filename="', b"boundary=")
    ),
    Target("consent", consent, (SidewitnessError,), (b'"given": ', b'"0001-01-01"', b'"9999-12-31"', b'"by": null')),
    Target("proxy", proxy, (), (b"//", b"/..", b"%2f", b"\\", b"/a")),
)
