"""Every expected error of every module reaches the terminal as one line with the right exit status."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from engines.errors import SidewitnessError
from monitor import cli
from monitor.cli import doctor

ROOT = Path(__file__).parents[1]
PACKAGES = ("engines", "monitor", "plugins")
# Exceptions that are control flow: somebody above always catches them, and no command ends by one.
CONTROL_FLOW = {
    "engines.convert.torch_numbers._BeyondNumbersError": "whoever reads the file refuses it in a line",
    "monitor.host.policing.AlreadyTold": "is written down already",
    "monitor.api.enrolments.Busy": "the API answers 429 or 409",
    "monitor.api.enrolments.Refused": "the API answers with the reasons",
    "monitor.api.enrolments._Cancelled": "ends a job that its owner cancelled",
    "monitor.api.form.FormError": "the API answers with its status",
    "monitor.api.problem.Problem": "is the API's answer",
    "monitor.tap.clip_time.Scattered": "whoever reads the clip refuses it by its name",
    "monitor.tap.clip_wire.WireError": "whoever reads the clip says that its decoder broke",
    "monitor.tap.rtp.sdp.SdpError": "the WHIP endpoint answers with its status",
    "plugins.protocols.janus.JanusError": "the plug-in joins again",
    "plugins.protocols.livekit.webhook.WebhookError": "the plug-in's listener answers 401",
    "plugins.protocols.janus.RefusedError": "the plug-in says what Janus refused, or joins again",
    "plugins.protocols.zoom.messages.RtmsError": "the plug-in says what Zoom offers, or goes on with the next message",
    "plugins.protocols.zoom.webhook.WebhookError": "the plug-in answers with its status",
    "plugins.zoom_call._Broken": "the connection is made again",
    "plugins.zoom_call._Over": "the call is over, and why is told",
}
MISUSE = {
    "monitor.alerts.casework.events.CaseworkError",
    "monitor.alerts.casework.labels.LabelsError",
    "monitor.cli.reports.ReportUsageError",
    "monitor.lab.commands.labels.LabelsFileError",
    "monitor.api.access.claims.TokenError",
    "monitor.config.ConfigError",
    "monitor.identity.vault.consent.ConsentError",
    "monitor.host.planning.costs.PlanError",
    "monitor.lab.bench.comparison.CompareError",
    "monitor.lab.corpus.manifest.CorpusError",
}
# What may be absent, of an import that names it: the extras. Nothing else excuses a module that does not import.
OPTIONAL = {"torch", "onnx", "onnxscript", "sklearn", "matplotlib", "tensorrt", "pycuda", "tf2onnx", "tensorflow"}
OPTIONAL |= {"livekit", "aiohttp", "ray"}
# Run when imported, which is not what this test is for.
PROGRAMS = {"__main__", "migrations"}


def modules() -> list[str]:
    files = (file.relative_to(ROOT) for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    names = (file.with_suffix("").parts for file in files if not set(file.with_suffix("").parts) & PROGRAMS)
    return sorted(".".join(parts).removesuffix(".__init__") for parts in names)


def name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def exceptions(module: str) -> list[type[Exception]]:
    """The exception classes that a module defines."""
    members = vars(importlib.import_module(module)).values()
    return [
        kind for kind in members if inspect.isclass(kind) and issubclass(kind, Exception) and kind.__module__ == module
    ]


@pytest.mark.parametrize("module", modules())
def test_an_error_of_any_module_is_one_line_with_its_exit_status(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        found = exceptions(module)
    except ImportError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in OPTIONAL or find_spec(missing) is not None:
            raise
        pytest.skip(f"{missing} is not installed")
    for kind in found:
        if name_of(kind) in CONTROL_FLOW:
            assert not issubclass(kind, SidewitnessError), f"{name_of(kind)} is expected: take it off the list"
            continue
        assert issubclass(kind, SidewitnessError), f"{name_of(kind)} would be told as an internal error"
        # Constructors differ, and what the terminal shows is the text alone.
        raised = kind.__new__(kind)
        raised.args = ("clip.mp4 has no sound:\n give one that has",)
        shown = _terminal(raised, monkeypatch, capsys)
        assert shown == (2 if name_of(kind) in MISUSE else 1, "error: clip.mp4 has no sound: give one that has\n")


def test_no_exception_hides_inside_a_function_or_a_class() -> None:
    hidden = [
        f"{file.relative_to(ROOT)}: {node.name}"
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        for text in [file.read_text()]
        if re.search(r"^\s+class ", text, re.MULTILINE)
        for tree in [ast.parse(text)]
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and node not in tree.body
        and any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases)
    ]
    assert hidden == []


def test_the_lists_name_what_is_there() -> None:
    for name in (*CONTROL_FLOW, *MISUSE):
        module, _, kind = name.rpartition(".")
        assert inspect.isclass(getattr(importlib.import_module(module), kind))


def test_an_error_that_nobody_expects_is_an_internal_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unexpected(Exception): ...  # noqa: N818

    status, text = _terminal(Unexpected("what happened"), monkeypatch, capsys)
    assert status == 1
    assert "internal error (Unexpected: what happened)" in text


def _terminal(error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status and stderr of a command that ends by this error."""

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(doctor, "examine", fail)
    status = cli.run(["doctor"])
    said = capsys.readouterr()
    assert said.out == ""
    return status, said.err
