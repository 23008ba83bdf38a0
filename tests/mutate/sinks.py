"""Sinks: where they connect to, whom they believe, and what becomes of a finding that they do not take."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

ADDRESS = "monitor/alerts/sinks/address.py"
CEF = "monitor/alerts/sinks/cef.py"
DELIVERY = "monitor/alerts/sinks/delivery.py"
HTTP = "monitor/alerts/sinks/http.py"
SLACK = "monitor/alerts/sinks/slack.py"
SYSLOG = "monitor/alerts/sinks/syslog.py"
TLS = "monitor/alerts/sinks/tls.py"

OF_DELIVERY = "tests/monitor/alerts/sinks/test_delivery.py"
OF_HTTP = "tests/monitor/alerts/sinks/test_http.py"
OF_REFUSALS = "tests/monitor/alerts/sinks/test_refusals.py"
OF_SYSLOG = "tests/monitor/alerts/sinks/test_syslog.py"
OF_VENDORS = "tests/monitor/alerts/sinks/test_vendors.py"

MUTATIONS = (
    Mutation(
        "every address is admitted",
        ADDRESS,
        "    return allow_private if denied(parsed) else not plain\n",
        "    return True\n",
        (
            f"{OF_HTTP}::test_a_name_that_leads_inside_is_refused",
            f"{OF_HTTP}::test_nothing_goes_in_the_clear_to_a_public_address",
            f"{OF_SYSLOG}::test_the_certificate_and_the_address_are_checked",
        ),
    ),
    Mutation(
        "metadata services are private addresses like others",
        ADDRESS,
        "    if is_metadata(parsed):\n",
        "    if False:\n",
        (f"{OF_HTTP}::test_metadata_services_are_refused_whatever_is_allowed",),
    ),
    Mutation(
        "a name is looked up again to connect to it",
        HTTP,
        "self._backend.connect_tcp(address, port,",
        "self._backend.connect_tcp(host, port,",
        (f"{OF_HTTP}::test_a_name_that_changes_its_mind_leads_nowhere_else",),
    ),
    Mutation(
        "requests go wherever a name leads",
        HTTP,
        "            network_backend=self._backend,\n",
        "",
        (
            f"{OF_HTTP}::test_a_private_address_is_refused_unless_it_is_allowed",
            f"{OF_HTTP}::test_a_name_that_leads_inside_is_refused",
        ),
    ),
    Mutation(
        "certificates are not verified",
        TLS,
        "    context.minimum_version = ssl.TLSVersion.TLSv1_2\n",
        "    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE\n",
        (
            f"{OF_HTTP}::test_certificates_are_verified",
            f"{OF_SYSLOG}::test_the_certificate_and_the_address_are_checked",
        ),
    ),
    Mutation(
        "answers are read without end",
        HTTP,
        "                if len(body) > MAX_REPLY_BYTES:\n",
        "                if False:\n",
        (f"{OF_HTTP}::test_an_answer_without_end_is_not_read",),
    ),
    Mutation(
        "what is refused is tried for ever",
        DELIVERY,
        "        except RefusedError as refusal:\n            await self._deliver_alone",
        "        except ZeroDivisionError as refusal:\n            await self._deliver_alone",
        (f"{OF_REFUSALS}::test_what_is_refused_is_a_dead_letter_and_the_rest_goes_on",),
    ),
    Mutation(
        "a sink whose request was cut short at the wrong moment sends nothing ever again",
        HTTP,
        "            pool, self._pool = self._pool, self._fresh()\n            await _closed(pool)\n",
        "",
        (f"{OF_HTTP}::test_a_request_that_is_cut_short_at_any_moment_is_followed_by_others",),
    ),
    Mutation(
        "a refusal now and then lengthens the pauses without end",
        DELIVERY,
        "        # After each part: else one refusal in many would lengthen the pauses without end.\n"
        "        self._note_success()\n",
        "",
        (f"{OF_DELIVERY}::test_a_refusal_now_and_then_lengthens_no_pause",),
    ),
    Mutation(
        "what was accepted before a refusal comes again after a crash",
        DELIVERY,
        "            with contextlib.suppress(JournalError):\n                await self._write_cursor()\n",
        "            pass\n",
        (f"{OF_DELIVERY}::test_what_was_accepted_before_a_refusal_is_written_down",),
    ),
    Mutation(
        "a sink that wants nothing more is tried for ever",
        DELIVERY,
        "            except GoneError as error:\n",
        "            except ZeroDivisionError as error:\n",
        (f"{OF_REFUSALS}::test_a_sink_that_wants_nothing_more_stops_and_holds_back_nobody",),
    ),
    Mutation(
        "messages were read by whoever ends the connection",
        SYSLOG,
        "                    raise ConnectionResetError\n",
        "                    pass\n",
        (f"{OF_SYSLOG}::test_a_connection_that_is_cut_is_a_delivery_that_failed",),
    ),
    Mutation(
        "names may end a field of CEF",
        CEF,
        'replace(separator, f"\\\\{separator}")',
        "replace(separator, separator)",
        ("tests/monitor/alerts/sinks/test_cef.py::test_no_name_ends_a_field_or_a_line",),
    ),
    Mutation(
        "names in Slack may mention everybody",
        SLACK,
        '{"type": "plain_text",',
        '{"type": "mrkdwn",',
        (f"{OF_VENDORS}::test_names_mean_nothing_to_slack_and_teams",),
    ),
)
