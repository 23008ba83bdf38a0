"""The vault that the settings name: opened, with its master keys."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from monitor.config import Settings, prepare_state_dir
from monitor.identity.errors import KeysError
from monitor.identity.keyfile import FileKeys, key_service
from monitor.identity.keys import MasterKeys
from monitor.identity.vault import Vault


def open_vault(settings: Settings) -> Vault:
    """Return the vault, made at the first start; raises `VaultError`, or `ConfigError` for the state directory."""
    prepare_state_dir(settings.state_dir)
    vault = Vault(settings.vault_url, MasterKeys(key_service(settings)), settings.second_approver)
    try:
        vault.open()
    except BaseException:
        vault.close()
        raise
    return vault


def vault_file(settings: Settings) -> Path | None:
    """Return the vault's file, None where it is no file."""
    url = sa.make_url(settings.vault_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


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
        if vault.masters() != {keys.current}:
            raise KeysError("the rotation did not end: run it again; both keys are kept until then")
        return count
