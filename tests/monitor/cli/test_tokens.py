"""Tokens on the command line: what is made is listed without its text, revoked, and out of force with its key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor import cli
from monitor.api.access.keyring import KeyRing


def test_a_token_is_made_listed_and_revoked_and_its_key_rotated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path))
    seat = ["--call", "board", "--participant", "alice*", "--identity", "Alice A"]
    order = ["tokens", "create", "--role", "publisher", "--subject", "alice", *seat]
    assert cli.run([*order, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    claims = KeyRing(tmp_path / "tokens.key").verify(made["token"])
    assert claims is not None
    assert (claims["sub"], claims["role"], claims["call"], claims["jti"]) == ("alice", "publisher", "board", made["id"])
    assert cli.run(["tokens", "list", "--json"]) == 0
    listed = capsys.readouterr().out
    assert [(one["id"], one["state"]) for one in json.loads(listed)["tokens"]] == [(made["id"], "active")]
    assert made["token"] not in listed
    assert cli.run(["tokens", "revoke", made["id"]]) == 0
    assert cli.run(["tokens", "list"]) == 0
    assert "revoked" in capsys.readouterr().out
    assert cli.run(["tokens", "rotate-key"]) == cli.run(["tokens", "rotate-key", "--drop-old"]) == 0
    assert KeyRing(tmp_path / "tokens.key").verify(made["token"]) is None


def test_what_cannot_be_made_or_revoked_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path))
    assert cli.run(["tokens", "create", "--role", "root", "--subject", "alice"]) == 2
    assert cli.run(["tokens", "revoke", "none"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in errors] == ["error", "error"]
