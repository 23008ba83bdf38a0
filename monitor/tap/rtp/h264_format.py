"""H.264 in SDP: which formats are decoded here, what they are answered with, and the parameter sets that they bring.

Pure. A format is a profile, a level and a packetization mode (RFC 6184 section 8.1). Each is a payload type of its own:
the answer keeps its profile and mode as they were offered, and may lower its level (section 8.2.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Profiles by profile_idc and the flags constraint_set0 to 3 (RFC 6184 table 5), the best understood first. The other
# flags only say what is left out of a profile.
_PROFILES = (
    re.compile(r"(42[4-7c-f]|4d[89a-f]|58[c-f])[0-9a-f]"),  # Constrained Baseline
    re.compile(r"(42[0-389ab]|58[89ab])[0-9a-f]"),  # Baseline
    re.compile(r"4d[0-7][0-9a-f]"),  # Main
    re.compile(r"64[0-9a-f]{2}"),  # High, with Progressive and Constrained High
)
# Without a profile the offer means Baseline (RFC 6184 section 8.1).
_UNSAID_PROFILE = 1
_MODES = ("0", "1")
# Macroblocks of a picture by level_idc (H.264 table A-1, MaxFS).
_MAX_MACROBLOCKS: Mapping[int, int] = {
    10: 99, 11: 396, 12: 396, 13: 396, 20: 396, 21: 792, 22: 1620, 30: 1620, 31: 3600, 32: 5120, 40: 8192, 41: 8192,
    42: 8704, 50: 22080, 51: 36864, 52: 36864, 60: 139264, 61: 139264, 62: 139264,
}  # fmt: skip
_MACROBLOCK_PIXELS = 256


@dataclass(frozen=True, slots=True)
class H264Format:
    """One format as offered: `profile_level_id` is empty where none was given; `rank` is 0 for the best understood."""

    profile_level_id: str
    packetization_mode: str
    level_asymmetry_allowed: bool
    rank: int

    def answer(self, max_pixels: int) -> str:
        """Give the format parameters of the answer, for pictures of up to `max_pixels`.

        The level is never above the one offered, so it is right with and without level asymmetry.
        """
        parameters = [f"packetization-mode={self.packetization_mode}"]
        if self.level_asymmetry_allowed:
            parameters.insert(0, "level-asymmetry-allowed=1")
        if self.profile_level_id:
            level = min(int(self.profile_level_id[4:], 16), max_level(max_pixels))
            parameters.append(f"profile-level-id={self.profile_level_id[:4]}{level:02x}")
        return ";".join(parameters)


def parse_format(parameters: str) -> H264Format | None:
    """Parse the format parameters of a payload type of H.264; None where it is not decoded here."""
    values = format_parameters(parameters)
    profile_level_id = values.get("profile-level-id", "").lower()
    mode = values.get("packetization-mode", "0")
    rank = _rank(profile_level_id)
    if rank is None or mode not in _MODES:
        return None
    return H264Format(profile_level_id, mode, values.get("level-asymmetry-allowed") == "1", rank)


def format_parameters(parameters: str) -> dict[str, str]:
    """Split format parameters by name, in lower case: names are the same in any case (RFC 6838 section 4.3)."""
    pairs = [part.strip().partition("=") for part in parameters.split(";")]
    return {name.lower(): value for name, _, value in pairs}


def max_level(max_pixels: int) -> int:
    """Give the highest level_idc whose pictures are no larger than those of the lowest that holds `max_pixels`."""
    needed = -(-max_pixels // _MACROBLOCK_PIXELS)
    bound = min((size for size in _MAX_MACROBLOCKS.values() if size >= needed), default=max(_MAX_MACROBLOCKS.values()))
    return max(level for level, size in _MAX_MACROBLOCKS.items() if size <= bound)


def _rank(profile_level_id: str) -> int | None:
    if not profile_level_id:
        return _UNSAID_PROFILE
    if re.fullmatch(r"[0-9a-f]{6}", profile_level_id) is None:
        return None
    return next((n for n, profile in enumerate(_PROFILES) if profile.fullmatch(profile_level_id[:4])), None)
