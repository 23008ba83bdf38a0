"""The supply chain: what the image installs and how, what is known of it, and the unit that runs it."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from threading import Thread
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
EXTRAS = {"runtime.txt": {"postgres"}, "models.txt": {"identity", "speech"}}
UNIT = ROOT / "examples" / "sidewitness.service"


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of .ci as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f".ci/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def hashed(file: str) -> dict[str, tuple[Requirement, list[str]]]:
    """The pins of a hashed file by name, each with the hashes that follow it."""
    text = (ROOT / ".ci" / file).read_text().replace("\\\n", " ")
    entries = [line.partition(" --hash=") for line in text.splitlines() if line and not line.startswith("#")]
    pins = [(Requirement(pin), re.findall(r"sha256:([0-9a-f]{64})\b", rest)) for pin, _, rest in entries]
    return {canonicalize_name(pin.name): (pin, hashes) for pin, hashes in pins}


@pytest.mark.parametrize("file", EXTRAS)
def test_what_the_image_installs_is_pinned_by_hash_in_the_versions_of_the_tests(file: str) -> None:
    """Where this fails: make constraints."""
    constraints = {
        Requirement(line) for line in (ROOT / ".ci/constraints.txt").read_text().splitlines() if "==" in line
    }
    pins = hashed(file)
    assert {pin for pin, _ in pins.values()} <= constraints
    assert [name for name, (_, hashes) in pins.items() if not hashes] == []
    assert "://" not in (ROOT / ".ci" / file).read_text()


@pytest.mark.parametrize("file", EXTRAS)
def test_all_that_the_project_needs_is_in_the_hashed_file(file: str) -> None:
    """And what that needs, as far as it is installed here; with what builds the wheel, so that nothing is fetched."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    optional = project["project"]["optional-dependencies"]
    waiting = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    waiting += [line for extra in EXTRAS[file] for line in optional[extra]]
    needed: set[str] = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and name not in needed:
            needed.add(name)
            waiting += requires(name)
    assert needed - hashed(file).keys() == set()
    assert len(needed) > 40


def requires(name: str) -> list[str]:
    """What a distribution says that it needs; nothing where it is not installed."""
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        return []


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, on one line each."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(maxsplit=1)[0], " ".join(line.split()[1:])) for line in text.splitlines() if line.strip()]


def test_the_image_installs_by_hash_and_fetches_nothing_else() -> None:
    commands = [part.strip() for kind, line in instructions() if kind == "RUN" for part in line.split("&&")]
    installs = [command for command in commands if "pip install" in command]
    assert len(installs) == 5
    assert [
        c for c in installs if "--require-hashes" not in c and not c.endswith("--no-deps --no-build-isolation .")
    ] == []
    # With build isolation what builds a wheel would be fetched, and not by its hash.
    assert [c for c in installs if "models.txt" in c and "--no-build-isolation" not in c] == []
    downloads = [command for command in commands if re.search(r"pip download|curl|wget|git clone|apt", command)]
    assert [re.sub(r"^.*pip ", "", c) for c in downloads] == [
        "download --no-deps --dest /tmp/speech silero-vad==6.2.3",
        "download --no-deps --dest /tmp/voice resemblyzer==0.1.4",
    ]
    kinds = [kind for kind, _ in instructions()]
    assert "ADD" not in kinds


def test_both_stages_have_the_base_that_a_release_must_pin() -> None:
    bases = [line for kind, line in instructions() if kind == "FROM"]
    assert bases == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]
    assert instructions()[0][0] == "ARG"


def test_the_image_runs_as_nobody_in_particular() -> None:
    last = instructions()[[kind for kind, _ in instructions()].index("FROM", 2) :]
    users = [line for kind, line in last if kind == "USER"]
    assert len(users) == 1
    assert users[0].isdigit()
    assert int(users[0]) >= 1000
    assert f"--uid {users[0]}" in next(line for kind, line in last if kind == "RUN")
    assert [kind for kind, _ in last].index("USER") > max(
        n for n, (kind, _) in enumerate(last) if kind in ("RUN", "COPY")
    )
    entry = next(line for kind, line in last if kind == "ENTRYPOINT")
    assert json.loads(entry) == ["sidewitness"]


class Healthy(BaseHTTPRequestHandler):
    """Answers where health is asked for."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("settings", [{"SIDEWITNESS_ADMIN_PORT": "{port}"}, {"SIDEWITNESS_PORT": "{above}"}])
def test_the_health_check_asks_the_listener_of_health_wherever_it_is(settings: dict[str, str]) -> None:
    """The image's own command: it ends with 0 while somebody answers there, and with another status afterwards."""
    line = next(line for kind, line in instructions() if kind == "HEALTHCHECK")
    program, *arguments = json.loads(line.partition(" CMD ")[2])
    assert program == "python"
    server = HTTPServer(("127.0.0.1", 0), Healthy)
    port = server.server_address[1]
    names = {name: value.format(port=port, above=port - 1) for name, value in settings.items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIDEWITNESS_")}
    environment = clean | {"PYTHONPATH": str(ROOT)} | names
    thread = Thread(target=server.serve_forever)
    thread.start()
    check = [sys.executable, *arguments]
    answered = subprocess.run(check, env=environment, capture_output=True, timeout=60).returncode
    server.shutdown()
    thread.join()
    server.server_close()
    gone = subprocess.run(check, env=environment, capture_output=True, timeout=60).returncode
    assert (answered, gone) == (0, 1)


def test_the_context_holds_what_is_copied_and_no_more() -> None:
    admitted = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [line.split()[:-1] for kind, line in instructions() if kind == "COPY" and "--from" not in line]
    assert sorted(name for names in copied for name in names) == sorted(admitted)
    assert all((ROOT / name).exists() for name in admitted)
    assert (ROOT / ".dockerignore").read_text().startswith("**\n")


def test_the_documented_run_line_takes_rights_away() -> None:
    text = (ROOT / "docs/operations.md").read_text().replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("docker run"))
    words = " ".join(line.split())
    for option in (
        "--read-only",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "--tmpfs /tmp:",
        "--pids-limit ",
    ):
        assert option in words


BASE = "ARG PYTHON_IMAGE=python:3.12-slim"


@pytest.mark.parametrize(
    ("line", "version", "said"),
    [
        (f"{BASE}@sha256:{'0a' * 32}", "1.2.0", "by its digest"),
        (BASE, "1.3.0.dev0", "note: the base"),
    ],
)
def test_a_base_by_digest_is_taken_and_a_tag_between_releases(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, version: str, said: str
) -> None:
    check = script("release_check", monkeypatch)
    monkeypatch.setattr(check, "ROOT", tmp_path)
    (tmp_path / "Dockerfile").write_text(f"# syntax\n{line}\nFROM ${{PYTHON_IMAGE}}\n")
    assert said in check.check_image(check.Release("sidewitness", version, tmp_path))


def test_a_release_is_held_to_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    check = script("release_check", monkeypatch)
    assert {check.install_wheel, check.check_bill, check.check_image, check.check_advisories} <= set(check.STEPS)


@pytest.mark.parametrize("line", [BASE, f"{BASE}@sha256:{'0a' * 31}", f"{BASE}@sha256:{'0g' * 32}", "FROM python"])
def test_a_release_with_a_base_by_its_tag_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str
) -> None:
    check = script("release_check", monkeypatch)
    monkeypatch.setattr(check, "ROOT", tmp_path)
    (tmp_path / "Dockerfile").write_text(line)
    with pytest.raises(check.NotReadyError):
        check.check_image(check.Release("sidewitness", "1.2.0", tmp_path))


@pytest.mark.parametrize(("digest", "pinned"), [("sha256:" + "5c" * 32, True), ("sha256:short", False), ("", False)])
def test_the_base_is_pinned_by_what_docker_says(tmp_path: Path, digest: str, pinned: bool) -> None:
    """Twice, so that one that is pinned is pinned anew by its tag. Docker's answer is played: there is no registry."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "Dockerfile", tmp_path)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    said = f"Name: docker.io/library/python:3.12-slim\nDigest: {digest}\n\nManifests:\n  Name: x@sha256:{'00' * 32}\n"
    docker.write_text(f'#!/bin/sh\n[ "$*" = "buildx imagetools inspect python:3.12-slim" ] && printf "{said}"\n')
    docker.chmod(0o755)
    environment = os.environ | {"PATH": f"{docker.parent}:{os.environ['PATH']}"}
    before = (tmp_path / "Dockerfile").read_text()
    for _ in range(2):
        done = subprocess.run(["make", "base-image"], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode == 0) is pinned
    after = (tmp_path / "Dockerfile").read_text()
    assert after == (before.replace(BASE, f"{BASE}@{digest}") if pinned else before)


def answer(**advisories: list[str]) -> str:
    """What pip-audit says: of `aiortc` and `ruff` with these advisories, and of `torch` that it does not know it."""
    named = {"aiortc": list[str](), "ruff": list[str]()} | advisories
    known = [{"name": n, "version": "1", "vulns": [{"id": i} for i in ids]} for n, ids in named.items()]
    return json.dumps({"dependencies": [*known, {"name": "torch", "skip_reason": "not found"}], "fixes": []})


def test_an_advisory_about_what_is_shipped_fails_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    audit = script("audit", monkeypatch)
    shipped = audit.names_in(ROOT / ".ci/runtime.txt")
    assert {"aiortc", "av", "cryptography"} <= shipped
    assert "ruff" not in shipped
    with pytest.raises(audit.AuditError, match=r"aiortc \(PYSEC-1\)"):
        audit.judge(audit.read(answer(aiortc=["PYSEC-1"])), shipped)
    lines = audit.judge(audit.read(answer(ruff=["PYSEC-2"])), shipped)
    assert lines[0].startswith("no known vulnerability in what is shipped (2 versions")
    assert "maintainers install: ruff" in lines[1]
    assert "does not know them: torch" in lines[2]


def test_no_answer_is_told_and_never_taken_for_a_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip-audit says that nothing is known where its service knows none of the names, and ends with 0."""
    audit = script("audit", monkeypatch)
    nothing = json.dumps({"dependencies": [{"name": "aiortc", "skip_reason": "not found"}], "fixes": []})
    for said in (audit.judge(None, {"aiortc"}), audit.judge(audit.read(nothing), {"aiortc"})):
        assert len(said) == 1
        assert said[0].startswith("NOT AUDITED")


@pytest.mark.parametrize(
    ("stderr", "reached"),
    [
        ("requests.exceptions.ProxyError: HTTPSConnectionPool: Max retries exceeded", None),
        ("ERROR:pip_audit._cli:Could not connect to the service: ConnectionError", None),
        ("ERROR:pip_audit._cli:requirement file is invalid", "fails"),
        ("", "fails"),
    ],
)
def test_only_a_service_that_cannot_be_reached_excuses_the_audit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stderr: str, reached: str | None
) -> None:
    audit = script("audit", monkeypatch)
    (tmp_path / "pip_audit.py").write_text(f"import sys; sys.exit({stderr!r} or 1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if reached is None:
        assert audit.ask(ROOT / ".ci/constraints.txt") is None
        return
    with pytest.raises(audit.AuditError, match="cannot run"):
        audit.ask(ROOT / ".ci/constraints.txt")


def test_the_bill_of_materials_names_packages_and_every_file_of_a_pack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sbom = script("sbom", monkeypatch)
    for name, more in {"sidewitness": "Requires-Dist: Av_X>=1\nLicense-Expression: Apache-2.0\n", "av.x": ""}.items():
        folder = tmp_path / f"{name}-1.2.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.2\n{more}")
    pack = tmp_path / "engines/models/face"
    pack.mkdir(parents=True)
    (pack / "model.onnx").write_bytes(b"model")
    about = {"name": "face", "version": "3", "licence": "Apache-2.0", "source": "from https://example.org/face."}
    (pack / "manifest.json").write_text(json.dumps(about))
    assert sbom.main(tmp_path, tmp_path / "out" / "bill.json") == 0
    bill = json.loads((tmp_path / "out" / "bill.json").read_text())
    assert [entry["license"]["id"] for entry in bill["metadata"]["component"]["licenses"]] == ["Apache-2.0"]
    model, library = sorted(bill["components"], key=lambda part: part["type"], reverse=True)
    assert (library["purl"], library["type"]) == ("pkg:pypi/av-x@1.2", "library")
    assert model["type"] == "machine-learning-model"
    assert model["hashes"] == [
        {"alg": "SHA-256", "content": "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"}
    ]
    assert [part["name"] for part in model["components"]] == ["manifest.json", "model.onnx"]
    uses = {entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]}
    assert uses["pypi:sidewitness"] == ["pack:face", "pypi:av-x"]
    assert sbom.main(tmp_path / "out", tmp_path / "none.json") == 1


def unit() -> configparser.SectionProxy:
    """The unit's section of the service."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT)
    return parser["Service"]


def test_the_unit_takes_rights_away() -> None:
    service = unit()
    on = (
        *("NoNewPrivileges", "DynamicUser", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectKernelTunables"),
        *(
            "ProtectKernelModules",
            "ProtectKernelLogs",
            "ProtectControlGroups",
            "RestrictSUIDSGID",
            "RestrictNamespaces",
        ),
    )
    assert {name: service.get(name) for name in on} == dict.fromkeys(on, "yes")
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == ""
    assert service["UMask"] == "0077"
    assert "token" not in UNIT.read_text().lower().replace("journal, vault and token lie", "")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_understands_the_unit_and_exposes_little(tmp_path: Path) -> None:
    """With a command that is there; `systemd-analyze security` counts from 0, nothing, to 10 (here in tenths)."""
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
    for command in (["verify", "--man=no"], ["security", "--offline=true", "--threshold=20", "--no-pager"]):
        done = subprocess.run(["systemd-analyze", *command, str(copy)], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
