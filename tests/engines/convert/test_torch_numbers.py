"""Numbers out of old torch files without torch; whatever names a program is refused before anything is made of it."""

from __future__ import annotations

import contextlib
import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.convert.torch_numbers import FORMAT, MAGIC, TorchFormatError, tensors
from tests.engines.convert.torch_file import Global, pickled, torch_file

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "a.weight": RANDOM.normal(size=(3, 4)).astype(np.float32),
    "b": RANDOM.normal(size=5).astype(np.float32),
    "one": np.array(2.5, np.float32),
}
FACTS = {"little_endian": True}


@pytest.mark.parametrize("shared", [True, False], ids=["one storage", "a storage each"])
def test_numbers_come_out_as_they_went_in(shared: bool) -> None:
    found = tensors(torch_file(ARRAYS, "state", shared), "file.pt")
    assert sorted(found) == sorted(f"state.{name}" for name in ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[f"state.{name}"], array)


def test_torch_reads_what_the_tests_write(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the format is torch's: install the extra `train`")
    (tmp_path / "file.pt").write_bytes(torch_file(ARRAYS))
    read = torch.load(tmp_path / "file.pt", map_location="cpu", weights_only=True)["model_state"]
    np.testing.assert_array_equal(read["a.weight"].numpy(), ARRAYS["a.weight"])


def test_what_torch_writes_is_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the format is torch's: install the extra `train`")
    state = {"model": {name: torch.from_numpy(array.copy()) for name, array in ARRAYS.items()}, "step": 7}
    torch.save(state, tmp_path / "file.pt", _use_new_zipfile_serialization=False)
    found = tensors((tmp_path / "file.pt").read_bytes(), "file.pt")
    np.testing.assert_array_equal(found["model.a.weight"], ARRAYS["a.weight"])


class Program:
    """Runs a command where a careless reader opens it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def test_a_program_in_the_file_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    heads = pickled(MAGIC) + pickled(FORMAT) + pickled(FACTS)
    for bad in (
        pickle.dumps(Program(f"touch {trace}"), 2) + heads,
        heads + pickle.dumps({"model_state": Program(f"touch {trace}")}, 2),
        heads + pickled({"model_state": Global("builtins", "eval")}),
        heads + pickled({"model_state": Global("torch", "load")}),
    ):
        with pytest.raises(TorchFormatError, match="program") as refusal:
            tensors(bad, "bad.pt")
        assert "\n" not in str(refusal.value)
    assert not trace.exists()


def test_damaged_files_are_refused_in_one_line() -> None:
    whole = torch_file(ARRAYS)
    two = pickled(MAGIC) + pickled(FORMAT)
    for bad in (
        b"",
        b"\x80\x02.",
        whole[:-3],
        whole[: len(whole) // 2],
        pickled(1) + whole[len(pickled(MAGIC)) :],
        two + pickled({"little_endian": False}) + pickled({}) + pickled([]),
        two + pickled(FACTS) + pickled({}) + pickled("keys"),
        two + pickled(FACTS) + pickled({}) + pickled(["k"]) + b"\xff" * 8,
    ):
        with pytest.raises(TorchFormatError, match=r"download it again|as it was published") as refusal:
            tensors(bad, "file.pt")
        assert "\n" not in str(refusal.value)


def test_no_room_is_made_for_what_a_file_says_will_come() -> None:
    whole = torch_file(ARRAYS)
    # A bytearray (protocol 5) of a gigabyte, of which nothing comes.
    bad = whole[:2] + b"\x96" + (1 << 30).to_bytes(8, "little") + whole[2:]
    tracemalloc.start()
    try:
        with pytest.raises(TorchFormatError, match="download it again"):
            tensors(bad, "file.pt")
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


def test_a_tensor_may_not_reach_beyond_its_storage() -> None:
    honest = torch_file({"a": np.arange(4, dtype=np.float32)})
    # The count of the storage and its numbers are the last 8 + 16 bytes.
    short = honest[:-24] + (2).to_bytes(8, "little") + honest[-16:-8]
    with pytest.raises(TorchFormatError):
        tensors(short, "file.pt")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 600), st.binary(min_size=1, max_size=8))
def test_a_changed_file_is_read_or_refused(at: int, change: bytes) -> None:
    whole = torch_file(ARRAYS)
    with contextlib.suppress(TorchFormatError):
        tensors(whole[:at] + change + whole[at + len(change) :], "file.pt")
