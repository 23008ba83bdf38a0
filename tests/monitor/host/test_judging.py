"""By what somebody is judged for whom a policy says something."""

from __future__ import annotations

from pathlib import Path

from monitor.alerts.policy.rules import Subject
from monitor.alerts.policy.terms import terms_of
from monitor.config import Settings
from monitor.host.judging import Tags, session_config, session_config_of
from monitor.identity.vault.records import Details
from tests.monitor.alerts.policy.build import group, policy_of
from tests.monitor.identity import build
from tests.monitor.identity.build import BOB, CLERK, JANE

POLICY = policy_of(
    group(people=[JANE], false_alerts_per_hour=2.0, window_seconds=10, detectors=["synchrony"]),
    {"name": "tagged", "tags": ["board"], "false_alerts_per_hour": 1.0},
)


def test_a_group_reaches_the_decision_of_whoever_is_in_it() -> None:
    config = session_config(Settings(false_alerts_per_hour=0.2))
    jane = session_config_of(config, terms_of(POLICY, Subject("x", JANE))).decision
    assert (jane.false_alerts_per_hour, jane.window_seconds, jane.detectors) == (
        2.0,
        10.0,
        frozenset({"synchrony"}),
    )
    tagged = session_config_of(config, terms_of(POLICY, Subject("x", BOB, frozenset({"board"})))).decision
    assert (tagged.false_alerts_per_hour, tagged.window_seconds, tagged.detectors) == (1.0, 5.0, None)
    assert session_config_of(config, terms_of(POLICY, Subject("x"))) == config


def test_tags_are_those_of_the_vault_and_stay_known_where_it_cannot_be_asked(tmp_path: Path) -> None:
    vault = build.vault(tmp_path)
    vault.store(JANE, build.template(), build.consent(), CLERK, Details(("board",)))
    tags = Tags(vault, POLICY)
    assert tags.known(JANE) == frozenset()
    assert tags.learn(JANE) == tags.known(JANE) == {"board"}
    assert tags.learn(BOB) == frozenset()
    assert tags.learn(None) == tags.known(None) == frozenset()
    vault.erase(JANE, CLERK)
    assert tags.learn(JANE) == frozenset()
    vault.close()
    assert Tags(vault, policy_of()).learn(JANE) == Tags(vault, None).learn(JANE) == frozenset()


def test_a_vault_that_cannot_be_asked_takes_no_protection_away(tmp_path: Path) -> None:
    vault = build.vault(tmp_path)
    vault.store(JANE, build.template(), build.consent(), CLERK, Details(("board",)))
    tags = Tags(vault, POLICY)
    tags.learn(JANE)
    with vault.database.transaction() as connection:
        connection.exec_driver_sql("DROP TABLE vault_versions")
    assert tags.learn(JANE) == {"board"}
    vault.close()
