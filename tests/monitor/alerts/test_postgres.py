"""Journal, casework and sinks on a real PostgreSQL: what their own tests say on SQLite, said again there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitor.alerts.casework.search import ids_like
from monitor.alerts.casework.store import Casework
from monitor.alerts.journal import Journal
from monitor.storage.database import UnstorableError
from tests.monitor.alerts.build import KEY, finding
from tests.monitor.alerts.casework.build import NOON
from tests.monitor.alerts.casework.test_store import (
    sign,
    test_a_bad_event_leaves_nothing,
    test_findings_by_what_is_asked,
    test_of_two_who_confirm_at_once_one_is_refused,
    test_the_oldest_give_way_and_the_chain_holds,
    test_what_is_recorded_is_read_again,
    test_whoever_does_not_hold_the_key_writes_no_event,
)
from tests.monitor.alerts.sinks.test_delivery import (
    schedule,
    test_a_new_sink_begins_now_or_at_the_beginning,
    test_findings_are_delivered_in_order_and_in_bounded_batches,
    test_it_resumes_where_it_was,
    test_the_recorder_wakes_it,
    test_what_was_pruned_is_said_and_the_rest_comes,
)
from tests.monitor.alerts.sinks.test_refusals import (
    test_a_cursor_that_is_moved_during_a_delivery_stays_where_it_was_put,
    test_letters_are_bounded_and_each_is_there_once,
    test_what_is_refused_is_a_dead_letter_and_the_rest_goes_on,
)
from tests.monitor.alerts.test_journal import (
    test_a_damaged_row_holds_up_nothing,
    test_a_retried_append_keeps_its_number_and_leaves_no_hole,
    test_what_is_appended_is_read_back,
    test_writers_on_several_threads_get_distinct_numbers_in_commit_order,
)
from tests.monitor.alerts.test_retention import (
    test_case_events_go_and_a_case_without_any_is_one_that_nobody_touched,
    test_findings_older_than_their_time_go_and_no_other,
    test_when_all_have_gone_the_numbers_go_on,
    test_without_a_time_to_live_nothing_goes,
)
from tests.postgres import Server

__all__ = (
    "schedule",
    "test_a_bad_event_leaves_nothing",
    "test_a_cursor_that_is_moved_during_a_delivery_stays_where_it_was_put",
    "test_a_damaged_row_holds_up_nothing",
    "test_a_new_sink_begins_now_or_at_the_beginning",
    "test_a_retried_append_keeps_its_number_and_leaves_no_hole",
    "test_case_events_go_and_a_case_without_any_is_one_that_nobody_touched",
    "test_findings_are_delivered_in_order_and_in_bounded_batches",
    "test_findings_by_what_is_asked",
    "test_findings_older_than_their_time_go_and_no_other",
    "test_it_resumes_where_it_was",
    "test_letters_are_bounded_and_each_is_there_once",
    "test_of_two_who_confirm_at_once_one_is_refused",
    "test_the_oldest_give_way_and_the_chain_holds",
    "test_the_recorder_wakes_it",
    "test_what_is_appended_is_read_back",
    "test_what_is_recorded_is_read_again",
    "test_what_is_refused_is_a_dead_letter_and_the_rest_goes_on",
    "test_what_was_pruned_is_said_and_the_rest_comes",
    "test_when_all_have_gone_the_numbers_go_on",
    "test_whoever_does_not_hold_the_key_writes_no_event",
    "test_without_a_time_to_live_nothing_goes",
    "test_writers_on_several_threads_get_distinct_numbers_in_commit_order",
)


@pytest.fixture
def opened(postgres_server: Server) -> Iterator[Journal]:
    made = Journal(postgres_server.migrated_database())
    yield made
    made.close()


@pytest.fixture
def journal(postgres_server: Server) -> Iterator[Journal]:
    made = Journal(postgres_server.migrated_database(), max_findings=20)
    yield made
    made.close()


@pytest.fixture
def casework(journal: Journal) -> Casework:
    return Casework(journal, sign, clock=lambda: NOON)


def test_a_chain_holds_and_a_change_behind_its_back_shows(opened: Journal) -> None:
    for n in range(3):
        opened.append(finding(str(n)))
    assert opened.verify().faults == ()
    with opened.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE findings SET verdict = 'suspect' WHERE seq = 2")
    assert opened.verify().faults == ("finding 2 was changed",)


def test_findings_are_found_by_the_beginning_of_their_id(opened: Journal) -> None:
    for name in ("abc", "ab", "b"):
        opened.append(finding(name))
        opened.append(finding(name, 1, "closed"))
    assert ids_like(opened, "ab", 5) == ["ab", "abc"]
    assert ids_like(opened, "a_", 5) == []


def test_a_value_that_the_database_does_not_take_is_not_tried_for_ever(opened: Journal) -> None:
    with pytest.raises(UnstorableError) as caught:
        opened.append(finding("x" * 37))
    assert KEY.participant not in str(caught.value)
    assert opened.append(finding()) == 1
