"""Every way into calls with its other end: no room for who comes, and an end that is killed and started again.

Both are told to subscribers, and so is that it is over. Nobody is judged; the supervision is the sidecar's own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.interop import far_ends
from tests.interop.installed import needs
from tests.monitor.tap.clips import write_clip
from tests.plugins.supervised import supervised

CLIP_SECONDS = 4.0
# From the kill of the other end until that is told, and from its new start.
LOST_SECONDS, REJOIN_SECONDS = 15.0, 10.0
WAYS = [
    "whep",
    "livekit",
    "rtms",
    pytest.param("janus", marks=needs("janus", "janus")),
    pytest.param("rtp", marks=pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")),
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> far_ends.Clip:
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    write_clip(path, seconds=CLIP_SECONDS, video="libvpx", audio="libopus", size=(160, 120))
    return far_ends.Clip(path, path)


@pytest.mark.parametrize("way", WAYS)
async def test_who_is_not_watched_is_told_and_that_they_are_again(
    way: str, tmp_path: Path, clip: far_ends.Clip
) -> None:
    far = far_ends.WAYS[way](tmp_path, clip, "guest")
    async with supervised(**far.sources[0]) as house:
        house.full = True
        async with far.serve(), far.publish(None):
            await house.until(lambda: house.told, "there is no room for them")
            house.full = False
            await house.judged("guest")
            await house.until(lambda: len(house.told) == 2, "they are watched")
            await far.kill()
        await house.until(lambda: len(house.told) == 3, "nobody watches them", LOST_SECONDS)
        async with far.serve(), far.publish(None):
            await house.judged("guest", seconds=REJOIN_SECONDS)
            await house.until(lambda: len(house.told) == 4, "they are watched again")
    said = [(one["action"], one["reason"]) for one in house.told[:4]]
    assert said == [(action, why) for why in ("not_watched", "source_lost") for action in ("began", "resumed")]
    # Evidence goes by the key.
    assert len({guest.key for guest in house.guests}) == 1
