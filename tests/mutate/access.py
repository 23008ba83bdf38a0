"""Who may do what: signed tokens, roles, the actor of an act, wrong tokens, and names in a call."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

ACCESS = "monitor/api/access"
OF_ACCESS = "tests/monitor/api/access"
OF_TOKENS = "tests/monitor/api/test_tokens.py"

MUTATIONS = (
    Mutation(
        "any role may do anything",
        "monitor/api/auth.py",
        "        if not grant.may(self.permission):\n",
        "        if False and not grant.may(self.permission):\n",
        (f"{OF_TOKENS}::test_the_table_is_what_a_running_server_does",),
    ),
    Mutation(
        "any role may subscribe",
        "monitor/api/alerts.py",
        "        elif not found.may(Permission.WATCH):\n",
        "        elif False and not found.may(Permission.WATCH):\n",
        (f"{OF_TOKENS}::test_the_table_is_what_a_running_server_does",),
    ),
    Mutation(
        "a viewer is told scores, over the socket and over HTTP",
        "monitor/api/auth.py",
        "    return Disclosure.FULL if grant.may(Permission.SCORES) else Disclosure.VERDICTS\n",
        "    return Disclosure.FULL\n",
        (f"{OF_TOKENS}::test_a_viewer_is_told_verdicts_and_no_scores_wherever_they_ask",),
    ),
    Mutation(
        "tokens are compared by ==",
        f"{ACCESS}/verifiers.py",
        '        if not hmac.compare_digest(self._value, bearer.encode("utf-8", "surrogatepass")):\n',
        '        if self._value != bearer.encode("utf-8", "surrogatepass"):\n',
        (f"{OF_ACCESS}/test_verifiers.py::test_the_comparison_is_the_one_that_takes_the_same_time",),
    ),
    Mutation(
        "the start-up token is taken from anywhere",
        "monitor/serve.py",
        "StaticToken(token, local_only=settings.token is None)",
        "StaticToken(token, local_only=False)",
        (f"{OF_TOKENS}::test_the_start_up_token_is_for_this_machine_only",),
    ),
    Mutation(
        "a proxy makes everybody local",
        "monitor/api/client.py",
        "    is_own = is_loopback and not is_proxied\n",
        "    is_own = is_loopback\n",
        (f"{OF_TOKENS}::test_the_start_up_token_is_for_this_machine_only",),
    ),
    Mutation(
        "signatures are not checked",
        f"{ACCESS}/keyring.py",
        '    "verify_signature": True,\n',
        '    "verify_signature": False,\n',
        (f"{OF_ACCESS}/test_keyring.py::test_no_other_algorithm_is_taken_whatever_the_token_says",),
    ),
    Mutation(
        "revoked tokens go on",
        f"{ACCESS}/verifiers.py",
        "        return grant if await asyncio.to_thread(register.stands, str(grant.id)) else Refusal.REVOKED\n",
        "        return grant\n",
        (
            f"{OF_ACCESS}/test_verifiers.py::test_a_revocation_holds_at_once_in_every_process_and_after_a_restart",
            f"{OF_TOKENS}::test_an_admin_makes_lists_and_revokes_tokens",
        ),
    ),
    Mutation(
        "a subscription outlives its token",
        "monitor/api/alerts.py",
        "                self._recheck(subscriber, caller),\n",
        "",
        (f"{OF_TOKENS}::test_a_subscription_ends_when_its_token_is_revoked",),
    ),
    Mutation(
        "tokens do not expire",
        f"{ACCESS}/claims.py",
        "    if now >= expires:\n",
        "    if False and now >= expires:\n",
        (
            f"{OF_ACCESS}/test_claims.py::test_a_token_is_good_from_its_making_to_its_end",
            f"{OF_ACCESS}/test_verifiers.py::test_a_signed_token_is_good_until_it_ends",
        ),
    ),
    Mutation(
        "a token for somebody else's service is taken",
        f"{ACCESS}/claims.py",
        '    if claims.get("aud") != AUDIENCE or not',
        "    if not",
        (f"{OF_ACCESS}/test_verifiers.py::test_a_right_signature_is_not_enough",),
    ),
    Mutation(
        "a publisher may take any seat",
        "monitor/api/whip.py",
        "    admitted = grant.published_as(key)\n",
        "    admitted = key\n",
        (f"{OF_TOKENS}::test_a_publisher_is_admitted_to_their_seat_only",),
    ),
    Mutation(
        "a session is that of whoever knows its address",
        "monitor/api/whip.py",
        "        is_mine = owner == grant.subject or grant.role is Role.ADMIN\n",
        "        is_mine = True\n",
        (f"{OF_TOKENS}::test_a_session_is_its_publishers_and_an_admins",),
    ),
    Mutation(
        "wrong tokens cost nothing",
        f"{ACCESS}/authority.py",
        "            await self._penalise(client)\n",
        "            pass\n",
        (
            f"{OF_ACCESS}/test_authority.py::test_wrong_tokens_wait_are_counted_and_lock_their_address",
            f"{OF_TOKENS}::test_who_guesses_is_locked_out_and_nobody_behind_the_same_proxy_is",
        ),
    ),
    Mutation(
        "an admin is locked out by whoever comes through the same proxy",
        "monitor/api/client.py",
        "lockable=counted is not None and not is_own)",
        "lockable=True)",
        (f"{OF_TOKENS}::test_who_guesses_is_locked_out_and_nobody_behind_the_same_proxy_is",),
    ),
    Mutation(
        "anybody may take anybody's name",
        "monitor/host/replacing.py",
        "    return by is None or by == owner or silent_seconds >= SILENT_SECONDS\n",
        "    return True\n",
        (
            f"{OF_TOKENS}::test_200_offers_under_one_name_put_nobody_out",
            "tests/monitor/host/test_replacing.py::"
            "test_a_publication_is_replaced_by_its_owner_by_the_process_and_after_silence",
        ),
    ),
    Mutation(
        "whose a name is is not asked",
        "monitor/host/host.py",
        "        self._check_owner(place, owner)\n",
        "",
        (f"{OF_TOKENS}::test_while_somebody_is_being_admitted_nobody_else_takes_their_name",),
    ),
    Mutation(
        "a signed token may be logged",
        "monitor/host/logging.py",
        " or SIGNED_TOKEN.search(value):",
        ":",
        ("tests/monitor/host/test_logging.py::test_telling_values_are_blanked",),
    ),
)
