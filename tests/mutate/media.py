"""The media path: who may send, what may wait, what is decoded, and where this machine may be made to send."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

GUARDS = "monitor/tap/rtp/guards.py"
INSTALL = "monitor/tap/rtp/install.py"
CANDIDATES = "monitor/tap/rtp/candidates.py"
SDP = "monitor/tap/rtp/sdp_parser.py"
DECODE = "monitor/tap/media/decode.py"
WEBRTC = "monitor/tap/webrtc.py"

OF_GUARDS = "tests/monitor/tap/rtp/test_guards.py"
OF_CANDIDATES = "tests/monitor/tap/rtp/test_candidates.py"
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
)
