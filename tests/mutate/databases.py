"""Several processes on one database: one order, one deliverer, no commit that a power cut takes back."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

JOURNAL = "monitor/alerts/journal.py"
DELIVERY = "monitor/alerts/sinks/delivery.py"
DIALECT = "monitor/storage/dialect.py"
COPYING = "monitor/cli/databases/copying.py"

OF_DIALECT = "tests/monitor/storage/test_dialect.py"
OF_FOLLOWING = "tests/monitor/alerts/test_follow.py"
OF_COPYING = "tests/monitor/cli/test_db.py"

MUTATIONS = (
    Mutation(
        "every process delivers to every sink",
        DELIVERY,
        '        is_ours = self._leases.take(f"sink {self.name}")\n',
        "        is_ours = True\n",
        (f"{OF_FOLLOWING}::test_one_of_them_delivers_to_a_sink_and_the_next_takes_over",),
    ),
    Mutation(
        "nobody hears of the findings of others at once",
        JOURNAL,
        "                notify(connection, CHANNEL, self.writer)\n",
        "",
        (f"{OF_FOLLOWING}::test_a_commit_wakes_the_others_at_once",),
    ),
    Mutation(
        "the server may lose what was committed, where that is its default",
        DIALECT,
        "        cursor.execute(DURABLE)\n",
        "",
        (f"{OF_DIALECT}::test_a_session_is_durable_and_gives_up_waiting",),
    ),
    Mutation(
        "whoever stops within a transaction holds up everybody",
        DIALECT,
        '"idle_in_transaction_session_timeout": IDLE_SECONDS}',
        '"idle_in_transaction_session_timeout": 0}',
        (f"{OF_DIALECT}::test_whoever_stops_within_a_transaction_holds_nobody_up",),
    ),
    Mutation(
        "what is copied goes over what is there",
        COPYING,
        "    for table in targets:\n        _refuse_used(new, table)\n",
        "",
        (f"{OF_COPYING}::test_a_place_that_holds_something_is_not_written_over",),
    ),
    Mutation(
        "what was copied is not compared",
        COPYING,
        "        if copying.digest(old, table) != copying.digest(new, into):\n",
        "        if False:\n",
        (f"{OF_COPYING}::test_what_went_wrong_on_the_way_leaves_nothing",),
    ),
)
