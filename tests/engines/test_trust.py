"""Whoever changes a pack is found out: every file of it, whatever the change, before anything of it is run."""

from __future__ import annotations

import base64
import json
import shutil
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from engines import trust
from engines.base import MODELS, EngineError, ModelPackError
from engines.load import load_engine
from engines.packs import load_pack, open_pack, read_manifest, vouched
from engines.seal import changes, seal
from monitor.cli import run
from monitor.detectors.packs import PackLoader
from monitor.detectors.synchrony.entry import CALIBRATION, LIPS, load_calibration
from monitor.session.models import load_models
from tests.engines import packs

SHIPPED = sorted(path.parent.name for path in MODELS.glob(f"*/{trust.SIGNATURE}"))
FILES = sorted(path.relative_to(MODELS).as_posix() for name in SHIPPED for path in (MODELS / name).iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return packs.write(tmp_path)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Be a process that made no pack and trusts none: the path of its list."""
    monkeypatch.setattr(trust, "_made_here", set())
    monkeypatch.setenv(trust.STORE_VARIABLE, str(tmp_path / "own" / "trusted-packs"))
    return tmp_path / "own" / "trusted-packs"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    secret = Ed25519PrivateKey.generate()
    path.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def test_every_pack_of_the_project_is_signed(elsewhere: Path) -> None:
    assert len(SHIPPED) == 9
    for name in SHIPPED:
        pack = load_pack(MODELS / name)
        assert vouched(pack.folder, name, read_manifest(pack.folder)) == "signed"


@pytest.mark.parametrize("file", FILES)
def test_one_flipped_byte_in_any_file_is_refused_in_one_line(file: str, tmp_path: Path, elsewhere: Path) -> None:
    name = Path(file).parts[0]
    shutil.copytree(MODELS / name, tmp_path / name)
    path = tmp_path / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelPackError) as caught:
        load_pack(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert "reinstall" in str(caught.value)


@pytest.mark.parametrize("file", ["familiar.npz", "card.md", "model.onnx", "manifest.json"])
def test_a_file_that_is_gone_is_refused(file: str, tmp_path: Path, elsewhere: Path) -> None:
    shutil.copytree(MODELS / "speech_voice", tmp_path / "speech_voice")
    (tmp_path / "speech_voice" / file).unlink()
    with pytest.raises(ModelPackError, match=r"is missing|no model pack"):
        load_pack(tmp_path / "speech_voice")


@pytest.mark.parametrize("name", ["people.npz", ".hidden", "nested"])
def test_a_file_that_the_manifest_does_not_list_is_refused(folder: Path, name: str) -> None:
    (folder / name).mkdir() if name == "nested" else (folder / name).write_bytes(b"x")
    with pytest.raises(ModelPackError, match=f"{name} is not in the manifest of its pack"):
        load_pack(folder)


def test_a_manifest_made_to_fit_a_changed_file_has_no_signature(tmp_path: Path, elsewhere: Path) -> None:
    shutil.copytree(MODELS / LIPS, tmp_path / LIPS)
    signature = (tmp_path / LIPS / trust.SIGNATURE).read_bytes()
    (tmp_path / LIPS / CALIBRATION).write_text('{"schema": 1, "tables": []}')
    seal(tmp_path / LIPS)
    trust._made_here.clear()
    with pytest.raises(ModelPackError, match="nobody signed or trusts it"):
        load_calibration(tmp_path)
    (tmp_path / LIPS / trust.SIGNATURE).write_bytes(signature)
    with pytest.raises(ModelPackError, match="its signature does not hold: reinstall"):
        load_calibration(tmp_path)


def test_a_signed_pack_does_not_stand_in_for_another(tmp_path: Path, elsewhere: Path) -> None:
    shutil.copytree(MODELS / "face_detector", tmp_path / "face_landmarks")
    with pytest.raises(ModelPackError, match="its signature does not hold"):
        load_pack(tmp_path / "face_landmarks")


def test_a_changed_calibration_keeps_the_sidecar_from_starting(tmp_path: Path, elsewhere: Path) -> None:
    for name in (LIPS, "speech_voice"):
        shutil.copytree(MODELS / name, tmp_path / name)
    path = tmp_path / LIPS / CALIBRATION
    path.write_bytes(path.read_bytes().replace(b"0.1", b"9.1", 1))
    for refused in (lambda: load_models("onnx", tmp_path), lambda: load_calibration(tmp_path)):
        with pytest.raises(EngineError, match=r"calibration\.json does not match the sha256 .* do not run it"):
            refused()


def test_an_engine_and_a_table_are_of_a_pack_that_somebody_vouches_for(folder: Path, elsewhere: Path) -> None:
    for refused in (
        lambda: load_engine("adder", "onnx", folder.parent),
        lambda: PackLoader(folder.parent).beside("adder", "card.md", bytes.decode),
    ):
        with pytest.raises(ModelPackError, match=r"nobody signed or trusts it: .* `sidewitness engines trust"):
            refused()


def test_what_is_parsed_is_what_was_hashed(folder: Path) -> None:
    pack = open_pack(folder)
    (folder / "card.md").write_text("changed since")
    with pytest.raises(ModelPackError, match="does not match the sha256"):
        pack.read("card.md")
    with pytest.raises(ModelPackError, match="does not match the sha256"):
        PackLoader(folder.parent).beside("adder", "card.md", bytes.decode)


def test_a_pack_is_trusted_by_its_user_and_no_other(
    folder: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["engines", "trust", "--check", str(folder)]) == 1
    assert run(["engines", "trust", str(folder)]) == 0
    assert "trusted, 2 files" in capsys.readouterr().out
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o600
    assert load_pack(folder).manifest.name == "adder"
    assert run(["engines", "trust", "--check", str(folder)]) == 0
    before = elsewhere.read_text()
    assert run(["engines", "trust", str(folder)]) == 0
    assert elsewhere.read_text() == before
    # Of another content, the same name is not trusted.
    packs.put(folder / "table.npz", b"x")
    trust._made_here.clear()
    with pytest.raises(ModelPackError, match="nobody signed or trusts it"):
        load_pack(folder)


def test_changes_are_trusted_only_when_they_are_ones_own(
    folder: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "card.md").write_text("changed")
    (folder / "table.npz").write_bytes(b"new")
    assert changes(folder) == ["card.md (changed)", "table.npz (new)"]
    assert run(["engines", "trust", str(folder)]) == 1
    assert "card.md (changed), table.npz (new): reinstall it" in capsys.readouterr().err
    assert run(["engines", "trust", "--accept-changes", str(folder)]) == 0
    trust._made_here.clear()
    assert sorted(load_pack(folder).manifest.files) == ["card.md", "model.onnx", "table.npz"]


def test_a_pack_made_before_files_were_listed_is_refused_until_it_is_trusted(folder: Path, elsewhere: Path) -> None:
    packs.edit(folder, files=None)
    with pytest.raises(ModelPackError, match="does not list the files of its pack"):
        load_pack(folder)
    assert run(["engines", "trust", str(folder)]) == 0
    assert sorted(load_pack(folder).manifest.files) == ["card.md", "model.onnx"]


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_list_that_others_can_write_is_not_believed(folder: Path, elsewhere: Path, mode: int) -> None:
    assert run(["engines", "trust", str(folder)]) == 0
    elsewhere.chmod(mode)
    with pytest.raises(EngineError, match="can be written by others"):
        load_pack(folder)


def test_a_list_that_cannot_be_had_is_one_line(
    folder: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere.mkdir(parents=True)
    with pytest.raises(EngineError, match="cannot be read"):
        load_pack(folder)
    assert run(["engines", "trust", str(folder)]) == 1
    monkeypatch.delenv(trust.STORE_VARIABLE)
    monkeypatch.setenv("XDG_CONFIG_HOME", "~nobody-of-this-name")
    with pytest.raises(EngineError, match="no home directory"):
        load_pack(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/somewhere")
    assert trust.store() == Path("/somewhere/sidewitness/trusted-packs")
    capsys.readouterr()


def test_a_maintainer_signs(
    folder: Path, key: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["engines", "sign", str(folder), "--key", str(key)]) == 0
    told = capsys.readouterr()
    assert "signed" in told.out
    assert "no key of the project" in told.err
    with pytest.raises(ModelPackError, match="its signature does not hold"):
        load_pack(folder)
    monkeypatch.setattr(trust, "RELEASE_KEYS", (*trust.RELEASE_KEYS, trust.public_half(trust.read_key(key))))
    assert load_pack(folder).manifest.name == "adder"
    (folder / "card.md").write_text("changed")
    assert run(["engines", "sign", str(folder), "--key", str(key)]) == 1
    assert "card.md (changed)" in capsys.readouterr().err
    packs.edit(folder, files=None)
    assert run(["engines", "sign", str(folder), "--key", str(key)]) == 0
    assert load_pack(folder).manifest.files.keys() == {"card.md", "model.onnx"}


def test_what_is_no_signature_is_none(key: Path) -> None:
    secret, manifest = trust.read_key(key), b"{}"
    keys = (trust.public_half(secret),)
    signature = trust.sign(manifest, secret).encode()
    assert trust.is_signed(manifest, signature, keys)
    assert not trust.is_signed(manifest + b" ", signature, keys)
    assert not trust.is_signed(manifest, signature, ())
    # Signed for something else by the same key.
    assert not trust.is_signed(manifest, base64.b64encode(secret.sign(manifest)), keys)
    for none in (b"", b"!", b"QUJD", b"\xff" * 64, signature[:-8]):
        assert not trust.is_signed(manifest, none, keys)


def test_what_is_no_key_is_one_line(tmp_path: Path) -> None:
    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content, why in ((None, "cannot be read"), (b"words", "is no private key"), (other, "is no Ed25519 key")):
        if content is not None:
            (tmp_path / "key.pem").write_bytes(content)
        with pytest.raises(EngineError, match=f"{why}.*openssl genpkey"):
            trust.read_key(tmp_path / "key.pem")


def test_the_list_of_packs_says_who_vouches(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["engines", "list", "--json", "--models", str(folder.parent)]) == 0
    assert [row["vouched"] for row in json.loads(capsys.readouterr().out)["packs"]] == ["trusted"]
