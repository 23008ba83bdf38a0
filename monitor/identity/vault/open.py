"""The vault that the settings name: opened, with its master keys."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing

from monitor.config import Settings, prepare_state_dir
from monitor.identity.vault import queries
from monitor.identity.vault.anchor import Anchor, open_anchors
from monitor.identity.vault.errors import KeysError
from monitor.identity.vault.keyfile import FileKeys, key_service
from monitor.identity.vault.keys import MasterKeys
from monitor.identity.vault.vault import Vault


def open_vault(settings: Settings) -> Vault:
    """Return the vault, made at the first start; raises `VaultError`, or `ConfigError` for the state directory."""
    prepare_state_dir(settings.state_dir)
    vault = _vault(settings)
    try:
        vault.open()
    except BaseException:
        vault.close()
        raise
    return vault


def existing_vault(settings: Settings, url: str | None = None) -> AbstractContextManager[Vault] | None:
    """Return the vault, not open yet, to be closed again; None where there is none yet. Makes nothing.

    `url` is another database than the settings name. Raises `VaultError` where nobody can tell.
    """
    vault = _vault(settings, url)
    file = vault.database.file
    if file is not None and not file.exists():
        return None
    try:
        if _is_made(vault, settings):
            return closing(vault)
    except BaseException:
        vault.close()
        raise
    vault.close()
    return None


def _is_made(vault: Vault, settings: Settings) -> bool:
    """Whether there is a vault, or was one by what is noted of it; tables alone are none."""
    with vault.database.transaction() as connection:
        is_made = queries.is_made(connection)
    return is_made or any(anchor.read() is not None for anchor in _anchors(settings))


def _vault(settings: Settings, url: str | None = None) -> Vault:
    keys = MasterKeys(key_service(settings))
    return Vault(url or settings.vault_url, keys, settings.second_approver, anchors=_anchors(settings))


def _anchors(settings: Settings) -> tuple[Anchor, ...]:
    return open_anchors(settings.anchors, settings.anchor_dir or settings.state_dir, "vault")


def rotate(settings: Settings, vault: Vault, actor: str) -> int:
    """Wrap every key with a new master key and let the old one go; return how many keys that were.

    A key file gets a new key; otherwise the new key is what the environment or the key service calls the current one.
    """
    service = key_service(settings)
    if not isinstance(service, FileKeys):
        return vault.rotate(MasterKeys(service), actor)
    with service.rotating():
        keys = MasterKeys(service)
        count = vault.rotate(keys, actor)
        if vault.master_key_ids() != {keys.current}:
            raise KeysError("the rotation did not end: run it again; both keys are kept until then")
        return count
