"""What is read from files: settings, consents, manifests and what lies beside packs, references, tables, and clips."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from engines.base import check_inputs, zeros
from engines.convert import dlib_format, torch_numbers
from engines.errors import SidewitnessError
from engines.packs import parse_json, parse_manifest
from monitor import config
from monitor.detectors.persona.companion import MotionPopulation
from monitor.detectors.reference import Reference
from monitor.detectors.synchrony.entry import load_calibration, load_fusion
from monitor.detectors.synchrony.fusion import Moment
from monitor.face.coefficients import read_coefficients
from monitor.identity.vault.consent import read_consent
from monitor.lab.corpus.datasets import base as datasets
from monitor.lab.corpus.manifest import read_manifest
from monitor.lab.evaluate.resume_log import ResumeLog
from monitor.tap.clip_decode import decode_clip, read_header
from monitor.tap.clip_file import TrackChoice, close_files, open_files
from monitor.tap.clip_wire import HEADER, Kind, Listener, WireError, one_line, read_text
from monitor.tap.media.config import ClipLimits
from monitor.types import AudioBlock, MediaItem, TrackFault
from tests.engines import packs
from tests.fuzz.target import Target

# Of a damaged clip so many items are read: what a clip may cost is the business of tests/monitor/tap.
MAX_ITEMS = 200
EXPECTED = (SidewitnessError,)
SCRATCH = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


@contextmanager
def written(data: bytes, name: str) -> Iterator[Path]:
    """The bytes as a file, where that costs little; it is alone in its folder."""
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    try:
        (folder / name).write_bytes(data)
        yield folder / name
    finally:
        shutil.rmtree(folder)


def of_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], None]:
    """What reads a file, as what reads bytes."""

    def parse(data: bytes) -> None:
        with written(data, name) as path:
            read(path)

    return parse


def calibration(data: bytes) -> None:
    """As the sidecar reads it at its start, and the p-values of what was read."""
    with written(data, "x") as path:
        packs.put(packs.write(path.parent, name="speech_lips") / "calibration.json", data)
        read = load_calibration(path.parent)
    for table in read.tables:
        assert 0.0 < read.p_value(0.0, table.seconds) <= 1.0


def fusion(data: bytes) -> None:
    """As the sidecar reads the rule at its start, and what it says of a moment."""
    with written(data, "x") as path:
        packs.put(packs.write(path.parent, name="speech_lips") / "fusion.json", data)
        rule = load_fusion(path.parent)
    assert rule is not None
    assert isinstance(rule.log_odds(Moment.of((0.5, 0.4, 0.3), 0.2, 0.7, 8.0, 0.25, 1.0, 0.5)), float)


def pack_manifest(data: bytes) -> None:
    """What a model pack says of itself, and inputs as it describes them."""
    manifest = parse_manifest(parse_json(data, Path("manifest.json")), Path("manifest.json"))
    check_inputs(manifest, zeros(manifest))


def clip(path: Path) -> None:
    """As the process that decodes it reads it, in this one: here is where a crash is seen."""
    files, limits = open_files(path, 2), ClipLimits()
    try:
        info = read_header(files[0], limits, TrackChoice())
        for _ in islice(decode_clip(files, info.tracks, limits, path.stat().st_size), MAX_ITEMS):
            pass
    finally:
        close_files(files)


def clip_wire(data: bytes) -> None:
    """What a decoder that was taken over says, as the process that asked for the clip reads it."""
    listener, body = Listener(1920 * 1088, 3600.0), np.frombuffer(data, np.uint8).copy()
    while len(body) >= HEADER.size:
        head = listener.head(body[: HEADER.size].tobytes())
        told, body = body[HEADER.size : HEADER.size + head.size], body[HEADER.size + head.size :]
        if len(told) < head.size or head.kind is Kind.END:
            return
        if head.kind in (Kind.INFO, Kind.REFUSED):
            one_line(read_text(told.tobytes()), "why")
        else:
            check_item(listener.item(head, told))


def check_item(item: MediaItem) -> None:
    """Hold an item to what every session relies on."""
    if isinstance(item, TrackFault):
        assert math.isfinite(item.arrival)
        assert item.detail.isprintable()
    else:
        assert -2.0 <= item.stamp.capture <= 3602.0
    if isinstance(item, AudioBlock):
        assert np.isfinite(item.samples).all()


def resume_log(path: Path) -> None:
    with ResumeLog(path) as log:
        log.add("last", {"score": 1})
    with ResumeLog(path) as log:
        assert log.entries["last"] == {"score": 1}


def list_of_dataset(path: Path) -> None:
    for read in (lambda: list(datasets.read_table(path, ("path", "label"))), lambda: datasets.read_json(path)):
        try:
            read()
        except SidewitnessError:
            continue


NPZ = (b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY\x01\x00", b"'descr': '|O'", b"'shape': (99999999999,)", b"(-1,)")
YAML = (
    b"!!timestamp 1",
    b"!!int ''",
    b"2026-02-30",
    b"&a [*a]",
    b"? [a]",
    b"<<: 1",
    b"- " * 2000,
    b"~user",
    b"!!binary",
)


def torch_checkpoint(data: bytes) -> None:
    """Numbers of an old checkpoint."""
    torch_numbers.tensors(data, "file.pt")


JSON = (b"1e999", b"-1", b"null", b"true", b"[]", b"{}", b'"a"', b"[" * 100_000)
CSV = (b'"', b"\n", b",", b"\x00", b"real", b"fake", b";", b"../" * 40, b'"' + b"A" * 140_000)

TARGETS = (
    Target("settings", of_file(config.load, "settings.yaml"), EXPECTED, YAML, 120),
    Target("consent_file", of_file(read_consent, "consent.yaml"), EXPECTED, YAML),
    Target("calibration", calibration, EXPECTED, JSON),
    Target("fusion", fusion, EXPECTED, JSON),
    Target("pack_manifest", pack_manifest, EXPECTED, (*JSON, b'"shape": [', b"10000000000", b'"reach": 1e999')),
    Target("reference", Reference.from_bytes, EXPECTED, NPZ, 150),
    Target("motion_population", MotionPopulation.from_bytes, EXPECTED, NPZ, 150),
    Target("dlib_network", dlib_format.network, EXPECTED, (b"\x01\x02", b"\x81\xff", b"\x08" + b"\xff" * 8)),
    Target(
        "torch_numbers",
        torch_checkpoint,
        EXPECTED,
        (b"\x80\x02", b"cos\nsystem\n", b"Q.", b"R", b"r" + b"\xff" * 4),
        150,
    ),
    Target("coefficients_csv", of_file(read_coefficients, "a.csv"), EXPECTED, (*CSV, b"time", b"nan", b"jawOpen"), 150),
    Target("coefficients_json", of_file(read_coefficients, "a.json"), EXPECTED, (*JSON, b'"time": 1'), 150),
    Target("coefficients_npz", of_file(read_coefficients, "a.npz"), EXPECTED, NPZ, 150),
    Target("manifest_csv", of_file(read_manifest, "manifest.csv"), EXPECTED, CSV),
    Target("dataset_list", of_file(list_of_dataset, "list.csv"), EXPECTED, (*CSV, *JSON), 150),
    Target("resume_log", of_file(resume_log, "done.jsonl"), EXPECTED, (*JSON, b'{"key": "a"}\n')),
    Target(
        "clip_wire", clip_wire, (WireError,), (*JSON, b"\x01\x00", b"\x02\x01", b"\x04\x00", b"\x00\x00\xc0\x7f"), 150
    ),
    Target("clip", of_file(clip, "clip.bin"), EXPECTED, (b"moov", b"mdat", b"\x1a\x45\xdf\xa3", b"OggS", b"RIFF"), 40),
)
