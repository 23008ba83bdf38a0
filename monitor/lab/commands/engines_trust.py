"""`sidewitness engines trust|sign`: who vouches for a model pack, its user on this machine or the project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folders = Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Model packs, each the folder of one.")]


def trust(
    folders: Folders,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="You changed these packs yourself: list their files as they are.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say whether they would be run here.")] = False,
) -> None:
    """Trust packs that you made or changed yourself: without it they are refused, as packs that somebody changed are.

    Their manifests' digests go into a file of yours, SIDEWITNESS_TRUSTED_PACKS or ~/.config/sidewitness/trusted-packs.
    A pack made before manifests listed every file gets that list. Never trust a pack because it was refused.

    \b
    Example:
      sidewitness engines trust runs/faces/packs/face_artefacts
    """  # noqa: D301
    from engines.packs import load_pack

    for folder in folders:
        if not check:
            typer.echo(_trust(folder, accept_changes))
        load_pack(folder)


def sign(
    folders: Folders,
    key: Annotated[Path, typer.Option(metavar="FILE", help="Ed25519 private key in PEM, the maintainers'.")],
) -> None:
    """Sign packs of a release: for maintainers, who hold the key.

    \b
    Example:
      sidewitness engines sign engines/models/speech_lips --key release-signing.pem
    """  # noqa: D301
    from engines.base import ModelPackError
    from engines.packs import read_manifest
    from engines.seal import changes, seal
    from engines.trust import RELEASE_KEYS, SIGNATURE, public_half, read_key
    from engines.trust import sign as sign_manifest

    secret = read_key(key)
    for folder in folders:
        changed = changes(folder)
        if changed:
            raise ModelPackError(
                f"{folder} has {', '.join(changed)}: look at that, then trust it with --accept-changes"
            )
        if changed is None:
            seal(folder)
        (folder / SIGNATURE).write_text(sign_manifest(read_manifest(folder), secret))
        typer.echo(f"{folder}: signed")
    if public_half(secret) not in RELEASE_KEYS:
        typer.echo(f"note: this is no key of the project: add {public_half(secret)} to engines/trust.py", err=True)


def _trust(folder: Path, accept_changes: bool) -> str:
    from engines.base import ModelPackError
    from engines.packs import parse_json, parse_manifest, read_manifest
    from engines.seal import changes, seal
    from engines.trust import MANIFEST, digest_of
    from engines.trust import trust as list_trusted

    changed = changes(folder)
    if changed and not accept_changes:
        raise ModelPackError(
            f"{folder} is not what its manifest says, {', '.join(changed)}: reinstall it, "
            "or, if these changes are yours, add --accept-changes"
        )
    if changed or changed is None:
        try:
            seal(folder)
        except OSError as error:
            raise ModelPackError(f"{folder} cannot be written ({error.strerror}): copy the pack elsewhere") from None
    raw = read_manifest(folder)
    manifest = parse_manifest(parse_json(raw, folder / MANIFEST), folder / MANIFEST)
    store = list_trusted(manifest.name, raw)
    return f"{folder}: trusted, {len(manifest.files)} files, manifest {digest_of(raw)[:12]}, in {store}"
