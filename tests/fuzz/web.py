"""What comes over HTTP and WebSocket: requests, names and origins, messages, forms, consents, headers of proxies."""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import shutil
import tempfile
from functools import cache
from http import HTTPStatus
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import h11
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engines.errors import SidewitnessError
from monitor.alerts.disclosure import Disclosure
from monitor.alerts.journal import Head
from monitor.alerts.push import Close, Phase, Subscriber
from monitor.api.access.claims import read as read_claims
from monitor.api.access.grant import Grant, Refusal
from monitor.api.access.keyring import KeyRing
from monitor.api.access.oidc.claims import Person, RoleRules, access_token_refusal, id_token_objection, person_of
from monitor.api.access.oidc.flow import recalled
from monitor.api.access.oidc.keys import KeyList, issuer_of
from monitor.api.access.oidc.messages import ProviderError, answer_of, metadata_of, tokens_of
from monitor.api.access.roles import Role
from monitor.api.connection import MAX_HEADERS, MAX_TARGET_BYTES, BoundedParser
from monitor.api.form import ClipBegins, ClipData, Field, FormError, FormReader
from monitor.api.forwarded import address_of, client_of, path_within, prefix_of, read_address, seen_under
from monitor.api.hosts import is_served, is_welcome, name_of
from monitor.api.identities import read_consent_text, read_details
from tests.fuzz.target import Target

NAMES = ("meet.example",)
NOW = 1_800_000_000
TOKEN = "a-token-of-the-fuzzer"
PROVIDER = "http://login.example"
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
    except FormError:
        # What came before, and which of two errors is met first, depends on where the pieces end.
        return ("refused",)
    return (fields, clips)


def consent(data: bytes) -> None:
    read_consent_text(data.decode(errors="replace"))


def details(data: bytes) -> None:
    """What is kept can be shown on a page and put into a message."""
    known = read_details(data.decode(errors="replace"))
    assert all(text.isprintable() for text in (*known.tags, known.verify_by or ""))


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


def request(data: bytes) -> None:
    """Bytes of a connection as the server reads them: what is refused has a status, what is taken is within bounds."""
    parser = BoundedParser()
    parser.receive_data(data)
    try:
        while not isinstance(event := parser.next_event(), h11.PAUSED | h11.NEED_DATA | h11.ConnectionClosed):
            if isinstance(event, h11.Request):
                assert len(event.target) <= MAX_TARGET_BYTES
                assert len(event.headers) <= MAX_HEADERS
    except h11.RemoteProtocolError:
        assert parser.refused_with in (*range(400, 500), HTTPStatus.NOT_IMPLEMENTED)


def caller(data: bytes) -> None:
    """`Host`, `Origin` and `X-Forwarded-For`, one a line: whoever is welcome is known, and an address is counted."""
    host, origin, forwarded, *_ = [*data.decode("latin-1").split("\n"), "", ""]
    if is_served(host, NAMES):
        name = name_of(host)
        assert name in (*NAMES, "localhost") or read_address(name) is not None
    if is_welcome(origin, host, ()):
        assert origin.split("://")[0] in ("http", "https")
    scope = {"type": "http", "client": ("127.0.0.1", 1), "headers": [(b"x-forwarded-for", forwarded.encode("latin-1"))]}
    counted = client_of(scope, LOOPBACK)
    assert counted is None or ip_network(counted)


@cache
def ring() -> tuple[KeyRing, Ed25519PrivateKey, str]:
    """Keys of a sidecar, the first of them and its name."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    keys = KeyRing(Path(folder) / "tokens.key")
    keys.sign({})
    ((name, key),) = keys._current().items()
    return keys, key, name


def token(data: bytes) -> None:
    """As text that somebody sends; and a header and claims, one a line, of somebody who has the key."""
    keys, key, name = ring()
    keys.verify(data.decode(errors="replace"))
    named = data.replace(b"KID", name.encode())
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in named.split(b"\n", 1)]
    signature = base64.urlsafe_b64encode(key.sign(b".".join(parts))).rstrip(b"=")
    claims = keys.verify(b".".join([*parts, signature]).decode())
    if claims is not None:
        assert isinstance(read_claims(claims, NOW), Grant | Refusal)


@cache
def provider_key() -> tuple[KeyList, Ed25519PrivateKey]:
    """A key of a provider, and its list."""
    key = Ed25519PrivateKey.generate()
    listed = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key()))
    return KeyList().fetched({"keys": [{**listed, "kid": "KID"}]}, 0.0), key


def provider_token(data: bytes) -> None:
    """A list of keys; and a header and claims, one a line, of a provider that signs whatever it says."""
    with contextlib.suppress(ValueError):
        KeyList().fetched(json.loads(data), 0.0)
    keys, key = provider_key()
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in data.split(b"\n", 1)]
    signature = base64.urlsafe_b64encode(key.sign(b".".join(parts))).rstrip(b"=")
    text = b".".join([*parts, signature]).decode()
    issuer_of(text)
    claims = keys.verified(text)
    if claims is not None:
        id_token_objection(claims, "us", "us", "n", NOW)
        access_token_refusal(claims, "us", "us", NOW)
        assert isinstance(person_of(claims, RoleRules("a.b", {"x": Role.ADMIN}, "c", {})), Person | Refusal)
        recalled(claims, NOW)


def provider_answer(data: bytes) -> None:
    """A status and a body: addresses are ones that can be asked, tokens go into a header, and a person has a role."""
    status, _, body = data.partition(b"\n")
    code = int(status) if status.isdigit() and len(status) < 4 else HTTPStatus.OK
    found = answer_of(code, body, redeems=True)
    with contextlib.suppress(ProviderError):
        told = metadata_of({**found, "issuer": PROVIDER}, PROVIDER)
        assert all(urlsplit(place).hostname for place in (told.authorization_endpoint, told.token_endpoint))
        assert told.jwks_uri.isprintable()
    with contextlib.suppress(ProviderError):
        id_token, access = tokens_of(found)
        issuer_of(id_token)
        assert access is None or access.isascii()
    person_of(found, RoleRules("groups", {"secops": Role.ANALYST}, "sub", {}))


TARGETS = (
    Target(
        "provider_answer",
        provider_answer,
        (ProviderError,),
        (b"400\n", b'"issuer": ', b'_endpoint": ', b'"jwks_uri": ', b"https://[", b"null", b'"\\ud800"', b'"groups": '),
        10_000,
    ),
    Target(
        "provider_token",
        provider_token,
        (),
        (b"KID", b"EdDSA", b"RS256", b"null", b"1e999", b"true", b"[]", b'"keys": ', b'"kty": "RSA"'),
    ),
    Target("token", token, (), (b"KID", b"none", b"HS256", b"null", b"1e999", b"true", b"[]", b"admin", b'"exp": ')),
    Target(
        "request", request, (), (b"\r\n", b"GET / HTTP/1.1", b"Transfer-Encoding: chunked", b"Content-Length: ", b" ")
    ),
    Target(
        "caller", caller, (), (b"[::1]", b"[::ffff:10.0.0.1]", b"%eth0", b":443", b"@", b"https://", b".", b"\n", b",")
    ),
    Target(
        "subscriber", subscriber, (), (b'"subscribe"', b'{"type": "ping"}\n', TOKEN.encode(), b'"after": ', b"true")
    ),
    Target(
        "form", form, (FormError,), (b"\r\n--b\r\n", b"--b--", b"Content-Disposition: ", b'filename="', b"boundary=")
    ),
    Target("consent", consent, (SidewitnessError,), (b'"given": ', b'"0001-01-01"', b'"9999-12-31"', b'"by": null')),
    Target("details", details, (SidewitnessError,), (b'"tags": ', b'"verify_by": ', b"https://", b"null", b"[]", b"+")),
    Target("proxy", proxy, (), (b"//", b"/..", b"%2f", b"\\", b"/a")),
)
