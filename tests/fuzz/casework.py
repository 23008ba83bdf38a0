"""What stands around findings: reports that somebody sends, policies, and orders of the API about cases and actions."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel

from engines.errors import SidewitnessError
from monitor.alerts.journal import Journal
from monitor.alerts.policy import document
from monitor.alerts.policy.rules import Subject
from monitor.alerts.policy.terms import terms_of
from monitor.alerts.report.check import check
from monitor.alerts.report.seal import SealError, opened, sealed
from monitor.api.body import order_of
from monitor.api.problem import Problem
from monitor.api.schemas.actions import ChallengeAnswer, DrillOrder
from monitor.api.schemas.findings import EventOrder
from tests.fuzz.files import of_file
from tests.fuzz.target import Target
from tests.monitor.alerts.build import finding, ready_journal

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
SINKS, DETECTORS = ("soc", "pager", "slack"), ("synchrony", "pairwise", "persona")


@cache
def journal() -> Journal:
    """A journal that holds a finding."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    made = ready_journal(folder)
    made.append(finding())
    return made


def report(data: bytes) -> None:
    """A file as it is; and a place and a content, one after another, signed by somebody with a key of their own."""
    with suppress(SealError):
        opened(data)
    head, _, content = data.partition(b"\n")
    try:
        place = json.loads(head)
    except (ValueError, RecursionError):
        place = None
    checked = check(sealed(content, "html", place if isinstance(place, dict) else {}, KEY), journal())
    # It is printed on a terminal.
    assert all(text.isprintable() for text in (checked.finding, *checked.faults))


def policy(path: Path) -> None:
    """A policy holds for everybody or has faults, each of which is a line."""
    made, faults = document.read(path)
    assert (made is None) == bool(faults)
    assert all(text.isprintable() for text in faults)
    if made is not None:
        list(document.unknown(made, SINKS, DETECTORS))
        terms_of(made, Subject("board", "Jane Doe", frozenset({"board"})))


def orders(data: bytes) -> None:
    """What is asked for about a case, an action or a drill: taken within its bounds, or refused in a line."""
    text = data.decode(errors="replace")
    for shape in (EventOrder, ChallengeAnswer, DrillOrder):
        said = _refusal(shape, text)
        assert said is None or (said and said.isprintable())


def _refusal(shape: type[BaseModel], text: str) -> str | None:
    try:
        order_of(shape, text)
    except Problem as problem:
        return problem.detail
    return None


TARGETS = (
    Target(
        "report",
        report,
        (SealError,),
        (b'"rows": ', b'"seq": ', b'"hash": ', b'"previous": ', b'"id": ', b'"finding": ', b'"\\ud800"', b"null"),
        2000,
    ),
    Target(
        "policy",
        of_file(policy, "policy.yaml"),
        (SidewitnessError,),
        (b"groups:", b"- name: ", b"at_alert:", b"actions: [", b"quiet_hours:", b"5 min", b"*", b"zone: ", b"{}"),
    ),
    Target(
        "orders",
        orders,
        (),
        (b'"event": ', b'"outcome": ', b'"label": ', b'"call": ', b"null", b'"\\ud800"', b"{}"),
        10_000,
    ),
)
