"""Protected identities for the tests of the surface: the real vault and queue; enrolling obeys the clips' text."""

from __future__ import annotations

import functools
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.api.enrolments import Enrolments, Message, Order, Progress, Refused
from monitor.api.identities import People, Policy
from monitor.api.uploads import Uploads
from monitor.identity.vault.keys import MasterKeys
from monitor.identity.vault.registry import Identities
from monitor.identity.vault.vault import Vault

PATIENCE = 10.0
KEYS = MasterKeys.local(bytes(range(32)))
TEMPLATE = b"not a reference, which the vault need not know"


def vault_in(folder: Path, second_approver: bool = False) -> Vault:
    """An open vault that need not be migrated."""
    (folder / "vault.sqlite").write_bytes(_made())
    vault = Vault(f"sqlite:///{folder / 'vault.sqlite'}", KEYS, second_approver)
    vault.unlock()
    return vault


@functools.cache
def _made() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        vault = Vault(f"sqlite:///{folder}/vault.sqlite", KEYS)
        vault.open()
        vault.close()
        return (Path(folder) / "vault.sqlite").read_bytes()


@dataclass
class Enroller:
    """Obeys the text of the clips; `gate` holds everybody up while it is clear."""

    vault: Vault
    seen: list[tuple[Order, list[str]]] = field(default_factory=list)
    poses: list[Any] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    at_work: threading.Event = field(default_factory=threading.Event)

    def __call__(self, order: Order, clips: Sequence[Path], progress: Progress) -> Message:
        texts = [clip.read_text() for clip in clips]
        self.seen.append((order, [clip.name for clip in clips]))
        progress("Looking for a face", 0.4)
        self.at_work.set()
        assert self.gate.wait(PATIENCE)
        progress("Sealing the reference", 0.9)
        if "short" in texts:
            raise Refused(["20 s of face were found: send at least 60 s"])
        if "crash" in texts:
            raise ValueError(f"about {order.name}")
        enrolled = self.vault.store(order.name, TEMPLATE, order.consent, order.actor, order.details)
        quality: Message = {
            "face_seconds": 72.4,
            "speech_seconds": 41.0,
            "movement_seconds": 30.5,
            "clips": 1,
            "shots": 150,
            "gallery": 64,
            "face_px": 140.0,
            "yaw": [-18.2, 22.0],
            "pitch": [-8.0, 6.5],
        }
        quality |= {"rungs": ["as recorded", "poor line"], "one_person_checked": True}
        quality |= {"advice": ["look up and down now and then"]}
        return {
            "quality": quality,
            "poses": self.poses,
            "enrolled": {"version": enrolled.version, "state": enrolled.state},
        }


@dataclass
class Crew:
    """People and who enrols them."""

    people: People
    enroller: Enroller
    folder: Path

    def left(self) -> list[Path]:
        """What lies in the folder of uploads."""
        return list((self.folder / "uploads").rglob("*"))


def crew(folder: Path, max_bytes: int = 100_000, **policy: Any) -> Crew:
    """Make everything, on the running loop."""
    vault = vault_in(folder, policy.get("second_approver", False))
    enroller = Enroller(vault)
    enroller.gate.set()
    uploads = Uploads(folder / "uploads", max_bytes)
    uploads.open()
    people = People(vault, Identities(vault), uploads, Enrolments(enroller), Policy(**policy))
    return Crew(people, enroller, folder)
