"""What keeps tenants apart, and what erasing leaves and says."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

OF_TENANTS = "tests/monitor/api/test_tenants.py"
OF_NAMES = "tests/monitor/storage/tenancy/test_names.py"
OF_ACCESS = "tests/monitor/api/access"
OF_ERASURE = "tests/monitor/alerts/test_erasure.py"
GATES = "monitor/host/tenants.py"
ERASURE = "monitor/alerts/privacy/erasure.py"

MUTATIONS = (
    Mutation(
        "an application takes whoever is led to it",
        "monitor/api/auth.py",
        "        if found.tenant != request.app.state.tenant:\n",
        "        if False:\n",
        (f"{OF_TENANTS}::test_an_application_refuses_a_bearer_of_another_tenant",),
    ),
    Mutation(
        "everybody subscribes to the default tenant",
        "monitor/api/alerts.py",
        "(room := self._rooms.get(found.tenant)) is None",
        '(room := self._rooms.get("default")) is None',
        (f"{OF_TENANTS}::test_no_subscriber_and_no_sink_hears_of_another_tenant",),
    ),
    Mutation(
        "calls of every tenant are listed",
        GATES,
        "for tenant, call, described in theirs if tenant == self._tenant]",
        "for tenant, call, described in theirs]",
        (f"{OF_TENANTS}::test_each_tenant_sees_all_that_is_its_own",),
    ),
    Mutation(
        "calls of the same name are one",
        "monitor/storage/tenancy/names.py",
        'return name if tenant == DEFAULT_TENANT and SEPARATOR not in name else f"{tenant}{SEPARATOR}{name}"',
        "return name",
        (f"{OF_NAMES}::test_calls_of_two_tenants_never_meet",),
    ),
    Mutation(
        "a name leads into another tenant",
        "monitor/storage/tenancy/names.py",
        "if tenant == DEFAULT_TENANT and SEPARATOR not in name else",
        "if tenant == DEFAULT_TENANT else",
        (f"{OF_NAMES}::test_whatever_a_call_is_called_it_is_its_tenants_and_comes_back",),
    ),
    Mutation(
        "a token counts in the register of any tenant",
        "monitor/api/access/verifiers.py",
        "        register = self._registers.get(grant.tenant)\n",
        "        register = self._registers[DEFAULT_TENANT]\n",
        (f"{OF_ACCESS}/test_verifiers.py::test_a_token_is_good_in_the_register_of_its_tenant_and_in_no_other",),
    ),
    Mutation(
        "sessions of every tenant are ended by any admin",
        "monitor/api/access/sessions.py",
        "self._delete(sessions.c.id == session_id, self._theirs())",
        "self._delete(sessions.c.id == session_id)",
        (f"{OF_ACCESS}/test_sessions.py::test_sessions_of_a_tenant_are_listed_and_ended_by_that_tenant_alone",),
    ),
    Mutation(
        "whoever is of two tenants is let into one of them",
        "monitor/api/access/oidc/claims.py",
        "    return named.pop() if len(named) == 1 else None\n",
        "    return named.pop() if named else None\n",
        (f"{OF_ACCESS}/oidc/test_claims.py::test_somebody_is_of_the_one_tenant_that_the_claim_names_or_of_none",),
    ),
    Mutation(
        "what is taken away passes for erased",
        "monitor/alerts/chain.py",
        '        if "mark" in row and not is_erased(number, row, sign, kind):\n',
        '        if "mark" in row and False:\n',
        (f"{OF_ERASURE}::test_whoever_takes_a_row_away_cannot_pass_it_off_as_erased",),
    ),
    Mutation(
        "a row that was changed is erased as if it had not been",
        ERASURE,
        'if chain.is_intact(seq, row, sign, kind) else b""',
        'if True else b""',
        (f"{OF_ERASURE}::test_a_row_that_was_changed_stays_told_of_though_it_is_erased",),
    ),
    Mutation(
        "findings are erased and the audit log does not say so",
        ERASURE,
        "        if vault is not None:\n",
        "        if False:\n",
        (
            f"{OF_ERASURE}::test_every_erasure_of_findings_has_a_line_in_the_audit_log_that_names_nobody",
            "tests/monitor/api/test_erasing.py::test_a_participant_is_erased_by_whoever_may_and_the_receipt_says_what_left",
        ),
    ),
    Mutation(
        "a command does not hand over the vault whose log says what is erased",
        "monitor/cli/findings.py",
        "opened.casework, opened.vault)",
        "opened.casework, None)",
        ("tests/monitor/cli/test_findings.py::test_every_command_that_erases_findings_writes_a_line_in_the_audit_log",),
    ),
    Mutation(
        "erased bytes stay in the files",
        ERASURE,
        '                if connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]:\n',
        "                if False:\n",
        (f"{OF_ERASURE}::test_a_person_goes_under_every_name_of_theirs_and_nothing_is_left_in_the_files",),
    ),
    Mutation(
        "the receipt does not say what was refused",
        ERASURE,
        " and (cursor.name, seq) not in refused",
        "",
        (f"{OF_ERASURE}::test_the_receipt_lists_what_sinks_hold_and_nothing_that_they_were_not_sent",),
    ),
)
