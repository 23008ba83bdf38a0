"""The policy: an answer counts once and in time, from whoever may; a drill does nothing; sinks get what is for them."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

POLICING = "monitor/host/policing.py"
EVALUATE = "monitor/alerts/policy/evaluate.py"
BATCH = "monitor/alerts/sinks/batch.py"
DOCUMENT = "monitor/alerts/policy/document.py"
ROLES = "monitor/api/access/roles.py"

OF_POLICING = "tests/monitor/host/test_policing.py"
OF_ACTIONS = "tests/monitor/api/test_actions.py"
OF_EVALUATE = "tests/monitor/alerts/policy/test_evaluate.py"
OF_DOCUMENT = "tests/monitor/alerts/policy/test_document.py"

MUTATIONS = (
    Mutation(
        "an action is confirmed as often as somebody likes",
        POLICING,
        '            if known.state is not ActionState.PROPOSED or not known.details.get("confirm"):\n',
        "            if False:\n",
        (
            f"{OF_POLICING}::test_an_action_waits_for_somebody_and_is_done_once",
            f"{OF_ACTIONS}::test_an_action_is_confirmed_once_by_whoever_may",
        ),
    ),
    Mutation(
        "an action can be confirmed for ever",
        POLICING,
        '            if self._now() >= parse_rfc3339(known.details["expires"]):\n',
        "            if False:\n",
        (f"{OF_POLICING}::test_what_has_expired_is_never_done",),
    ),
    Mutation(
        "whoever may watch may confirm",
        ROLES,
        "    Role.VIEWER: frozenset({Permission.WATCH}),\n",
        "    Role.VIEWER: frozenset({Permission.WATCH, Permission.ACT}),\n",
        (f"{OF_ACTIONS}::test_an_action_is_confirmed_once_by_whoever_may",),
    ),
    Mutation(
        "a drill does in the call what it practises",
        EVALUATE,
        "            order.dry_run or is_drill,\n",
        "            order.dry_run,\n",
        (f"{OF_EVALUATE}::test_a_drill_is_handled_as_a_finding_is_and_nothing_is_done",),
    ),
    Mutation(
        "every sink is sent what the policy tells another one",
        BATCH,
        '    return handling is None or handling["notify"] is None or sink in handling["notify"]\n',
        "    return True\n",
        (
            "tests/monitor/alerts/sinks/test_delivery.py::"
            "test_a_sink_is_told_of_what_the_policy_had_it_told_of_and_passes_by_the_rest",
        ),
    ),
    Mutation(
        "a suspicion is enough to change a call unasked",
        DOCUMENT,
        "any(one.action in OF_THE_CALL and not one.confirm for one in value.actions)",
        "False",
        (f"{OF_DOCUMENT}::test_a_fault_says_where_it_is_and_what_to_do",),
    ),
)
