"""The journal: findings that were changed or taken away are told, not served, and no number is given twice."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

JOURNAL = "monitor/alerts/journal.py"
CHAIN = "monitor/alerts/chain.py"
PUSH = "monitor/alerts/push.py"
BATCH = "monitor/alerts/sinks/batch.py"
COMPONENTS = "monitor/host/components.py"
DOCUMENTS = "engines/documents.py"
CASEWORK = "monitor/alerts/casework/store.py"

OF_CASEWORK = "tests/monitor/alerts/casework/test_store.py"
OF_CHAIN = "tests/monitor/alerts/test_chain.py"
OF_DOCUMENTS = "tests/engines/test_documents.py"

MUTATIONS = (
    Mutation(
        "findings are read without a look at their hash",
        JOURNAL,
        "        if not chain.is_intact(seq, row, self.sign):\n",
        "        if False:\n",
        (
            f"{OF_CHAIN}::test_a_changed_finding_is_told_and_refused",
            f"{OF_CHAIN}::test_whoever_does_not_hold_the_key_writes_no_finding",
        ),
    ),
    Mutation(
        "findings need no signature",
        CHAIN,
        '        return sign is None or hmac.compare_digest(sign(kind.domain + digest), row["signature"])\n',
        "        return True\n",
        (f"{OF_CHAIN}::test_whoever_does_not_hold_the_key_writes_no_finding",),
    ),
    Mutation(
        "a subscriber waits for findings that were taken away",
        PUSH,
        "        if not entries and self._cursor < head.seq:\n",
        "        if not entries and self._cursor < head.pruned:\n",
        (f"{OF_CHAIN}::test_findings_that_are_taken_away_are_told",),
    ),
    Mutation(
        "a sink is not told of findings that were taken away",
        BATCH,
        "    if not items and cursor < head.seq:\n",
        "    if not items and cursor < head.pruned:\n",
        (f"{OF_CHAIN}::test_findings_that_are_taken_away_are_told",),
    ),
    Mutation(
        "numbers follow the head of the database whatever was given before",
        JOURNAL,
        "                connection.execute(sa.update(heads).values(seq=reached + 1))\n",
        "                connection.execute(sa.update(heads).values(seq=heads.c.seq + 1))\n",
        (f"{OF_CHAIN}::test_no_number_is_given_twice_by_a_journal_whose_end_is_cut_off",),
    ),
    Mutation(
        "the head of the journal is not noted",
        JOURNAL,
        "        self._newest = max(self._newest, head.seq)\n        self._note(head)\n        return head.seq\n",
        "        self._newest = max(self._newest, head.seq)\n        return head.seq\n",
        (
            f"{OF_CHAIN}::test_no_number_is_given_twice_by_a_journal_whose_end_is_cut_off",
            f"{OF_CHAIN}::test_a_journal_that_was_exchanged_is_told",
            f"{OF_CHAIN}::test_a_chain_that_was_taken_away_is_not_made_anew",
        ),
    ),
    Mutation(
        "the sidecar's journal has no key",
        COMPONENTS,
        " = vault.sign_finding if vault is not None else None, settings",
        " = None, settings",
        (f"{OF_CHAIN}::test_the_sidecar_chains_its_findings_with_the_vaults_key",),
    ),
    Mutation(
        "case events are read without a look at their hash",
        CASEWORK,
        "        if not chain.is_intact(seq, row, self._sign, CASEWORK):\n",
        "        if False:\n",
        (
            f"{OF_CASEWORK}::test_a_changed_event_is_told_and_does_not_count",
            f"{OF_CASEWORK}::test_whoever_does_not_hold_the_key_writes_no_event",
        ),
    ),
    Mutation(
        "a report is signed by whatever key is in it",
        "monitor/cli/reports.py",
        "    if key is None and checked.key != ours:\n",
        "    if False:\n",
        ("tests/monitor/cli/test_findings.py::test_elsewhere_the_fingerprint_says_whose_it_is",),
    ),
    Mutation(
        "rows of a report that anybody has signed may be anything",
        "monitor/alerts/report/check.py",
        "    if type(seq) is not int:\n",
        "    if False:\n",
        ("tests/monitor/alerts/report/test_check.py::test_rows_that_are_none_are_refused_in_a_line",),
    ),
    Mutation(
        "what a report calls its finding goes to the terminal as it is",
        "monitor/alerts/report/check.py",
        "    if not finding.isprintable():\n",
        "    if False:\n",
        ("tests/monitor/alerts/report/test_check.py::test_a_name_that_cannot_be_printed_is_refused",),
    ),
    Mutation(
        "names and notes stay in a report without names",
        "monitor/cli/reports.py",
        "settings.window_seconds, shows_names, tenant)",
        "settings.window_seconds, True, tenant)",
        ("tests/monitor/cli/test_findings.py::test_without_names_nobody_is_in_the_file",),
    ),
    Mutation(
        "whoever decides second is not shown what the first decided",
        CASEWORK,
        "            if check is not None:\n                check(before)\n",
        "",
        (f"{OF_CASEWORK}::test_of_two_who_confirm_at_once_one_is_refused",),
    ),
    Mutation(
        "the journal's files are made as the umask says",
        JOURNAL,
        "        self.database.keep_private()\n",
        "",
        (f"{OF_CHAIN}::test_nobody_else_reads_any_file_of_the_journal",),
    ),
    Mutation(
        "documents have no bounds",
        DOCUMENTS,
        "        parsed = yaml.safe_load(data.decode())\n        _check_bounds(parsed)\n",
        "        parsed = yaml.safe_load(data.decode())\n",
        (f"{OF_DOCUMENTS}::test_what_people_write_is_read",),
    ),
    Mutation(
        "parsers of YAML raise what they like",
        DOCUMENTS,
        "    except (yaml.YAMLError, *OTHERS) as error:\n",
        "    except yaml.YAMLError as error:\n",
        (f"{OF_DOCUMENTS}::test_what_people_write_is_read",),
    ),
    Mutation(
        "numbers of a manifest may be infinite",
        DOCUMENTS,
        "    if not math.isfinite(value):\n",
        "    if False:\n",
        (f"{OF_DOCUMENTS}::test_json_that_is_none_is_refused",),
    ),
    Mutation(
        "homes of nobody are written out",
        DOCUMENTS,
        "    except RuntimeError:\n",
        "    except ZeroDivisionError:\n",
        (f"{OF_DOCUMENTS}::test_a_home_that_is_not_there_is_one_line",),
    ),
)
