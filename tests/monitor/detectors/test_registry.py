"""The built-in detectors, found by name."""

from __future__ import annotations

import pytest

from monitor.detectors.registry import BUILT_IN, DetectorError, by_reason, find, infos


def test_every_detector_is_found_by_its_name() -> None:
    assert [point.name for point in BUILT_IN] == [info.name for info in infos()][: len(BUILT_IN)]
    for info in infos():
        assert find(info.name).info is info


def test_an_unknown_name_is_one_line_with_all_names() -> None:
    with pytest.raises(DetectorError, match="unknown detector 'smell': use one of synchrony, pairwise, persona"):
        find("smell")


def test_a_reason_leads_to_the_detector_that_finds_it() -> None:
    found = by_reason()
    assert found["lips_disagree_with_voice"] == "synchrony"
    assert found["voice_mismatch"] == "voiceprint"
    assert {find(name).info.name for name in found.values()} <= {info.name for info in infos()}
