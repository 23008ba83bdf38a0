"""Which signatures of a provider are taken, and how often its keys are asked for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from monitor.api.access.oidc.keys import (
    FIRST_PAUSE_SECONDS,
    FRESH_SECONDS,
    MAX_KEYS,
    MAX_PAUSE_SECONDS,
    MAX_TOKEN_CHARS,
    STALE_SECONDS,
    KeyList,
    issuer_of,
)
from tests.monitor.api.access.build import part

CLAIMS = {"iss": "https://login.example", "sub": "ann"}
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, **more: Any) -> dict[str, Any]:
    algorithm: Any = {
        rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
        ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
    }
    maker = next((made for kind, made in algorithm.items() if isinstance(key, kind)), jwt.algorithms.OKPAlgorithm)
    return {**json.loads(maker.to_jwk(key.public_key())), **more}


LISTED = {"keys": [jwk(RSA, kid="r", use="sig"), jwk(EC, kid="e", alg="ES256"), jwk(ED, kid="d")]}
KEYS = KeyList().fetched(LISTED, 0.0)


def test_what_was_signed_by_a_key_of_the_list_is_read() -> None:
    for key, algorithm, kid in ((RSA, "RS256", "r"), (RSA, "PS512", "r"), (EC, "ES256", "e"), (ED, "EdDSA", "d")):
        assert KEYS.verified(jwt.encode(CLAIMS, key, algorithm, headers={"kid": kid})) == CLAIMS
    alone = KeyList().fetched({"keys": [jwk(RSA)]}, 0.0)
    assert alone.verified(jwt.encode(CLAIMS, RSA, "RS256")) == CLAIMS


def test_nothing_else_is() -> None:
    good = jwt.encode(CLAIMS, RSA, "RS256", headers={"kid": "r"})
    head, body, signature = good.split(".")
    forged = [
        f"{part({'alg': 'none', 'kid': 'r'})}.{body}.",
        f"{head}.{part({**CLAIMS, 'sub': 'root'})}.{signature}",
        jwt.encode(CLAIMS, rsa.generate_private_key(65537, 2048), "RS256", headers={"kid": "r"}),
        jwt.encode(CLAIMS, RSA, "RS256"),
        jwt.encode(CLAIMS, RSA, "RS256", headers={"kid": "e"}),
        jwt.encode(CLAIMS, RSA, "RS256", headers={"kid": "unknown"}),
        jwt.encode(CLAIMS, EC, "ES256", headers={"kid": "r"}),
        good + "x" * MAX_TOKEN_CHARS,
        "a.b.c",
        "",
    ]
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip()):
        signed = f"{part({'alg': 'HS256', 'kid': 'r'})}.{body}"
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        forged.append(f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")
    assert [token for token in forged if KEYS.verified(token) is not None] == []
    ours = KeyList().fetched({"keys": [jwk(RSA, kid="r", alg="RS256")]}, 0.0)
    assert ours.verified(jwt.encode(CLAIMS, RSA, "RS512", headers={"kid": "r"})) is None
    assert KEYS.verified(f"{part({'alg': 7, 'kid': 'r'})}.{body}.{signature}") is None


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"keys": {}}, {"keys": []}, {"keys": [jwk(RSA)] * (MAX_KEYS + 1)}, {"keys": [7, {"kty": "RSA"}]},
     {"keys": [jwk(RSA, use="enc")]}, {"keys": [{"kty": "oct", "k": "AAAA"}]}],
)  # fmt: skip
def test_a_list_of_no_keys_is_none(document: Any) -> None:
    with pytest.raises(ValueError, match="no "):
        KeyList().fetched(document, 0.0)


def test_keys_are_asked_for_when_they_are_old_or_another_is_named_and_not_for_every_stranger() -> None:
    assert KeyList().wants(None, 0.0)
    assert not KEYS.wants("unknown", FIRST_PAUSE_SECONDS - 1)
    assert KEYS.wants("unknown", FIRST_PAUSE_SECONDS)
    assert not KEYS.wants("r", FRESH_SECONDS - 1)
    assert not KEYS.wants(None, FRESH_SECONDS - 1)
    assert KEYS.wants("r", FRESH_SECONDS)


def test_after_failures_they_are_asked_for_ever_more_seldom_and_believed_for_a_day() -> None:
    keys, now, pauses = KEYS, FRESH_SECONDS, []
    for _ in range(10):
        keys = keys.failed(now)
        pause = next(seconds for seconds in range(1, 2000) if keys.wants("r", now + seconds))
        pauses.append(float(pause))
        now += pause
    assert pauses[:3] == [2 * FIRST_PAUSE_SECONDS, 4 * FIRST_PAUSE_SECONDS, 8 * FIRST_PAUSE_SECONDS]
    assert pauses[-1] == MAX_PAUSE_SECONDS
    assert keys.is_usable(STALE_SECONDS - 1)
    assert not keys.is_usable(STALE_SECONDS)
    assert not KeyList().is_usable(0.0)
    assert keys.fetched(LISTED, now).failures == 0


def test_whose_a_token_says_it_is() -> None:
    assert issuer_of(jwt.encode(CLAIMS, RSA, "RS256")) == "https://login.example"
    for text in ("", "a.b.c", f"{part({'alg': 'RS256'})}.{part([])}.AAAA", f"{part({'alg': 'RS256'})}.!.x"):
        assert issuer_of(text) is None
