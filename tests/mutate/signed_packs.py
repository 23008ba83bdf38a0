"""Model packs: every file is what its manifest says, and somebody vouches for the manifest."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

PACKS = "engines/packs.py"
BASE = "engines/base.py"
TRUST = "engines/trust.py"
LOADING = "engines/load.py"
BESIDE = "monitor/detectors/packs.py"

OF_TRUST = "tests/engines/test_trust.py"

MUTATIONS = (
    Mutation(
        "files of a pack are not hashed",
        BASE,
        "        if hashlib.sha256(content).hexdigest() != self.manifest.files.get(file):\n",
        "        if False:\n",
        (
            f"{OF_TRUST}::test_one_flipped_byte_in_any_file_is_refused_in_one_line",
            f"{OF_TRUST}::test_a_changed_calibration_keeps_the_sidecar_from_starting",
            f"{OF_TRUST}::test_what_is_parsed_is_what_was_hashed",
        ),
    ),
    Mutation(
        "only the model of a pack is hashed at loading",
        PACKS,
        "    for file in pack.manifest.files:\n        pack.read(file)\n",
        "    pack.read(MODEL)\n",
        (f"{OF_TRUST}::test_one_flipped_byte_in_any_file_is_refused_in_one_line",),
    ),
    Mutation(
        "files that no manifest lists are let be",
        PACKS,
        "    if unknown := sorted(found - pack.manifest.files.keys()):\n",
        "    if unknown := []:\n",
        (f"{OF_TRUST}::test_a_file_that_the_manifest_does_not_list_is_refused",),
    ),
    Mutation(
        "nobody need vouch for a pack",
        PACKS,
        "    if not vouched(folder, pack.manifest.name, raw):\n",
        "    if False:\n",
        (
            f"{OF_TRUST}::test_a_manifest_made_to_fit_a_changed_file_has_no_signature",
            f"{OF_TRUST}::test_an_engine_and_a_table_are_of_a_pack_that_somebody_vouches_for",
            f"{OF_TRUST}::test_a_pack_is_trusted_by_its_user_and_no_other",
        ),
    ),
    Mutation(
        "any signature holds",
        TRUST,
        "            Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(raw, DOMAIN + manifest)\n",
        "",
        (
            f"{OF_TRUST}::test_what_is_no_signature_is_none",
            f"{OF_TRUST}::test_a_manifest_made_to_fit_a_changed_file_has_no_signature",
            f"{OF_TRUST}::test_a_maintainer_signs",
        ),
    ),
    Mutation(
        "a signed pack stands in for another",
        PACKS,
        "    if signature and (folder.name or folder.resolve().name) == name and is_signed(manifest, signature):\n",
        "    if signature and is_signed(manifest, signature):\n",
        (f"{OF_TRUST}::test_a_signed_pack_does_not_stand_in_for_another",),
    ),
    Mutation(
        "a list of trusted packs that others write is believed",
        TRUST,
        "        if about.st_uid not in (0, os.geteuid()) or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):\n",
        "        if False:\n",
        (f"{OF_TRUST}::test_a_list_that_others_can_write_is_not_believed",),
    ),
    Mutation(
        "engines are built of packs that were not verified",
        LOADING,
        "    pack = load_pack(models / name)\n",
        "    from engines.base import ModelPack\n"
        "    from engines.packs import MANIFEST, parse_json, parse_manifest, read_manifest\n"
        "    where = models / name\n"
        "    told = parse_json(read_manifest(where), where / MANIFEST)\n"
        "    pack = ModelPack(where, parse_manifest(told, where / MANIFEST))\n",
        (f"{OF_TRUST}::test_an_engine_and_a_table_are_of_a_pack_that_somebody_vouches_for",),
    ),
    Mutation(
        "tables are read past the manifest",
        BESIDE,
        "    content, path = pack.read(file), folder / file\n",
        "    path = folder / file\n    content = path.read_bytes()\n",
        (f"{OF_TRUST}::test_what_is_parsed_is_what_was_hashed",),
    ),
)
