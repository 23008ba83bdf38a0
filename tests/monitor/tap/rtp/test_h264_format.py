"""Formats of H.264 in offers and answers (RFC 6184 sections 8.1 and 8.2.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.tap.rtp.h264_format import format_parameters, max_level, parse_format

FULL_HD = 1920 * 1088
CONSTRAINED_BASELINE, BASELINE, MAIN, HIGH = range(4)


@pytest.mark.parametrize(
    ("profile_level_id", "rank"),
    [
        ("42e01f", CONSTRAINED_BASELINE),
        ("42C01E", CONSTRAINED_BASELINE),
        ("4d801f", CONSTRAINED_BASELINE),
        ("58c01f", CONSTRAINED_BASELINE),
        ("42001f", BASELINE),
        ("58801f", BASELINE),
        ("4d001f", MAIN),
        ("4d4028", MAIN),
        ("640028", HIGH),
        ("640c1f", HIGH),
        ("58001f", None),
        ("6e001f", None),
        ("f4001f", None),
        ("42e0", None),
        ("42e01g", None),
    ],
)
def test_profiles_are_told_by_their_flags(profile_level_id: str, rank: int | None) -> None:
    parsed = parse_format(f"packetization-mode=1;profile-level-id={profile_level_id}")
    assert (parsed.rank if parsed else None) == rank


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        (
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
        ),
        ("profile-level-id=4d0034;packetization-mode=1", "packetization-mode=1;profile-level-id=4d0029"),
        ("Profile-Level-ID=42E01F; Packetization-Mode=1", "packetization-mode=1;profile-level-id=42e01f"),
        ("profile-level-id=42e01f", "packetization-mode=0;profile-level-id=42e01f"),
        ("level-asymmetry-allowed=0;packetization-mode=0", "packetization-mode=0"),
        ("", "packetization-mode=0"),
    ],
)
def test_the_answer_keeps_profile_and_mode_and_never_raises_the_level(offered: str, answered: str) -> None:
    parsed = parse_format(offered)
    assert parsed is not None
    assert parsed.answer(FULL_HD) == answered


def test_other_modes_are_refused() -> None:
    assert parse_format("packetization-mode=2;profile-level-id=42e01f") is None


@pytest.mark.parametrize(
    ("pixels", "level"), [(1, 10), (640 * 480, 30), (1280 * 720, 31), (FULL_HD, 41), (1 << 40, 62)]
)
def test_the_level_is_the_highest_for_these_pictures(pixels: int, level: int) -> None:
    assert max_level(pixels) == level


PARTS = st.sampled_from(["42", "4d", "58", "64", "6e"]), st.integers(0, 255), st.integers(9, 255), st.sampled_from("01")


@given(*PARTS, st.booleans())
def test_whatever_is_understood_is_answered_by_the_same_profile_no_higher(
    profile: str, flags: int, level: int, mode: str, asymmetric: bool
) -> None:
    offered = f"packetization-mode={mode};profile-level-id={profile}{flags:02x}{level:02x}"
    parsed = parse_format(offered + ";level-asymmetry-allowed=1" * asymmetric)
    if parsed is None:
        assert profile in ("58", "6e")
        return
    answer = format_parameters(parsed.answer(FULL_HD))
    assert answer["profile-level-id"][:4] == f"{profile}{flags:02x}"
    assert int(answer["profile-level-id"][4:], 16) == min(level, 41)
    assert answer["packetization-mode"] == mode
    assert ("level-asymmetry-allowed" in answer) is asymmetric


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    parse_format(text)
    parse_format(f"profile-level-id={text}")
