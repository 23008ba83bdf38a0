"""Which signatures are taken, and what becomes of the file of keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import stat
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from monitor.api.access.keyring import MAX_TOKEN_CHARS, KeyRing, key_id_of
from monitor.config import ConfigError
from tests.monitor.api.access.build import part

CLAIMS = {"sub": "alice", "aud": "sidewitness"}


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "tokens.key")


def private_key(keys: KeyRing) -> Ed25519PrivateKey:
    key = load_pem_private_key(keys.path.read_bytes().partition(b"\n")[2], None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def test_what_was_signed_is_read_and_the_file_is_its_owners(keys: KeyRing) -> None:
    assert keys.verify("a.b.c") is None
    assert not keys.path.exists()
    assert keys.verify(keys.sign(CLAIMS)) == CLAIMS
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert [path.name for path in keys.path.parent.iterdir()] == ["tokens.key"]
    assert KeyRing(keys.path).verify(keys.sign(CLAIMS)) == CLAIMS
    assert "tokens.key" not in repr(keys)


def test_no_other_algorithm_is_taken_whatever_the_token_says(keys: KeyRing) -> None:
    good = keys.sign(CLAIMS)
    key = private_key(keys)
    kid = key_id_of(key)
    public = key.public_key()
    none = f"{part({'alg': 'none', 'kid': kid})}.{part(CLAIMS)}."
    # The public key as the secret of an HMAC: the classic confusion of algorithms, in each form a library might take.
    confused = []
    for secret in (public.public_bytes_raw(), public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        signed = f"{part({'alg': 'HS256', 'kid': kid})}.{part(CLAIMS)}"
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        confused.append(f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")
    rsa = jwt.encode(CLAIMS, generate_private_key(65537, 2048), "RS256", headers={"kid": kid})
    head, body, signature = good.split(".")
    assert keys.verify(good) == CLAIMS
    for forged in (none, *confused, rsa, f"{head}.{part({**CLAIMS, 'sub': 'root'})}.{signature}", f"{head}.{body}."):
        assert keys.verify(forged) is None


def test_a_key_that_is_not_in_the_file_signs_nothing(keys: KeyRing) -> None:
    keys.sign(CLAIMS)
    stranger = Ed25519PrivateKey.generate()
    for kid in (key_id_of(stranger), key_id_of(private_key(keys)), "", None):
        assert keys.verify(jwt.encode(CLAIMS, stranger, "EdDSA", headers={"kid": kid} if kid else None)) is None


@pytest.mark.parametrize("text", ["", "a", "..", "a.b", "a.b.c.d", "é.ü.ß", "\udce9.a.b", "e" * 600 + ".a.b"])
def test_what_is_no_token_is_none(keys: KeyRing, text: str) -> None:
    keys.sign(CLAIMS)
    assert keys.verify(text) is None


def test_a_header_that_is_nested_deeply_or_long_is_none(keys: KeyRing) -> None:
    keys.sign(CLAIMS)
    nested = base64.urlsafe_b64encode(b"[" * 1400).decode().rstrip("=")
    assert len(nested) + 4 < MAX_TOKEN_CHARS
    assert keys.verify(f"{nested}.a.b") is None
    assert keys.verify(keys.sign({**CLAIMS, "pad": "x" * MAX_TOKEN_CHARS})) is None


def test_after_a_rotation_old_tokens_go_on_until_their_key_is_taken_out(keys: KeyRing) -> None:
    running = KeyRing(keys.path)
    old = keys.sign(CLAIMS)
    assert running.verify(old) == CLAIMS
    assert keys.rotate() == 2
    new = running.sign(CLAIMS)
    assert running.verify(old) == running.verify(new) == CLAIMS
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    assert keys.drop_old() == 1
    assert (running.verify(old), running.verify(new)) == (None, CLAIMS)
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def test_a_rotation_before_the_first_token_makes_the_file(keys: KeyRing) -> None:
    assert keys.rotate() == 1
    assert keys.verify(keys.sign(CLAIMS)) == CLAIMS


def test_of_two_that_make_the_file_at_once_one_does(keys: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    first = KeyRing(keys.path).sign(CLAIMS)
    # As it looks to one that asked just before the other made it.
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    second = keys.sign(CLAIMS)
    monkeypatch.undo()
    assert keys.verify(first) == keys.verify(second) == CLAIMS


def test_a_file_that_cannot_be_trusted_is_one_line(keys: KeyRing, tmp_path: Path) -> None:
    keys.sign(CLAIMS)
    keys.path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        KeyRing(keys.path).sign(CLAIMS)
    other = generate_private_key(65537, 2048)
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    for text in ("", "nothing", pem, broken, keys.path.read_text() + pem):
        keys.path.write_text(text)
        keys.path.chmod(0o600)
        with pytest.raises(ConfigError, match="no Ed25519 keys"):
            KeyRing(keys.path).sign(CLAIMS)
    with pytest.raises(ConfigError, match="token_key_file"):
        KeyRing(tmp_path / "absent" / "tokens.key").sign(CLAIMS)
    with pytest.raises(ConfigError, match="cannot be read"):
        KeyRing(tmp_path).sign(CLAIMS)
