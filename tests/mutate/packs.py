"""What is run and what is kept: model packs, compiled engines, templates."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

PLANS = "engines/runtimes/tensorrt/plan_cache.py"
OF_PLANS = "tests/engines/runtimes/tensorrt/test_plan_cache.py"
SEALING = "monitor/identity/vault/sealing.py"
OF_TAMPERING = "tests/monitor/identity/vault/test_tampering.py"

MUTATIONS = (
    Mutation(
        "a compiled engine that was altered is run",
        PLANS,
        "        if not hmac.compare_digest(tag, self._tag(name, content)):\n",
        "        if False:\n",
        (f"{OF_PLANS}::test_any_altered_byte_is_found",),
    ),
    Mutation(
        "a folder of engines that others can write is used",
        PLANS,
        "    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:\n",
        "    if False:\n",
        (f"{OF_PLANS}::test_a_folder_open_to_others_is_refused",),
    ),
    Mutation(
        "a template opens in another's row",
        SEALING,
        '    return associated_data("template", schema, identity, version, name)\n',
        '    return associated_data("template")\n',
        (f"{OF_TAMPERING}::test_rows_that_are_changed_or_swapped_do_not_open",),
    ),
)
