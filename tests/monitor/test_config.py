from __future__ import annotations

import stat
from ipaddress import ip_network
from pathlib import Path

import pytest

from monitor.config import ConfigError, Settings, default_state_dir, load, prepare_state_dir, unknown_variables

SECRET = "0123456789abcdef-not-to-be-shown"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIDEWITNESS_{name.upper()}", raising=False)
    monkeypatch.delenv("SIDEWITNESS_CONFIG", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))


def yaml_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sidewitness.yaml"
    path.write_text(text)
    return path


def refusal(path: Path | None = None, **overrides: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, **overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_defaults_are_safe(tmp_path: Path) -> None:
    settings = load()
    assert (settings.host, settings.port, settings.token) == ("127.0.0.1", 8480, None)
    assert settings.state_dir == tmp_path / "xdg" / "sidewitness" == default_state_dir()
    assert settings.journal_url == f"sqlite:///{tmp_path}/xdg/sidewitness/journal.sqlite"
    assert settings.allowed_networks == ()
    assert (settings.admin_host, settings.health_port) == ("127.0.0.1", 8481)
    assert not settings.try_scores


@pytest.mark.parametrize(
    ("port", "admin", "where"), [(0, None, 0), (9000, None, 9001), (65535, None, 65534), (9000, 0, 0), (0, 7000, 7000)]
)
def test_health_is_on_the_next_port_unless_said_otherwise(port: int, admin: int | None, where: int) -> None:
    assert load(port=port, admin_port=admin).health_port == where


def test_names_are_compared_as_they_are_looked_up() -> None:
    assert load(allowed_hosts=["Meet.Example.", "sidewitness_1"]).allowed_hosts == ("meet.example", "sidewitness_1")


def test_command_line_over_environment_over_file_over_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "port: 1000\nhop_seconds: 1.0\nwindow_seconds: 10\nallowed_networks: [10.0.0.0/8, 'fd00::/8']\n"
    path = yaml_file(tmp_path, text)
    monkeypatch.setenv("SIDEWITNESS_PORT", "2000")
    monkeypatch.setenv("SIDEWITNESS_HOP_SECONDS", "2.0")
    settings = load(path, port=3000, engine=None)
    assert (settings.port, settings.hop_seconds, settings.window_seconds) == (3000, 2.0, 10.0)
    assert settings.engine == "openvino"
    assert settings.allowed_networks == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def test_file_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEWITNESS_CONFIG", str(yaml_file(tmp_path, "max_participants: 3\n")))
    assert load().max_participants == 3


def test_lists_in_the_environment_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = '[{"url": "turn:turn.example.org", "username": "u", "credential": "hidden"}]'
    monkeypatch.setenv("SIDEWITNESS_ICE_SERVERS", servers)
    settings = load()
    assert settings.ice_servers[0].url == "turn:turn.example.org"
    assert "hidden" not in repr(settings)


def test_secrets_stay_out_of_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEWITNESS_TOKEN", SECRET)
    monkeypatch.setenv("SIDEWITNESS_DATABASE_URL", "postgresql://u:hunter2@db/sw")
    settings = load()
    assert settings.token is not None
    assert settings.token.get_secret_value() == SECRET
    assert settings.journal_url == "postgresql://u:hunter2@db/sw"
    assert SECRET not in repr(settings)
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize("token", ["with a space in the middle", "ünïcode-ünïcode-ünïcode", "line\nfeed"])
def test_token_that_cannot_be_sent_is_refused_without_repeating_it(token: str) -> None:
    message = refusal(token=token)
    assert "SIDEWITNESS_TOKEN" in message
    assert token not in message


def test_empty_token_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEWITNESS_TOKEN", "")
    assert load().token is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot: 1\n", "unknown setting 'prot'"),
        ("port: 70000\n", "SIDEWITNESS_PORT"),
        ("window_seconds: 7\n", "only 5 and 10"),
        ("engine: cuda\n", "SIDEWITNESS_ENGINE"),
        ("ice_servers: [{url: 'http://x'}]\n", "ice_servers.0.url"),
        ("ice_servers: [{url: 'stun:x', colour: red}]\n", "ice_servers.0.colour"),
        ("leave_seconds: 4.9\n", "SIDEWITNESS_LEAVE_SECONDS"),
        ("leave_seconds: 90000\n", "SIDEWITNESS_LEAVE_SECONDS"),
        ("trusted_proxies: [localhost]\n", "SIDEWITNESS_TRUSTED_PROXIES"),
        ("root_path: /a//b\n", "such as /sidewitness"),
        ("allowed_hosts: ['https://meet.example']\n", "such as meet.example"),
        ("allowed_hosts: ['meet.example:8480']\n", "SIDEWITNESS_ALLOWED_HOSTS"),
        ("alert_origins: ['meet.example']\n", "such as https://meet.example"),
        ("alert_origins: ['https://meet.example/']\n", "SIDEWITNESS_ALERT_ORIGINS"),
        ("admin_port: 65536\n", "SIDEWITNESS_ADMIN_PORT"),
        ("- a\n- b\n", "holds no settings"),
        ("1: 2\n", "holds no settings"),
        ("port: [\n", "not valid YAML at line 2"),
        ("port: \x00\n", "not valid YAML"),
    ],
)
def test_bad_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    assert says in refusal(yaml_file(tmp_path, text))


def test_empty_file_is_no_setting(tmp_path: Path) -> None:
    assert load(yaml_file(tmp_path, "# nothing yet\n")).port == 8480


def test_file_that_is_absent_or_not_text(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "absent.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\xfd")
    assert "not valid YAML" in refusal(binary)


def test_environment_list_that_is_not_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEWITNESS_ALLOWED_NETWORKS", "10.0.0.0/8")
    assert "SIDEWITNESS_ALLOWED_NETWORKS is not valid JSON" in refusal()


def test_service_links_of_an_orchestrator_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEWITNESS_PORT", "tcp://10.0.0.1:8480")
    assert "enableServiceLinks" in refusal()


def test_unknown_variables_are_listed() -> None:
    environ = {"SIDEWITNESS_PORT": "1", "SIDEWITNESS_PROT": "1", "SIDEWITNESS_DATA": "x", "HOME": "/"}
    assert unknown_variables(environ) == ["SIDEWITNESS_PROT"]


def test_state_dir_belongs_to_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "state"
    prepare_state_dir(path)
    path.chmod(0o755)
    prepare_state_dir(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_state_dir_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="SIDEWITNESS_STATE_DIR"):
        prepare_state_dir(tmp_path / "file" / "state")


def test_one_place_for_the_master_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load()
    assert (settings.vault_key, settings.vault_key_file, settings.vault_kms) == (None, None, None)
    assert settings.vault_url == f"sqlite:///{tmp_path}/xdg/sidewitness/vault.sqlite"
    # An empty variable is how a container file leaves it out.
    monkeypatch.setenv("SIDEWITNESS_VAULT_KEY", "")
    assert load(vault_key_file=tmp_path / "key", database_url="sqlite:///x").vault_url == "sqlite:///x"
    monkeypatch.setenv("SIDEWITNESS_VAULT_KEY", SECRET)
    assert load().vault_key is not None
    for message in (refusal(vault_key_file=tmp_path / "key"), refusal(vault_kms="house.kms:keys")):
        assert "only one of vault_key, vault_key_file and vault_kms" in message
        assert SECRET not in message
    assert "vault_kms" in refusal(vault_kms="no function named")


@pytest.mark.parametrize(
    ("engine", "batching", "batches"),
    [
        ("openvino", "auto", False),
        ("onnx", "auto", False),
        ("tensorrt", "auto", True),
        ("pytorch", "auto", True),
        ("pytorch-fp16", "auto", True),
        ("openvino", "on", True),
        ("tensorrt", "off", False),
    ],
)
def test_participants_are_computed_together_where_that_gains(engine: str, batching: str, batches: bool) -> None:
    settings = load(engine=engine, batching=batching)
    assert settings.batches is batches
    # Whoever waits for others needs a thread to wait in.
    assert settings.session_threads == (8 if batches else None)
    assert load(engine=engine, batching=batching, workers=3).session_threads == (8 if batches else 3)
    assert load(engine=engine, batching=batching, workers=30).session_threads == 30


def test_a_file_takes_variables_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = yaml_file(tmp_path, "port: ${OUR_PORT}\nsinks: [{kind: webhook, url: '${OUR_URL}/x'}]\n")
    monkeypatch.setenv("OUR_PORT", "2000")
    monkeypatch.setenv("OUR_URL", SECRET)
    settings = load(path)
    assert (settings.port, settings.sinks[0].model_extra) == (2000, {"url": f"{SECRET}/x"})
    monkeypatch.delenv("OUR_PORT")
    monkeypatch.setenv("OUR_URL", "")
    assert (
        refusal(path)
        == f"{path}: these variables are not set or empty: OUR_PORT, OUR_URL: export them before the start"
    )
