"""Plans on disk: found under all that they depend on, refused when anything of them changed, closed to others."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.base import TensorSpec
from engines.runtimes.tensorrt.plan_cache import (
    KEY_BYTES,
    TAG_BYTES,
    CacheError,
    PlanCache,
    PlanKey,
    Profile,
    default_folder,
    profiles_of,
    sized,
)

ONE = Profile(1, (("a", (1, 1, 2), (1, 3, 2), (1, 256, 2)),))
KEY = PlanKey("ab" * 32, (ONE,), "11.4.0.106", (9, 0), 13000, "Fake H200")
CHANGES: list[Callable[[PlanKey], PlanKey]] = [
    lambda key: replace(key, model="cd" * 32),
    lambda key: replace(key, profiles=(ONE, replace(ONE, bucket=2))),
    lambda key: replace(key, profiles=(Profile(1, (("a", (1, 1, 2), (1, 3, 2), (1, 64, 2)),)),)),
    lambda key: replace(key, tensorrt="11.4.1.2"),
    lambda key: replace(key, capability=(8, 9)),
    lambda key: replace(key, driver=13010),
    lambda key: replace(key, device="Fake H100"),
    lambda key: replace(key, recipe=key.recipe + 1),
]


@pytest.fixture
def cache(tmp_path: Path) -> PlanCache:
    return PlanCache(tmp_path / "plans")


@pytest.mark.parametrize("change", CHANGES)
def test_a_plan_is_for_all_that_it_depends_on(change: Callable[[PlanKey], PlanKey]) -> None:
    assert change(KEY).digest() != KEY.digest()


def test_the_same_plan_has_the_same_name() -> None:
    assert replace(KEY).digest() == KEY.digest()
    assert len(KEY.digest()) == 64


def test_timings_are_shared_by_the_plans_of_a_machine() -> None:
    shared = [change(KEY).machine() == KEY.machine() for change in CHANGES]
    assert shared == [True, True, True, False, False, False, False, True]


def test_what_was_stored_is_loaded_also_by_the_next_process(cache: PlanCache) -> None:
    assert cache.load("a.plan") is None
    cache.store("a.plan", b"one")
    cache.store("a.plan", b"two")
    assert cache.load("a.plan") == b"two"
    assert PlanCache(cache.folder).load("a.plan") == b"two"
    assert sorted(path.name for path in cache.folder.iterdir()) == ["a.plan", "key"]


@given(st.binary(max_size=64), st.data())
def test_any_altered_byte_is_found(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    cache = PlanCache(tmp_path_factory.mktemp("plans") / "plans")
    cache.store("a.plan", content)
    path = cache.folder / "a.plan"
    raw = bytearray(path.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    assert cache.load("a.plan") is None


@pytest.mark.parametrize("left", [0, 1, TAG_BYTES - 1, TAG_BYTES, TAG_BYTES + 1])
def test_a_cut_file_counts_as_absent(cache: PlanCache, left: int, caplog: pytest.LogCaptureFixture) -> None:
    cache.store("a.plan", b"content")
    path = cache.folder / "a.plan"
    path.write_bytes(path.read_bytes()[:left])
    assert cache.load("a.plan") is None
    assert "a.plan is not as it was written here: it is built anew" in caplog.text


def test_a_plan_under_another_name_is_refused(cache: PlanCache) -> None:
    cache.store("a.plan", b"content")
    (cache.folder / "b.plan").write_bytes((cache.folder / "a.plan").read_bytes())
    assert cache.load("b.plan") is None


def test_a_plan_from_elsewhere_is_refused(cache: PlanCache, tmp_path: Path) -> None:
    other = PlanCache(tmp_path / "elsewhere")
    other.store("a.plan", b"content")
    (cache.folder / "a.plan").write_bytes((other.folder / "a.plan").read_bytes())
    assert cache.load("a.plan") is None


def test_a_link_is_not_followed(cache: PlanCache, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.store("a.plan", b"content")
    (cache.folder / "a.plan").rename(tmp_path / "a.plan")
    (cache.folder / "a.plan").symlink_to(tmp_path / "a.plan")
    assert cache.load("a.plan") is None
    assert "cannot be read" in caplog.text


def test_nobody_else_can_read_or_write(cache: PlanCache) -> None:
    cache.store("a.plan", b"content")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in cache.folder.iterdir()}
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert modes == {"key": 0o600, "a.plan": 0o600}


@pytest.mark.parametrize(("what", "mode"), [("", 0o750), ("", 0o702), ("key", 0o640), ("key", 0o604)])
def test_a_folder_open_to_others_is_refused(cache: PlanCache, what: str, mode: int) -> None:
    (cache.folder / what).chmod(mode)
    with pytest.raises(CacheError, match="is open to others: chmod -R go= it, or remove it"):
        PlanCache(cache.folder)


def test_a_folder_of_another_user_is_refused(cache: PlanCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: cache.folder.stat().st_uid + 1)
    with pytest.raises(CacheError, match="open to others"):
        PlanCache(cache.folder)


def test_what_is_no_folder_or_no_key_is_refused(tmp_path: Path, cache: PlanCache) -> None:
    link = tmp_path / "link"
    link.symlink_to(cache.folder)
    with pytest.raises(CacheError, match="is not what belongs there: remove it"):
        PlanCache(link)
    (cache.folder / "key").write_bytes(bytes(KEY_BYTES - 1))
    with pytest.raises(CacheError, match=r"is not a key: remove .*, everything in it can be built again"):
        PlanCache(cache.folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"cannot be used .*: make it writable for this user"):
        PlanCache(tmp_path / "file" / "plans")


def test_a_disk_that_takes_nothing_leaves_what_was_there(cache: PlanCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store("a.plan", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match=r"cannot be written \(No space left on device\): free space there"):
        cache.store("a.plan", b"new")
    assert cache.load("a.plan") == b"old"
    assert sorted(path.name for path in cache.folder.iterdir()) == ["a.plan", "key"]


def test_a_reader_sees_the_old_or_the_new_whole(cache: PlanCache) -> None:
    contents = [bytes([n]) * 200_000 for n in range(8)]
    cache.store("a.plan", contents[0])
    seen: list[bytes | None] = []

    def write() -> None:
        for content in contents * 3:
            cache.store("a.plan", content)

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        seen.append(cache.load("a.plan"))
    writer.join()
    assert set(seen) <= set(contents)


def test_of_two_that_start_together_both_have_one_key(tmp_path: Path) -> None:
    made: list[PlanCache] = []
    threads = [threading.Thread(target=lambda: made.append(PlanCache(tmp_path / "plans"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made[0].store("a.plan", b"content")
    assert [cache.load("a.plan") for cache in made] == [b"content"] * 8


def test_the_folder_is_that_of_this_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "sidewitness" / "tensorrt"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == tmp_path / ".cache" / "sidewitness" / "tensorrt"


def test_a_bucket_has_its_batch_and_only_free_axes_have_a_range() -> None:
    assert sized((-1, 2), 4, 7) == (4, 7, 2)
    assert sized((3, 8), 4, None) == (4, 3, 8)
    two = profiles_of([TensorSpec("a", (-1, 2)), TensorSpec("b", (5,))], (1, 8), 3, 256)
    assert two[1] == Profile(8, (("a", (8, 1, 2), (8, 3, 2), (8, 256, 2)), ("b", (8, 5), (8, 5), (8, 5))))
