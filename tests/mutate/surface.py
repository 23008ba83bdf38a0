"""The surface: strangers, their names and pages, what they may send and wait for, and what they may read."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

ALERTS = "monitor/api/alerts.py"
CONNECTION = "monitor/api/connection.py"
GATE = "monitor/api/gate.py"
METRICS = "monitor/host/metrics.py"
SERVE = "monitor/serve.py"

OF_ALERTS = "tests/monitor/api/test_alerts.py"
OF_CONNECTIONS = "tests/monitor/api/test_connections.py"
OF_GATE = "tests/monitor/api/test_gate.py"
OF_METRICS = "tests/monitor/host/test_metrics.py"
OF_SERVE = "tests/monitor/api/test_serve.py"
NO_ORACLE = "tests/monitor/api/test_no_oracle.py::test_no_answer_without_a_token_holds_a_verdict_or_a_score"
SILENT = f"{OF_ALERTS}::test_silent_sockets_take_nobodys_place"
IDLE = f"{OF_CONNECTIONS}::test_idle_and_half_sent_connections_hold_nobody_up"
DRIP = f"{OF_CONNECTIONS}::test_whoever_sends_no_whole_request_is_let_go"
LARGE = f"{OF_CONNECTIONS}::test_what_a_request_may_hold_is_ours_to_say"
REBOUND = f"{OF_GATE}::test_a_name_that_was_let_lead_here_is_refused_everywhere"
FEW = f"{OF_GATE}::test_strangers_of_one_address_have_few_places_and_whoever_has_a_token_has_room"

OF_SOURCES = "tests/monitor/api/test_sources.py"
ADMINS = f"{OF_SOURCES}::test_a_running_server_is_asked_by_the_command"

MUTATIONS = (
    Mutation(
        "a webhook of another body is taken",
        "plugins/protocols/livekit/webhook.py",
        "    if not hmac.compare_digest(hashlib.sha256(body).digest(), claimed):\n",
        "    if False:\n",
        ("tests/plugins/protocols/livekit/test_webhook.py::test_what_is_not_signed_by_us_is_refused_whoever_parses",),
    ),
    Mutation(
        "a webhook that nobody has signed reaches the plug-in",
        "plugins/livekit_hooks.py",
        '            return 401, "{}"\n',
        '            return 200, "{}"\n',
        ("tests/plugins/test_livekit_rooms.py::test_rooms_are_joined_as_webhooks_tell_of_them",),
    ),
    Mutation(
        "the text of an error of a plug-in is told with what it names",
        "monitor/host/acting.py",
        'return ActionStatus.FAILED, f"{type(error).__name__} in the plug-in: please report it"',
        "return ActionStatus.FAILED, str(error)",
        ("tests/monitor/host/test_ingest_actions.py::test_what_fails_is_told_without_names",),
    ),
    Mutation(
        "anybody who is known opens sources",
        "monitor/api/auth.py",
        "MAY_MANAGE_SOURCES = Depends(Requires(Permission.SOURCES))",
        "MAY_MANAGE_SOURCES = Depends(Known())",
        (ADMINS,),
    ),
    Mutation(
        "the route that opens sources asks for no role",
        "monitor/api/sources.py",
        '    @routes.post("/v1/sources", dependencies=[MAY_MANAGE_SOURCES], **CREATE)',
        '    @routes.post("/v1/sources", **CREATE)',
        (ADMINS,),
    ),
    Mutation(
        "there may be any number of sources",
        "monitor/host/ingest.py",
        "        if len(self._runners) >= MAX_SOURCES:",
        "        if False:",
        ("tests/monitor/host/test_ingest.py::test_there_are_so_many_sources_and_no_more",),
    ),
    Mutation(
        "silent sockets are never shown out",
        ALERTS,
        "            shown_out.end(Close.CROWDED)\n",
        "            pass\n",
        (SILENT,),
    ),
    Mutation(
        "pages of any origin get alerts",
        ALERTS,
        "        if not is_welcome(",
        "        if False and not is_welcome(",
        (f"{OF_ALERTS}::test_alerts_are_for_our_own_pages",),
    ),
    Mutation(
        "any name is served",
        GATE,
        '        if not is_served(Headers(scope=scope).get("host"), self._names):\n',
        "        if False:\n",
        (REBOUND,),
    ),
    Mutation(
        "there is no gate",
        "monitor/api/app.py",
        "    return Guard(gate, ",
        "    return Guard(gate._app, ",
        (REBOUND, FEW),
    ),
    Mutation(
        "one address may take all places",
        GATE,
        "        if self._progress.is_crowded(address):\n",
        "        if False:\n",
        (FEW,),
    ),
    Mutation(
        "strangers may take all places",
        GATE,
        "        return TurnedAway.FULL if self._progress.is_full else None\n",
        "        return None\n",
        (f"{OF_GATE}::test_no_room_at_all_is_503",),
    ),
    Mutation(
        "connections have the bounds of the library",
        CONNECTION,
        "super().__init__(app, http=BoundedHttp, **options)",
        "super().__init__(app, **options)",
        (IDLE, DRIP, LARGE),
    ),
    Mutation(
        "idle connections are never shown out",
        CONNECTION,
        "            shown_out.transport.abort()\n",
        "            pass\n",
        (IDLE,),
    ),
    Mutation(
        "a request may take for ever to come",
        CONNECTION,
        "                self._give(WAIT_SECONDS, self._waited_too_long)\n",
        "                pass\n",
        (DRIP, f"{OF_CONNECTIONS}::test_a_drop_now_and_then_keeps_no_connection"),
    ),
    Mutation(
        "an answer may take for ever to be read",
        CONNECTION,
        "            self._give(ANSWER_SECONDS, self._answered_too_long)\n",
        "            pass\n",
        (f"{OF_CONNECTIONS}::test_who_reads_no_answer_is_let_go_unless_they_have_a_token",),
    ),
    Mutation(
        "a request may have any size",
        CONNECTION,
        "                _check_size(event)\n",
        "                pass\n",
        (LARGE,),
    ),
    Mutation(
        "sockets that were shown out stay",
        "monitor/api/server.py",
        "            self.config.connections.wait(self, self.client)\n",
        "            pass\n",
        (f"{OF_CONNECTIONS}::test_sockets_that_were_shown_out_and_linger_hold_nobody_up",),
    ),
    Mutation(
        "the headers of a part of a form are the library's business",
        "monitor/api/form.py",
        "        if part.header_bytes > MAX_PART_HEADER_BYTES or part.headers >= MAX_PART_HEADERS:\n",
        "        if False:\n",
        ("tests/monitor/api/test_form.py::test_the_headers_of_a_part_are_bounded_by_us",),
    ),
    Mutation(
        "anybody may read every number",
        "monitor/api/health.py",
        "        return _exposition(metrics.harmless)\n",
        "        return _exposition(metrics.registry)\n",
        (NO_ORACLE,),
    ),
    Mutation(
        "every number is harmless",
        METRICS,
        "            if family.name in HARMLESS or family.name.startswith(HARMLESS_PREFIXES):\n",
        "            if True:\n",
        (NO_ORACLE, f"{OF_METRICS}::test_what_anybody_may_read_says_nothing_of_verdicts"),
    ),
    Mutation(
        "verdicts of few are counted by name",
        METRICS,
        "        if self.participants >= self._min_participants:\n            self._counts",
        "        if True:\n            self._counts",
        (f"{OF_METRICS}::test_with_few_participants_no_verdict_is_counted_or_shown",),
    ),
    Mutation(
        "a participant reads scores",
        "monitor/api/app.py",
        " if scores else page\n",
        " if True else page\n",
        ("tests/monitor/api/test_rest.py::test_a_participant_is_shown_words_unless_the_operator_says_so",),
    ),
    Mutation(
        "the token is printed into a log",
        SERVE,
        "settings, is_private(sys.stdout)",
        "settings, True",
        (f"{OF_SERVE}::test_first_start_to_sigterm",),
    ),
    Mutation(
        "a container's terminal is private",
        SERVE,
        " not in map(_terminal_at, CONTAINER_LOGS)",
        " not in ()",
        (f"{OF_SERVE}::test_a_terminal_is_private_unless_a_container_keeps_it",),
    ),
    Mutation(
        "pages may connect anywhere",
        "monitor/api/guard.py",
        "connect-src 'self'; base-uri",
        "connect-src 'self' ws: wss:; base-uri",
        ("tests/monitor/api/test_rest.py::test_pages_and_security_headers",),
    ),
)
