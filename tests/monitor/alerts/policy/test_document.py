"""A policy file: what it means, and every fault in a line of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.alerts.policy.document import load, read, unknown
from monitor.alerts.policy.rules import ActionName, Kind, Policy, seconds_of
from monitor.config import ConfigError
from monitor.config import load as load_settings
from tests.monitor.alerts.policy.build import group, policy_of
from tests.pure import ROOT

DETECTORS = ("synchrony", "pairwise", "persona", "voiceprint")
EXAMPLE = ROOT / "examples/policy.yaml"


def faults(*groups: dict[str, Any], **more: Any) -> list[str]:
    policy, found = read({"groups": list(groups), **more})
    assert policy is None
    return found


def test_the_example_can_be_used_as_pasted() -> None:
    policy, found = read(EXAMPLE)
    assert (found, list(unknown(policy or Policy(), ["soc", "pager", "slack"], DETECTORS))) == ([], [])
    assert policy is not None
    board = next(one for one in policy.groups if one.name == "board")
    assert board.unverified_after_seconds == 300.0
    assert {action.name for action in board.levels[Kind.FINDING].actions} == {ActionName.ASK_TO_VERIFY, ActionName.MUTE}
    actions = [action for one in policy.every_group for level in one.levels.values() for action in level.actions]
    # What changes a call waits for somebody; a verification is carried out by somebody anyway.
    assert all(action.confirm is not (action.name is ActionName.ASK_TO_VERIFY) for action in actions)


def test_what_is_left_out() -> None:
    (one,) = policy_of(group()).groups
    assert set(one.levels) == {Kind.FINDING}
    assert one.levels[Kind.FINDING].notify.every
    assert (one.quiet, one.dry_run, one.cool_down_seconds) == (None, False, 0.0)
    (one,) = policy_of(group(unverified_after=30)).groups
    assert one.levels[Kind.UNVERIFIED].notify.every
    policy = policy_of(default={}, link_base="http://localhost:8480/")
    assert (policy.link_base, [found.name for found in policy.every_group]) == ("http://localhost:8480", ["default"])


@pytest.mark.parametrize(
    ("says", "fault"),
    [
        ({"peoples": []}, "people.peoples: there is no such setting here: remove it or correct its spelling"),
        ({"cool_down": "5 parsecs"}, "people.cool_down: write a number and a unit, such as 30 s, 5 min, 1 h or 2 d"),
        ({"window_seconds": 7}, "people.window_seconds: only 5 and 10 are calibrated, choose one of them"),
        ({"at_alert": {"notify": ["a b"]}}, "people.at_alert.notify: write names of sinks: lower-case letters"),
        ({"at_alert": {"actions": ["mute", "mute"]}}, "people.at_alert.actions: name each action once"),
        ({"at_alert": {"actions": ["shout"]}}, "people.at_alert.actions.0.action: Input should be"),
        (
            {"at_suspect": {"actions": [{"action": "mute", "confirm": False}]}},
            "people.at_suspect: only at_alert may change a call without confirmation: take `confirm: false` away",
        ),
        ({"at_unverified": {}}, "people: at_unverified says nothing without unverified_after: add it"),
        ({"calls": ["a/b"]}, "people.calls: write names of calls, with * for any letters, such as board-*"),
        (
            {"quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Mars/Base"}},
            "people.quiet_hours.zone: this machine knows no such zone",
        ),
        (
            {"quiet_hours": {"from": 1320, "to": "07:00", "zone": "UTC"}},
            "people.quiet_hours.from: write text, in quotes",
        ),
        ({"quiet_hours": {"from": "7", "to": "08:00", "zone": "UTC"}}, "people.quiet_hours.from: write a time of day"),
        ({"quiet_hours": {"from": "07:00"}}, "people.quiet_hours.to: is missing: add it"),
        ({"detectors": []}, "people.detectors: "),
        ({"false_alerts_per_hour": 0}, "people.false_alerts_per_hour: Input should be greater than 0"),
        ({"people": "Jane"}, "people.people: write a list, such as [one, two]"),
    ],
)
def test_a_fault_says_where_it_is_and_what_to_do(says: dict[str, Any], fault: str) -> None:
    assert faults(group(**says))[0].startswith(fault)


def test_every_fault_is_told_and_nobody_is_named() -> None:
    found = faults(
        {"name": "Jane Doe", "people": ["Jane Doe"]},
        {"name": "empty"},
        {"name": "x", "calls": ["a"], "dry_run": "perhaps"},
        link_base="ftp://example",
    )
    assert [line.partition(":")[0] for line in found] == ["groups.0.name", "empty", "x.dry_run", "link_base"]
    assert not any("Jane" in line for line in found)
    assert read({"groups": [7]})[1][0].startswith("groups.0: write settings below it")


def test_groups_have_names_of_their_own() -> None:
    assert "two groups have one name" in faults(group(), group())[0]
    assert "one is named default" in faults(group("default"))[0]


def test_sinks_and_detectors_that_are_not_there() -> None:
    quiet = {"from": "22:00", "to": "07:00", "zone": "UTC", "alert": ["pager"]}
    policy = policy_of(group(at_alert={"notify": ["soc"]}, quiet_hours=quiet, detectors=["aura"]))
    assert list(unknown(policy, ["soc"], DETECTORS)) == [
        "people: no sink is named 'pager': there are soc",
        "people: there is no detector 'aura': choose of pairwise, persona, synchrony, voiceprint",
    ]
    assert len(list(unknown(policy, None, DETECTORS))) == 1
    assert "none, add them to the setting sinks" in next(unknown(policy, [], DETECTORS))


def test_the_settings_hold_a_policy_or_name_a_file(tmp_path: Path) -> None:
    assert load(None, [], DETECTORS).is_empty
    assert load({"groups": [group()]}, [], DETECTORS).groups
    with pytest.raises(ConfigError, match=r"policy: people: no sink is named 'slack'.*and 1 more: sidewitness policy"):
        load({"groups": [group(at_alert={"notify": ["soc", "slack"]})]}, [], DETECTORS)
    with pytest.raises(ConfigError, match="policy: nonsense: there is no such setting"):
        load({"nonsense": 1}, [], DETECTORS)
    file = tmp_path / "policy.yaml"
    for content, fault in ((b"a: [", "is not valid YAML"), (b"- 1", "holds no policy"), (None, "cannot be read")):
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
        with pytest.raises(ConfigError, match=fault):
            read(file)


def test_the_setting_is_a_file_or_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("policy: {groups: [{name: a, calls: [x]}]}\n")
    assert load(load_settings(settings).policy, [], DETECTORS).groups[0].name == "a"
    settings.write_text(f"policy: {tmp_path / 'p.yaml'}\n")
    assert load_settings(settings).policy == tmp_path / "p.yaml"
    monkeypatch.setenv("SIDEWITNESS_POLICY", "p.yaml")
    monkeypatch.chdir(tmp_path)
    assert load_settings().policy == tmp_path / "p.yaml"


def test_durations() -> None:
    assert [seconds_of(text) for text in ("30 s", "5min", "1.5 h", "2 d")] == [30.0, 300.0, 5400.0, 172800.0]
