"""Who signs in: what is asked of a provider's word, what a cookie may do, and how long."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

OIDC = "monitor/api/access/oidc"
OF_OIDC = "tests/monitor/api/access/oidc"
OF_SESSIONS = "tests/monitor/api/access/test_sessions.py"
SIGN_IN = "tests/monitor/api/test_sign_in.py"
TOKENS = "tests/monitor/api/test_provider_tokens.py"

MUTATIONS = (
    Mutation(
        "a cookie changes things by itself",
        "monitor/api/auth.py",
        '            check_change(request, session_cookie(request) or "")\n',
        "            pass\n",
        (f"{SIGN_IN}::test_a_cookie_alone_changes_nothing",),
    ),
    Mutation(
        "a socket is opened by a cookie from anywhere",
        "monitor/api/cookies.py",
        "    if not value or (is_socket and origin is None) or",
        "    if not value or",
        (f"{SIGN_IN}::test_a_socket_takes_the_cookie_from_our_own_page_only",),
    ),
    Mutation(
        "any provider's answer is taken, to any attempt",
        f"{OIDC}/flow.py",
        "    return hmac.compare_digest(_bytes(state), _bytes(attempt.state)) and issuer in (None, expected_issuer)\n",
        "    return True\n",
        (
            f"{OF_OIDC}/test_flow.py::test_an_answer_is_to_its_attempt_and_of_its_provider",
            f"{SIGN_IN}::test_an_answer_of_another_provider_or_of_another_attempt_is_not_taken",
        ),
    ),
    Mutation(
        "a code is redeemed without its verifier",
        f"{OIDC}/provider.py",
        '            "code_verifier": verifier,\n',
        "",
        (f"{SIGN_IN}::test_an_analyst_signs_in_and_sees_scores",),
    ),
    Mutation(
        "somebody is led elsewhere after signing in",
        "monitor/api/sign_in.py",
        "        if not flow.is_own_path(back):\n",
        "        if False and not flow.is_own_path(back):\n",
        (f"{SIGN_IN}::test_nobody_is_led_elsewhere_after_signing_in",),
    ),
    Mutation(
        "an ID token that answers another sign-in is taken",
        f"{OIDC}/claims.py",
        "    if not isinstance(given, str) or not hmac.compare_digest(_bytes(given), _bytes(nonce)):\n",
        "    if not isinstance(given, str):\n",
        (f"{OF_OIDC}/test_claims.py::test_any_other_is_not",),
    ),
    Mutation(
        "tokens for somebody else's service are taken",
        f"{OIDC}/claims.py",
        "    if not isinstance(audiences, list) or audience not in audiences:\n",
        "    if not isinstance(audiences, list):\n",
        (
            f"{OF_OIDC}/test_claims.py::test_any_other_is_not",
            f"{TOKENS}::test_a_token_for_somebody_else_is_not",
        ),
    ),
    Mutation(
        "whatever algorithm a provider's token names is used",
        f"{OIDC}/keys.py",
        "    if algorithm not in ALGORITHMS:\n        return False\n",
        "    return True\n",
        (f"{OF_OIDC}/test_keys.py::test_nothing_else_is",),
    ),
    Mutation(
        "strangers have the provider's keys asked for at will",
        f"{OIDC}/keys.py",
        "        if self.tried_at is not None and now - self.tried_at < self._pause_seconds:\n",
        "        if False:\n",
        (
            f"{OF_OIDC}/test_keys.py::"
            "test_keys_are_asked_for_when_they_are_old_or_another_is_named_and_not_for_every_stranger",
            f"{TOKENS}::test_new_keys_are_found_and_strangers_do_not_have_them_asked_for",
        ),
    ),
    Mutation(
        "an unverified address is somebody's",
        f"{OIDC}/claims.py",
        '    if name == "email" and claims.get("email_verified") is not True:\n',
        '    if False and name == "email":\n',
        (f"{OF_OIDC}/test_claims.py::test_where_a_claim_lies",),
    ),
    Mutation(
        "sessions go on for ever",
        "monitor/api/access/sessions.py",
        " or now >= min(row.expires, row.seen + self._idle):\n",
        ":\n",
        (f"{OF_SESSIONS}::test_a_session_ends_when_it_is_not_used_and_ends_at_last_however_it_is",),
    ),
    Mutation(
        "a session outlives the rules that it was begun under",
        "monitor/api/access/sessions.py",
        " or row.rules != self._rules or",
        " or",
        (f"{OF_SESSIONS}::test_another_process_and_a_restart_know_it_and_other_rules_do_not",),
    ),
    Mutation(
        "a protected person is told of everybody",
        "monitor/api/own.py",
        '            if one["identity"] == name\n',
        "",
        (f"{SIGN_IN}::test_a_protected_person_sees_their_own_status_and_nothing_else",),
    ),
    Mutation(
        "a provider's addresses may be anything",
        f"{OIDC}/messages.py",
        "isinstance(text, str) and objection(text) is None}",
        "isinstance(text, str)}",
        (f"{OF_OIDC}/test_messages.py::test_an_address_that_is_missing_wrong_or_in_the_clear",),
    ),
)
