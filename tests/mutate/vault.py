"""The vault: what its log says is gone is not served, the log holds to its end, files hold nothing destroyed."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

VAULT = "monitor/identity/vault/vault.py"
WATCH = "monitor/identity/vault/watch.py"
STANDING = "monitor/identity/vault/standing.py"
OPEN = "monitor/identity/vault/open.py"
DATABASE = "monitor/identity/vault/database.py"
STORAGE = "monitor/storage/database.py"
DIALECT = "monitor/storage/dialect.py"

OF_ROLLBACK = "tests/monitor/identity/vault/test_rollback.py"
OF_FILES = "tests/monitor/identity/vault/test_files.py"

MUTATIONS = (
    Mutation(
        "rows are served whatever the log says",
        VAULT,
        "            if self._watch.agrees(found):\n                return found\n",
        "            return found\n",
        (
            f"{OF_ROLLBACK}::test_an_older_row_that_is_put_back_is_not_served",
            f"{OF_ROLLBACK}::test_an_erased_person_stays_erased",
        ),
    ),
    Mutation(
        "the version of a row is not held against the log",
        STANDING,
        "        return not self.erased and in_force.get(row.state, row.version) == row.version\n",
        "        return not self.erased\n",
        (
            f"{OF_ROLLBACK}::test_an_older_row_that_is_put_back_is_not_served",
            f"{OF_ROLLBACK}::test_what_ended_or_was_rejected_is_not_served_again",
        ),
    ),
    Mutation(
        "the log is not verified when a vault is opened",
        VAULT,
        "        self._watch.follow(self._cipher.sign, watch.refuse)\n",
        "",
        (
            f"{OF_ROLLBACK}::test_a_line_that_is_changed_keeps_the_vault_shut",
            f"{OF_ROLLBACK}::test_a_cut_tail_stops_the_vault_and_says_what_to_do",
        ),
    ),
    Mutation(
        "a log that became shorter is believed",
        WATCH,
        "        if head.seq < self._seen.seq or (head.seq == self._seen.seq and head.hash != self._seen.hash):\n",
        "        if False:\n",
        (f"{OF_ROLLBACK}::test_a_log_that_is_cut_while_it_is_in_use_stops_it",),
    ),
    Mutation(
        "the end of the log is not held against what was noted",
        WATCH,
        "        self._cut(head)\n",
        "",
        (f"{OF_ROLLBACK}::test_a_cut_tail_stops_the_vault_and_says_what_to_do",),
    ),
    Mutation(
        "the lines of the log are not held against what was noted",
        WATCH,
        "            self._compare(seen)\n",
        "",
        (f"{OF_ROLLBACK}::test_a_database_that_is_exchanged_or_emptied_is_not_opened",),
    ),
    Mutation(
        "the head of the log is noted nowhere",
        OPEN,
        "    return Vault(url or settings.vault_url, keys, settings.second_approver, anchors=_anchors(settings))\n",
        "    return Vault(url or settings.vault_url, keys, settings.second_approver)\n",
        (f"{OF_ROLLBACK}::test_a_cut_tail_stops_the_vault_and_says_what_to_do",),
    ),
    Mutation(
        "a change is not noted",
        VAULT,
        "            yield connection\n        self._watch.follow(self._cipher.sign, watch.warn)\n",
        "            yield connection\n",
        (
            f"{OF_ROLLBACK}::test_a_cut_tail_stops_the_vault_and_says_what_to_do",
            f"{OF_ROLLBACK}::test_a_newer_note_of_another_process_stays",
        ),
    ),
    Mutation(
        "secure_delete is off",
        DATABASE,
        '"foreign_keys=ON", "secure_delete=ON"',
        '"foreign_keys=ON", "secure_delete=OFF"',
        (f"{OF_FILES}::test_destroyed_bytes_are_overwritten_before_the_files_are_rewritten",),
    ),
    Mutation(
        "the files are not rewritten after an erasure",
        DIALECT,
        '    connection.exec_driver_sql("VACUUM")\n',
        "",
        (f"{OF_FILES}::test_the_files_are_rewritten_without_what_was_freed",),
    ),
    Mutation(
        "the vault's files are made as the umask says",
        STORAGE,
        "            make_private(self.file)\n",
        "            pass\n",
        (f"{OF_FILES}::test_nobody_else_reads_any_file_of_the_vault",),
    ),
)
