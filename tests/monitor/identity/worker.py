"""A process to be killed: enrols, erases and rotates without end, and says what it has done once it is done.

Usage: python -m tests.monitor.identity.worker STATE_DIR SEED
"""

from __future__ import annotations

import os
import random
import sys
from datetime import date
from pathlib import Path

from monitor.config import Settings
from monitor.identity.vault.consent import Consent
from monitor.identity.vault.open import open_vault, rotate

PEOPLE = ("Ada", "Grace", "Hedy")


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def main(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    settings = Settings(state_dir=folder)
    vault = open_vault(settings)
    say("ready")
    while True:
        name, what = chance.choice(PEOPLE), chance.random()
        if what < 0.15:
            rotate(settings, vault, "worker")
            say("rotated")
        elif what < 0.35 and vault.show(name) is not None:
            say(f"erasing {name}")
            vault.erase(name, "worker")
            say(f"erased {name}")
        else:
            value = chance.randrange(256)
            say(f"storing {name} {value}")
            vault.store(name, bytes([value]) * 5000, Consent("them", date(2026, 1, 1), None, "test", None), "worker")
            say(f"stored {name} {value}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
