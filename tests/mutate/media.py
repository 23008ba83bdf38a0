"""The media path: who may send, what may wait, what is decoded, and where this machine may be made to send."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

GUARDS = "monitor/tap/rtp/guards.py"
INSTALL = "monitor/tap/rtp/install.py"
CANDIDATES = "monitor/tap/rtp/candidates.py"
SDP = "monitor/tap/rtp/sdp_parser.py"
DECODE = "monitor/tap/media/decode.py"
WEBRTC = "monitor/tap/webrtc.py"

OF_FLOOD = "tests/monitor/tap/rtp/test_flood.py"
OF_LINE = "tests/monitor/tap/test_bad_line.py"
OF_SPRAY = "tests/monitor/tap/test_spray.py"
OF_GUARDS = "tests/monitor/tap/rtp/test_guards.py"
OF_CANDIDATES = "tests/monitor/tap/rtp/test_candidates.py"
OF_CANARY = "tests/monitor/tap/test_canary.py"
OF_CONNECTING = "tests/monitor/tap/test_connecting.py"
OF_SDP = "tests/monitor/tap/rtp/test_sdp.py"
OF_DECODE = "tests/monitor/tap/media/test_decode.py"
OF_WEBRTC = "tests/monitor/tap/test_webrtc.py"

MUTATIONS = (
    Mutation(
        "the source filter is not installed",
        INSTALL,
        "            source_filter.guard(protocol)\n",
        "            pass\n",
        (f"{OF_CONNECTING}::test_a_stranger_reaches_nothing_but_stun",),
    ),
    Mutation(
        "the source filter is never asked for",
        WEBRTC,
        "        self._filters = guard_sources(self._pc)\n",
        "",
        (f"{OF_CONNECTING}::test_a_stranger_reaches_nothing_but_stun",),
    ),
    Mutation(
        "strangers pass the source filter",
        GUARDS,
        "        if addr not in self._addresses and not self._is_candidate(addr):\n",
        "        if False:\n",
        (
            f"{OF_GUARDS}::test_only_candidates_of_the_far_end_may_send_anything_but_stun",
            f"{OF_CONNECTING}::test_a_stranger_reaches_nothing_but_stun",
        ),
    ),
    Mutation(
        "every address may be sent to",
        CANDIDATES,
        "    return not address.is_global or address.is_multicast\n",
        "    return False\n",
        (f"{OF_CANDIDATES}::test_denied_hosts", f"{OF_CANARY}::test_nothing_is_sent_to_where_nothing_may_be_sent"),
    ),
    Mutation(
        "candidates of an offer are not selected",
        SDP,
        "        candidates=select(offered, config),\n",
        "        candidates=tuple(offered),\n",
        (
            f"{OF_CANARY}::test_nothing_is_sent_to_where_nothing_may_be_sent",
            f"{OF_CANARY}::test_an_offer_makes_this_machine_knock_at_eight_places_at_most",
        ),
    ),
    Mutation(
        "trickled candidates are not selected",
        WEBRTC,
        "        await self._add(select(parsed.candidates, self._config, self._candidate_count))\n",
        "        await self._add(parsed.candidates)\n",
        (
            f"{OF_CANARY}::test_nothing_is_sent_to_where_nothing_may_be_sent",
            f"{OF_CANARY}::test_an_offer_makes_this_machine_knock_at_eight_places_at_most",
            f"{OF_WEBRTC}::test_trickled_candidates_are_taken_within_limits_and_restarts_refused",
        ),
    ),
    Mutation(
        "any number of candidates",
        CANDIDATES,
        "        if in_use + len(selected) >= config.max_candidates:\n",
        "        if False:\n",
        (
            f"{OF_CANDIDATES}::test_no_more_than_the_limit_counted_with_those_in_use_and_each_once",
            f"{OF_CANARY}::test_an_offer_makes_this_machine_knock_at_eight_places_at_most",
        ),
    ),
    Mutation(
        "names are asked for",
        CANDIDATES,
        "    except ValueError:\n        return False\n",
        "    except ValueError:\n        return True\n",
        (f"{OF_CANDIDATES}::test_denied_hosts", f"{OF_CANARY}::test_nothing_is_sent_to_where_nothing_may_be_sent"),
    ),
    Mutation(
        "metadata are reached where all is allowed",
        CANDIDATES,
        "    if is_metadata(address):\n        return False\n",
        "",
        (
            f"{OF_CANDIDATES}::test_metadata_of_clouds_is_denied_in_every_spelling_whatever_is_allowed",
            f"{OF_CANARY}::test_a_canary_hears_what_is_allowed",
        ),
    ),
    Mutation(
        "metadata in one spelling only",
        CANDIDATES,
        "any(spelt in network for spelt in _spellings(address) for network in METADATA)",
        "any(address in network for network in METADATA)",
        (f"{OF_CANDIDATES}::test_metadata_of_clouds_is_denied_in_every_spelling_whatever_is_allowed",),
    ),
    Mutation(
        "arrivals of packets with nothing in them are kept",
        "monitor/tap/rtp/stream.py",
        "deque(maxlen=600)",
        "deque()",
        (f"{OF_FLOOD}::test_packets_with_nothing_in_them_leave_no_arrivals_behind",),
    ),
    Mutation(
        "the backlog has no room limit",
        DECODE,
        "        while queue and not self._has_room(encoded):\n",
        "        while False:\n",
        (
            f"{OF_FLOOD}::test_a_track_that_nobody_reads_is_bounded_in_seconds_and_in_bytes",
            f"{OF_FLOOD}::test_an_hour_of_flood_takes_no_memory",
            f"{OF_DECODE}::test_the_backlog_is_bounded_in_seconds_of_media",
        ),
    ),
    Mutation(
        "the backlog is not bounded in bytes",
        DECODE,
        " and cost <= self._config.backlog_bytes\n",
        "\n",
        (
            f"{OF_FLOOD}::test_a_track_that_nobody_reads_is_bounded_in_seconds_and_in_bytes",
            f"{OF_DECODE}::test_the_backlog_is_bounded_in_bytes_where_media_time_stands",
        ),
    ),
    Mutation(
        "faults that nobody reads are kept",
        DECODE,
        "deque(maxlen=MAX_FAULTS)",
        "deque()",
        (f"{OF_DECODE}::test_faults_of_others_keep_their_order_and_the_oldest_go",),
    ),
    Mutation(
        "SRTP makes a stream for every SSRC",
        INSTALL,
        "            transport._rx_srtp = CappedSession(transport._rx_srtp, 2 * config.max_ssrc)",
        "            pass",
        (f"{OF_SPRAY}::test_a_spray_of_ssrcs_over_a_real_call_leaves_small_tables",),
    ),
    Mutation(
        "SRTP keeps the streams that are forgotten",
        GUARDS,
        "        self._session.remove_stream(ssrc)\n",
        "        pass\n",
        (f"{OF_SPRAY}::test_a_spray_of_ssrcs_over_a_real_call_leaves_small_tables",),
    ),
    Mutation(
        "the router of the WebRTC stack learns every SSRC",
        INSTALL,
        "    transport._rtp_router = CappedRouter(config.max_ssrc, _count_unknown_payload)\n",
        "",
        (f"{OF_SPRAY}::test_a_spray_of_ssrcs_over_a_real_call_leaves_small_tables",),
    ),
    Mutation(
        "the router forgets no SSRC",
        GUARDS,
        "        self.ssrc_table.pop(ssrc, None)\n",
        "        pass\n",
        (
            f"{OF_SPRAY}::test_a_spray_of_ssrcs_over_a_real_call_leaves_small_tables",
            f"{OF_GUARDS}::test_a_spray_of_ssrcs_leaves_small_tables",
        ),
    ),
    Mutation(
        "tables have no capacity",
        "monitor/tap/media/lru.py",
        "        if len(self.entries) > self._capacity:\n",
        "        if False:\n",
        (f"{OF_GUARDS}::test_srtp_streams_are_capped",),
    ),
    Mutation(
        "any number of datagrams waits for the WebRTC stack",
        GUARDS,
        "        if self._connection._queue.qsize() >= MAX_QUEUED_DATAGRAMS:\n",
        "        if False:\n",
        (f"{OF_GUARDS}::test_only_candidates_of_the_far_end_may_send_anything_but_stun",),
    ),
    Mutation(
        "the size of a picture is not looked at before it is decoded",
        DECODE,
        "        if size[0] * size[1] > self._config.max_pixels:\n",
        "        if False:\n",
        (
            f"{OF_DECODE}::test_a_key_frame_of_8192_pixels_costs_less_than_5_ms",
            f"{OF_LINE}::test_key_frames_of_8192_pixels_mark_the_participant_and_the_call_lives",
        ),
    ),
    Mutation(
        "the decoder takes pictures of any size",
        DECODE,
        '{"max_pixels": str(max_pixels), "flags"',
        '{"flags"',
        (f"{OF_DECODE}::test_a_bomb_past_the_peek_is_refused_by_the_decoder",),
    ),
    Mutation(
        "pictures wait for the garbage collector",
        "monitor/tap/media/formats.py",
        'SideDataContainer(frame).get("DISPLAYMATRIX")',
        'frame.side_data.get("DISPLAYMATRIX")',
        (f"{OF_DECODE}::test_pictures_are_let_go_of_at_once_whatever_their_size",),
    ),
    Mutation(
        "what a decoder raises is let through",
        DECODE,
        "        except Exception as error:\n",
        "        except av.FFmpegError as error:\n",
        (
            f"{OF_DECODE}::test_any_exception_is_survived_with_a_new_decoder",
            f"{OF_LINE}::test_a_decoder_that_dies_is_told_within_two_seconds_and_the_call_lives",
            f"{OF_WEBRTC}::test_a_decoder_that_raises_is_told_and_the_call_goes_on",
        ),
    ),
    Mutation(
        "that a decoder failed is not told",
        DECODE,
        '                self._fault(encoded, Reason.DECODER_FAILED, f"the {kind} could not be decoded")\n',
        "",
        (
            f"{OF_DECODE}::test_any_exception_is_survived_with_a_new_decoder",
            f"{OF_LINE}::test_a_decoder_that_dies_is_told_within_two_seconds_and_the_call_lives",
        ),
    ),
    Mutation(
        "lost sound is not told",
        "monitor/tap/rtp/receiver.py",
        '        if self.kind == "audio" and share >= MIN_LOSS and not self._paused:\n',
        "        if False:\n",
        (
            f"{OF_LINE}::test_a_bad_line_accuses_nobody_and_what_is_lost_is_the_reason",
            "tests/monitor/tap/rtp/test_receiver.py::test_sound_of_which_much_is_lost_is_told_every_second",
        ),
    ),
    Mutation(
        "a subject may hold any number of places",
        "monitor/host/quota.py",
        "        if len(own) >= (self.capacity if self.places is None else self.places):\n",
        "        if False:\n",
        (
            "tests/monitor/host/test_quota.py::test_a_subject_gets_what_it_may_have",
            "tests/monitor/host/test_half_open.py::test_a_subject_has_no_more_places_than_the_settings_give",
        ),
    ),
    Mutation(
        "nobody asks what a subject holds",
        "monitor/host/host.py",
        "            self._check_quota(owner)\n",
        "",
        (
            "tests/monitor/host/test_half_open.py::test_a_thousand_half_open_offers_stay_within_bounds",
            "tests/monitor/host/test_half_open.py::test_a_subject_has_no_more_places_than_the_settings_give",
            "tests/monitor/api/test_whip.py::test_a_token_has_no_more_places_than_the_settings_give",
        ),
    ),
    Mutation(
        "the settings of what a token may hold are not used",
        "monitor/host/hosting.py",
        "settings.max_participants_per_token, settings.max_connecting_per_token",
        "None, None",
        ("tests/monitor/api/test_whip.py::test_a_token_has_no_more_places_than_the_settings_give",),
    ),
    Mutation(
        "places are not held while an offer is answered",
        "monitor/host/host.py",
        "            self._check_room(self._reserved)\n",
        "",
        ("tests/monitor/host/test_host.py::test_capacity_counts_half_open_publications",),
    ),
    Mutation(
        "a publisher may take for ever to connect",
        WEBRTC,
        "            elif now >= deadline:\n",
        "            elif False:\n",
        (f"{OF_WEBRTC}::test_a_publisher_that_never_connects_is_closed_at_the_deadline",),
    ),
    Mutation(
        "closing decodes what waits",
        DECODE,
        "            self._closed = True\n            self._clear()\n",
        "            pass\n        self.take(1000)\n",
        (f"{OF_WEBRTC}::test_closing_with_a_backlog_does_not_hold_the_event_loop",),
    ),
    Mutation(
        "offers of any size are parsed",
        SDP,
        '    if len(text.encode(errors="replace")) > config.max_sdp_bytes:\n',
        "    if False:\n",
        (f"{OF_SDP}::test_without_media_or_over_the_size_it_is_refused",),
    ),
    Mutation(
        "data channels are negotiated",
        SDP,
        '    if "application" in kinds:\n',
        "    if False:\n",
        (f"{OF_SDP}::test_refusals",),
    ),
    Mutation(
        "any number of media sections",
        SDP,
        "    if not kinds or len(kinds) != len(set(kinds)):\n",
        "    if not kinds:\n",
        (f"{OF_SDP}::test_refusals",),
    ),
)
