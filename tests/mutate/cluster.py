"""Hosts in processes of their own: what they are not given, what may cross, and what stays when one is gone."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

HERE = "tests/monitor/host/cluster"

MUTATIONS = (
    Mutation(
        "a host inherits the settings of its gateway",
        "monitor/host/cluster/host_settings.py",
        "        if not name.upper().startswith(PREFIX) or (",
        "        if name or (",
        (f"{HERE}/test_host_settings.py::test_the_environment_of_a_host_has_no_settings_and_few_threads",),
    ),
    Mutation(
        "a host is told every setting",
        "monitor/host/cluster/host_settings.py",
        "include=set(TOLD)",
        "include=None",
        (
            f"{HERE}/test_host_settings.py"
            "::test_a_host_judges_by_the_settings_of_its_gateway_and_has_none_of_its_secrets",
        ),
    ),
    Mutation(
        "whatever crosses a link is made, of any type that is known by name",
        "monitor/host/cluster/values.py",
        "    if kind not in ENUMS:\n",
        "    if False:\n",
        (f"{HERE}/test_values.py::test_what_is_none_of_the_types_is_not_read",),
    ),
    Mutation(
        "arrays of any type cross a link",
        "monitor/host/cluster/values.py",
        '    if value["of"] not in DTYPES:\n',
        "    if False:\n",
        (f"{HERE}/test_values.py::test_what_is_none_of_the_types_is_not_read",),
    ),
    Mutation(
        "a frame may be of any length",
        "monitor/host/cluster/frames.py",
        "    if length > MAX_FRAME_BYTES:\n",
        "    if False:\n",
        (f"{HERE}/test_frames.py::test_frames_are_bounded_at_both_ends",),
    ),
    Mutation(
        "what is said of a hop may arrive in pieces",
        "monitor/host/cluster/link.py",
        "            groups = [([message for message, _ in turn], None)]\n",
        "            groups = [([message], None) for message, _ in turn]\n",
        (f"{HERE}/test_link.py::test_what_is_said_once_is_with_what_was_said_with_it",),
    ),
    Mutation(
        "a finding is open or not as the host last said of it",
        "monitor/host/cluster/ledger.py",
        "reason=reason, finding=seat.finding)",
        "reason=reason)",
        (f"{HERE}/test_ledger.py::test_what_was_known_last_is_remembered_with_the_finding_that_was_told_last",),
    ),
    Mutation(
        "what was known of somebody goes with their host",
        "monitor/host/cluster/taking_off.py",
        "                self.memory.left(known)\n",
        "                pass\n",
        (f"{HERE}/test_fleet.py::test_a_killed_host_is_told_at_once_and_its_participants_go_on",),
    ),
    Mutation(
        "nobody is told that a host is gone",
        "monitor/host/cluster/taking_off.py",
        "        self.watching.host_lost(source, [place_of(seat) for seat in seats], reason)\n",
        "",
        (f"{HERE}/test_fleet.py::test_a_killed_host_is_told_at_once_and_its_participants_go_on",),
    ),
    Mutation(
        "hosts are let go while others are away",
        "monitor/host/cluster/rolling.py",
        "        if away is None:\n",
        "        if True:\n",
        (f"{HERE}/test_rolling.py::test_none_is_let_go_while_another_is_away",),
    ),
    Mutation(
        "what was known of somebody goes with a host that is drained",
        "monitor/host/host.py",
        "self._keeps = True, moved is not None",
        "self._keeps = True, False",
        (f"{HERE}/test_renewal.py::test_a_host_is_drained_in_mid_call_and_its_findings_go_on",),
    ),
    Mutation(
        "the admin of any tenant lets hosts go",
        "monitor/api/app.py",
        "    if parts.tenant == DEFAULT_TENANT:\n",
        "    if True:\n",
        ("tests/monitor/api/test_tenants.py::test_hosts_are_the_machines",),
    ),
    Mutation(
        "a pool with another model is asked",
        "engines/pool/client.py",
        "        if pool.serves().get(self._manifest.name) != self._manifest.sha256:\n",
        "        if False:\n",
        ("tests/engines/pool/test_client.py::test_another_model_of_the_same_name_is_not_asked",),
    ),
    Mutation(
        "a pool computes in another model than it was asked for",
        "engines/pool/encoders.py",
        "        if self.serves().get(pack) != sha256:\n",
        "        if False:\n",
        ("tests/engines/pool/test_client.py::test_another_model_of_the_same_name_is_not_asked",),
    ),
    Mutation(
        "bytes of a pool are read in whatever shape is said",
        "engines/pool/wire.py",
        "        if not is_shape or 4 * math.prod(shape) != len(data):\n",
        "        if False:\n",
        ("tests/engines/pool/test_wire.py::test_bytes_that_are_not_of_their_shape_are_refused",),
    ),
    Mutation(
        "a host may hang for as long as it likes",
        "monitor/host/cluster/liveness.py",
        "        return self.silent >= self.limit\n",
        "        return False\n",
        (f"{HERE}/test_liveness.py::test_two_seconds_of_silence_are_death",),
    ),
)
