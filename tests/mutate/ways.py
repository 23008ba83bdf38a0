"""Ways into calls: who may say that one begins, where media are taken from, and who somebody claims to be in them."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

WEBHOOK = "plugins/protocols/zoom/webhook.py"
MESSAGES = "plugins/protocols/zoom/messages.py"
ZOOM = "plugins/zoom_rtms.py"
CALL = "plugins/zoom_call.py"
LISTENER = "plugins/webhook.py"
CLAIMING = "monitor/host/claiming.py"
PARTICIPANT = "monitor/host/participant.py"
WHEP = "plugins/protocols/whep.py"
PLAYER = "plugins/whep.py"
JANUS = "plugins/protocols/janus.py"
PIN = "monitor/tap/rtp/source_pin.py"
PLAIN = "monitor/tap/rtp/plain.py"

OF_WEBHOOK = "tests/plugins/protocols/zoom/test_webhook.py"
OF_ZOOM = "tests/plugins/test_zoom_rtms.py"
OF_MESSAGES = "tests/plugins/protocols/zoom/test_messages.py"
OF_RENAMED = "tests/monitor/host/test_renamed.py"
STRANGERS = f"{OF_ZOOM}::test_duplicates_and_strangers_change_nothing"
OF_WHEP = "tests/plugins/protocols/test_whep.py"
OF_PLAYER = "tests/plugins/test_whep.py"
OF_JANUS = "tests/plugins/protocols/test_janus.py"
OF_PIN = "tests/monitor/tap/rtp/test_source_pin.py"
OF_RTP = "tests/plugins/test_rtp.py"

MUTATIONS = (
    Mutation(
        "anybody may send webhooks",
        WEBHOOK,
        "    if not hmac.compare_digest(expected.encode(), signature.encode()):\n",
        "    if False:\n",
        (f"{OF_WEBHOOK}::test_who_may_send_them", STRANGERS),
    ),
    Mutation(
        "webhooks may be repeated for ever",
        WEBHOOK,
        "    if abs(now - sent) > MAX_AGE_SECONDS:\n",
        "    if False:\n",
        (f"{OF_WEBHOOK}::test_a_webhook_is_of_now", STRANGERS),
    ),
    Mutation(
        "the check of the address signs whatever it is asked",
        WEBHOOK,
        "    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:\n",
        "    if not isinstance(token, str):\n",
        (f"{OF_WEBHOOK}::test_the_check_of_the_address_signs_nothing_that_could_be_a_webhook",),
    ),
    Mutation(
        "a webhook of any size is read",
        LISTENER,
        "                if len(body) > self._max_body_bytes:\n",
        "                if False:\n",
        (f"{OF_ZOOM}::test_the_address_is_checked_and_what_is_no_webhook_is_refused",),
    ),
    Mutation(
        "a stream that is said twice is received twice",
        ZOOM,
        "            case webhook.Started(_, stream, _) if stream not in self._calls and stream not in self._ended:\n",
        "            case webhook.Started(_, stream, _):\n",
        (STRANGERS,),
    ),
    Mutation(
        "media are taken without TLS",
        MESSAGES,
        '        return parts.scheme == "wss" and',
        '        return parts.scheme in ("ws", "wss") and',
        (f"{OF_MESSAGES}::test_what_is_no_secure_url",),
    ),
    Mutation(
        "everybody's sound in one is taken for somebody's",
        MESSAGES,
        '    if _integer(params.get("data_opt")) != SEPARATE_AUDIO:\n',
        "    if False:\n",
        (f"{OF_MESSAGES}::test_what_cannot_be_judged_is_refused_at_the_handshake",),
    ),
    Mutation(
        "a revoked call is kept",
        CALL,
        "        if stop.deletes:\n",
        "        if False:\n",
        (f"{OF_ZOOM}::test_a_revoked_stream_deletes_what_was_kept",),
    ),
    Mutation(
        "whoever takes a protected name is not compared anew",
        CLAIMING,
        "        if now == asked:\n",
        "        if True:\n",
        (f"{OF_RENAMED}::test_who_takes_a_protected_name_is_compared_with_its_bearer",),
    ),
    Mutation(
        "taking off a stated identity is a way out of being compared",
        CLAIMING,
        "        now = (asked[0] if key.identity is None else key), profile\n",
        "        now = key, profile\n",
        (f"{OF_RENAMED}::test_a_stated_claim_stays_until_another_one_is_stated",),
    ),
    Mutation(
        "a new name sheds the finding of the one before",
        PARTICIPANT,
        "            memory.left(self._departed(RENAMED))\n",
        "            pass\n",
        (f"{OF_RENAMED}::test_evidence_and_findings_stay_with_the_claim_that_they_are_of",),
    ),
    Mutation(
        "a token of WHEP goes wherever a redirect leads",
        PLAYER,
        "        mine = token is not None and whep.origin(url) == self._origin\n",
        "        mine = token is not None\n",
        (f"{OF_PLAYER}::test_a_redirect_is_followed_with_the_offer_and_without_the_token",),
    ),
    Mutation(
        "a server of WHEP leads from TLS to none",
        WHEP,
        '    return target if known and not (url.startswith("https:") and parts.scheme != "https") else None\n',
        "    return target if known else None\n",
        (f"{OF_WHEP}::test_what_is_no_location",),
    ),
    Mutation(
        "a server of WHEP redirects in circles",
        WHEP,
        "        if target is None or redirects >= MAX_REDIRECTS:\n",
        "        if target is None:\n",
        (f"{OF_WHEP}::test_circles_end",),
    ),
    Mutation(
        "a server of WHEP answers without end",
        PLAYER,
        "                        if len(read) > limit:\n",
        "                        if False:\n",
        (f"{OF_PLAYER}::test_what_goes_wrong_is_a_line_that_says_what_to_do",),
    ),
    Mutation(
        "a room of Janus holds anybody who is in its list",
        JANUS,
        "    for entry in listed[:MAX_PUBLISHERS] if isinstance(listed, list) else []:\n",
        "    for entry in listed if isinstance(listed, list) else []:\n",
        (f"{OF_JANUS}::test_who_cannot_be_subscribed_to_is_left_out",),
    ),
    Mutation(
        "who takes another name in a room of Janus is not told of",
        JANUS,
        "                renamed.append(person)\n",
        "                pass\n",
        (f"{OF_JANUS}::test_who_takes_another_name_is_told_of_however_janus_says_it",),
    ),
    Mutation(
        "a server that is gone takes whom it played out of the call",
        PLAYER,
        "        intake.roster(call, (Listed(participant, None, profile, options.identity),))\n",
        "",
        (f"{OF_PLAYER}::test_a_server_that_is_gone_takes_nobody_out_of_the_call",),
    ),
    Mutation(
        "whoever falls silent on plain RTP has left",
        "plugins/rtp.py",
        "None if peer.said_goodbye else self._who(Reason.SOURCE_LOST)",
        "None",
        (f"{OF_RTP}::test_who_says_goodbye_has_left_and_of_who_falls_silent_nobody_knows",),
    ),
    Mutation(
        "a stream that Zoom gave up is taken for the end of the meeting",
        CALL,
        "            await self._lose()\n            raise\n",
        "            self._intake.roster(self.name, ())\n            raise\n",
        (f"{OF_ZOOM}::test_who_is_away_for_too_long_has_lost_the_stream",),
    ),
    Mutation(
        "strangers mix their packets into plain RTP",
        PIN,
        "        return self.media is None or address in (self.media, self.rtcp) or self._is_released(now)\n",
        "        return True\n",
        (
            f"{OF_PIN}::test_nobody_else_is_looked_at_while_the_first_is_heard",
            f"{OF_RTP}::test_a_key_frame_is_asked_for_at_the_senders_rtcp_port_and_strangers_are_left_out",
        ),
    ),
    Mutation(
        "reports of other machines are taken for the sender's",
        PIN,
        "        return self.media is not None and address[0] == self.media[0] and not self._is_released(now)\n",
        "        return self.media is not None\n",
        (f"{OF_PIN}::test_rtcp_is_of_the_same_machine_and_says_where_ours_goes",),
    ),
)
