"""The settings of gateways that know each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.config import ConfigError, Settings
from monitor.host.cluster.gateway import is_wanted
from monitor.host.peers.options import PeerOptions, options_of

SECRET = "sixteen-characters-or-more"
SHARED: dict[str, Any] = {
    "database_url": "postgresql://user:password@db/sidewitness",
    "peer_secret": SECRET,
    "token": "a-token-that-is-the-same",
    "token_key_file": "tokens.key",
}


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(state_dir=folder, **more)


def test_without_others_there_is_nothing_to_set(tmp_path: Path) -> None:
    assert options_of(settings(tmp_path)) is None
    assert not is_wanted(settings(tmp_path))


def test_others_are_named_by_host_and_port(tmp_path: Path) -> None:
    named = ["gateways.example:8482", "10.0.0.7:9000", "[fd00::1]:8482"]
    made = settings(tmp_path, peers=named, peer_host="0.0.0.0", peer_port=9001, **SHARED)
    addresses = (("gateways.example", 8482), ("10.0.0.7", 9000), ("fd00::1", 8482))
    assert options_of(made) == PeerOptions("0.0.0.0", 9001, addresses, SECRET)
    assert is_wanted(made)
    assert SECRET not in repr(options_of(made))


@pytest.mark.parametrize(
    "address", ["gateway", "gateway:", "gateway:0", "gateway:65536", "http://a:1", "a b:1", "[::1:8"]
)
def test_an_address_is_a_host_and_a_port(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match="setting 'peers': write HOST:PORT"):
        options_of(settings(tmp_path, peers=[address], **SHARED))


@pytest.mark.parametrize("secret", [None, "", "fifteen-letters"])
def test_they_have_a_secret_that_cannot_be_guessed(tmp_path: Path, secret: str | None) -> None:
    with pytest.raises(ConfigError, match=r"setting 'peer_secret': .* 16 or more"):
        options_of(settings(tmp_path, peers=["a:1"], **{**SHARED, "peer_secret": secret}))


def test_they_share_a_database_and_whatever_says_who_bearers_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"share a PostgreSQL, .*: set database_url, token, token_key_file too"):
        options_of(settings(tmp_path, peers=["a:1"], peer_secret=SECRET))
    with pytest.raises(ConfigError, match=r"set token_key_file too$"):
        options_of(settings(tmp_path, peers=["a:1"], **{**SHARED, "token_key_file": None}))
