"""What only a claimed identity needs waits for the first of them, and until then its detectors warm up."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from engines.base import MODELS, Engine, EngineError
from engines.compose.deferred import Deferred
from engines.load import load_engine
from monitor.detectors.pairwise.entry import ARTEFACTS, IDENTITY
from monitor.detectors.persona.entry import MOTION, PERSONA
from monitor.detectors.voiceprint.entry import PACK as VOICE_IDENTITY
from monitor.host import logging as log
from monitor.session.models import load_models
from monitor.session.session import Session
from monitor.session.warm_later import LOWEST, NICENESS, Later
from monitor.types import ParticipantKey
from tests.engines import packs
from tests.monitor.loaded import pairwise, persona
from tests.monitor.rig import quiet_log


@pytest.fixture
def adder(tmp_path: Path) -> Engine:
    packs.write(tmp_path)
    return load_engine("adder", "onnx", tmp_path)


def test_nothing_put_off_is_ready_and_begins_nothing() -> None:
    later = Later()
    later.prepare()
    later.join()
    assert later.ready
    assert "later" not in {thread.name for thread in threading.enumerate()}


def test_all_are_compiled_once_in_a_thread_of_lower_priority(adder: Engine) -> None:
    where: list[tuple[int, int]] = []
    go = threading.Event()

    def build() -> Engine:
        thread = threading.get_native_id()
        where.append((thread, os.getpriority(os.PRIO_PROCESS, thread)))
        assert go.wait(10)
        return adder

    later = Later([Deferred(adder.manifest, build) for _ in range(2)])
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    for _ in range(3):
        later.prepare()
    assert not later.ready
    go.set()
    later.join()
    assert later.ready
    assert len(where) == 2
    assert {nice for _, nice in where} == {min(own + NICENESS, LOWEST)}
    assert threading.get_native_id() not in {thread for thread, _ in where}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own
    later.prepare()
    later.join()
    assert len(where) == 2


def test_what_failed_is_logged_and_tried_again(adder: Engine) -> None:
    why, told = ["no memory: free some"], io.StringIO()

    def build() -> Engine:
        if why:
            raise EngineError(why[0])
        return adder

    later = Later([Deferred(adder.manifest, build)])
    with quiet_log():
        log.configure(stream=told)
        later.prepare()
        later.join()
    assert not later.ready
    assert "no memory: free some" in told.getvalue()
    why.clear()
    later.prepare()
    later.join()
    assert later.ready


def test_the_sidecar_starts_without_what_nobody_has_claimed_yet() -> None:
    models = load_models("onnx", MODELS, defer=True)
    assert pairwise(models).encoders is not None
    assert persona(models).engines is not None
    put_off = {engine.manifest.name for engine in models.later._engines}
    # What compares voices is built at installation, where that was possible.
    assert put_off - {VOICE_IDENTITY} == {ARTEFACTS, IDENTITY, PERSONA, MOTION}
    Session(ParticipantKey("call", "somebody"), models)
    assert not any(engine.ready for engine in models.later._engines)
    Session(ParticipantKey("call", "somebody", "jane"), models)
    models.later.join()
    assert models.later.ready
