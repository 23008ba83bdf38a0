"""The example that starts Janus, coturn and Sidewitness together: without Docker its parts are held one by one."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import SourceSettings, load
from monitor.host.source_check import check
from monitor.host.sources import configured_sources
from plugins.janus import JanusOptions
from tests.interop import janus
from tests.interop.check import stopped
from tests.interop.installed import needs, program
from tests.interop.sidecar import free_port

FOLDER = Path(__file__).parents[2] / "examples" / "compose"
FILE = FOLDER / "janus.yaml"
CONFIGURED = Path("/etc/janus")
# Of the Compose Specification, what is used here, and of what type.
SERVICE = {
    "build": dict,
    "image": str,
    "network_mode": str,
    "restart": str,
    "depends_on": list,
    "command": list,
    "environment": dict,
    "volumes": list,
    "read_only": bool,
    "tmpfs": list,
    "cap_drop": list,
    "security_opt": list,
    "stop_grace_period": str,
}
SECRETS = {"PUBLIC_ADDRESS": "203.0.113.7", "JANUS_API_SECRET": "a-secret", "TURN_PASSWORD": "a-password"}
_VARIABLE = re.compile(r"\$\{(\w+):\?[^}]+\}")


def document() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return made


def command(service: str) -> list[str]:
    """What a service is started with, variables filled in."""
    return [_VARIABLE.sub(lambda match: SECRETS[match[1]], part) for part in document()["services"][service]["command"]]


def test_it_is_of_the_specification_and_holds_no_secret() -> None:
    whole = document()
    assert set(whole) == {"name", "services", "volumes"}
    for name, service in whole["services"].items():
        assert {key for key, value in service.items() if not isinstance(value, SERVICE[key])} == set(), name
        assert ("image" in service) != ("build" in service)
        assert set(service.get("depends_on", ())) <= set(whole["services"])
        assert ":latest" not in service.get("image", ":1")
    text = FILE.read_text()
    # Every variable must be set, and says what it is.
    assert text.count("${") == len(_VARIABLE.findall(text))
    assert set(_VARIABLE.findall(text)) == set(SECRETS)
    for build in (service["build"] for service in whole["services"].values() if "build" in service):
        assert (FOLDER / build["context"] / build.get("dockerfile", "Dockerfile")).is_file()


def test_sidewitness_is_started_with_a_file_that_it_loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    service = document()["services"]["sidewitness"]
    (inside,) = [one for one in service["volumes"] if one.endswith(":ro")]
    file, where, _ = inside.split(":")
    assert service["command"] == ["serve", "--config", where]
    for key, value in service["environment"].items():
        monkeypatch.setenv(key, _VARIABLE.sub(lambda match: SECRETS[match[1]], value))
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path))
    settings = load(FOLDER / file)
    assert settings.is_loopback
    (source,) = configured_sources(settings.sources)
    assert isinstance(source.options, JanusOptions)
    assert source.options.api_secret is not None
    assert (source.options.room, source.options.api_secret.get_secret_value()) == (1234, "a-secret")


def test_the_turn_server_relays_to_no_private_network() -> None:
    options = command("coturn")
    denied = [one.partition("=")[2] for one in options if one.startswith("--denied-peer-ip=")]
    assert len(denied) == 6
    assert "--lt-cred-mech" in options


@needs("janus", "janus")
@pytest.mark.skipif(not CONFIGURED.is_dir(), reason="the configuration of Debian's Janus is not here: package janus")
async def test_debians_janus_takes_what_it_is_started_with_and_the_room_is_there(tmp_path: Path) -> None:
    port = free_port()
    shutil.copytree(CONFIGURED, tmp_path / "janus")
    # On a port of its own, and with the WebSocket alone, as others may run here.
    (tmp_path / "janus" / "janus.transport.websockets.jcfg").write_text(f"general: {{ ws = true, ws_port = {port} }}\n")
    main = tmp_path / "janus" / "janus.jcfg"
    others = ",".join(p.name for p in (janus.PLUGINS / "transports").glob("*.so") if "websockets" not in p.name)
    main.write_text(main.read_text() + f'\ntransports: {{ disable = "{others}" }}\n')
    executable = program("janus")
    assert executable is not None
    assert "--configs-folder=/etc/janus" in (FOLDER / "Dockerfile.janus").read_text()
    process = await asyncio.create_subprocess_exec(
        executable,
        f"--configs-folder={tmp_path / 'janus'}",
        *command("janus"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with stopped(process):
        await janus._listening(port)
        base = {"plugin": "janus", "url": f"ws://127.0.0.1:{port}", "room": "1234"}
        for secret, said in (("a-secret", "waiting: nobody publishes in the room yet"), ("wrong", "set api_secret")):
            (source,) = configured_sources([SourceSettings.model_validate({**base, "api_secret": secret})])
            assert said in (await check(source, wait_seconds=0.5)).said
