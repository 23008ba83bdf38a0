"""Every example of a source is loaded as `serve --config` loads it, with what its variables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import ConfigError, load
from monitor.host.sources import configured_sources
from plugins.folder import FolderOptions
from plugins.janus import JanusOptions
from plugins.livekit_options import LiveKitOptions
from plugins.rtp import RtpOptions
from plugins.whep import WhepOptions
from plugins.zoom_rtms import ZoomOptions

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "sources"
VARIABLES = {
    "folder": {"CLIPS_FOLDER": "/srv/clips"},
    "janus": {"JANUS_URL": "ws://127.0.0.1:8188", "JANUS_ROOM": "1234"},
    "livekit": {
        "LIVEKIT_URL": "wss://livekit.example.org",
        "LIVEKIT_API_KEY": "APIkey",
        "LIVEKIT_API_SECRET": "a-secret",
        "LIVEKIT_ROOM": "board",
    },
    "rtp": {"RTP_SDP": "/etc/sidewitness/board.sdp"},
    "zoom_rtms": {"ZOOM_CLIENT_ID": "an-id", "ZOOM_CLIENT_SECRET": "a-secret", "ZOOM_WEBHOOK_SECRET": "another"},
    "whep": {"WHEP_URL": "https://media.example.org/whep/board"},
}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path))


def options_of(name: str, monkeypatch: pytest.MonkeyPatch, **more: str) -> object:
    for key, value in (VARIABLES[name] | more).items():
        monkeypatch.setenv(key, value)
    (source,) = configured_sources(load(EXAMPLES / f"{name}.yaml").sources)
    assert source.spec.name == name
    return source.options


def test_there_is_an_example_of_each() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == set(VARIABLES)


@pytest.mark.parametrize("name", VARIABLES)
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=next(iter(VARIABLES[name]))):
        load(EXAMPLES / f"{name}.yaml")


def test_a_folder_of_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    options = options_of("folder", monkeypatch)
    assert isinstance(options, FolderOptions)
    assert (options.path, options.call) == (Path("/srv/clips"), "clips")


def test_a_room_of_janus(monkeypatch: pytest.MonkeyPatch) -> None:
    options = options_of("janus", monkeypatch)
    assert isinstance(options, JanusOptions)
    assert (options.room, options.pin, options.api_secret) == (1234, None, None)
    named = options_of("janus", monkeypatch, JANUS_ROOM="board", JANUS_PIN="1234")
    assert isinstance(named, JanusOptions)
    assert named.room == "board"
    assert named.pin is not None
    assert named.pin.get_secret_value() == "1234"
    assert JanusOptions(url="ws://a", room="1234", string_ids=True).room == "1234"


def test_a_room_of_livekit(monkeypatch: pytest.MonkeyPatch) -> None:
    options = options_of("livekit", monkeypatch, LIVEKIT_ROOM="1234")
    assert isinstance(options, LiveKitOptions)
    assert (options.room, options.api_secret.get_secret_value()) == ("1234", "a-secret")
    assert "a-secret" not in repr(options)
    # Two sidecars in one room are two.
    again = options_of("livekit", monkeypatch)
    assert isinstance(again, LiveKitOptions)
    assert again.identity != options.identity
    base = {"url": "wss://a", "api_key": "k", "api_secret": "s"}
    for wrong in ({}, {"room": "a", "webhook_listen": "127.0.0.1:1"}, {"webhook_listen": "127.0.0.1:1", "call": "a"}):
        with pytest.raises(ValueError, match=r"webhook_listen|call is for one room"):
            LiveKitOptions.model_validate(base | wrong)


def test_a_stream_of_whep(monkeypatch: pytest.MonkeyPatch) -> None:
    options = options_of("whep", monkeypatch, WHEP_PARTICIPANT="ada")
    assert isinstance(options, WhepOptions)
    assert (options.token, options.call, options.participant) == (None, "whep", "ada")


def test_what_is_forwarded_as_rtp(monkeypatch: pytest.MonkeyPatch) -> None:
    options = options_of("rtp", monkeypatch)
    assert isinstance(options, RtpOptions)
    assert options.sdp == Path("/etc/sidewitness/board.sdp")


def test_calls_of_zoom(monkeypatch: pytest.MonkeyPatch) -> None:
    options = options_of("zoom_rtms", monkeypatch)
    assert isinstance(options, ZoomOptions)
    assert (options.client_id, options.port, options.path) == ("an-id", 8490, "/zoom/webhook")
    assert options.webhook_secret.get_secret_value() == "another"
    assert "a-secret" not in repr(options)
