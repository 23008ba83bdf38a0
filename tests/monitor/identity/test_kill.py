"""Killed at any moment, the vault opens again, holds what it said it held, and nothing that it said it erased."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.config import Settings
from monitor.identity.vault.open import open_vault, rotate
from tests.monitor.identity.worker import PEOPLE

ROOT = Path(__file__).parents[3]


def run(folder: Path, seed: int, lines: int) -> list[str]:
    """Kill a worker after so many lines, and return everything that it said."""
    command = [sys.executable, "-m", "tests.monitor.identity.worker", str(folder), str(seed)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(lines)]
    process.kill()
    said += process.stdout.read().splitlines()
    process.stdout.close()
    process.wait()
    assert said[0] == "ready"
    return said


@pytest.mark.parametrize("rounds", [2, pytest.param(8, marks=pytest.mark.long)])
def test_killed_at_random_moments(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(20260301)
    settings = Settings(state_dir=tmp_path)
    held: dict[str, set[int | None]] = {name: {None} for name in PEOPLE}
    for turn in range(rounds):
        for line in run(tmp_path, turn, chance.randrange(2, 24)):
            match line.split():
                case ["storing", name, value]:
                    held[name] |= {int(value)}
                case ["stored", name, value]:
                    held[name] = {int(value)}
                case ["erasing", name]:
                    held[name] |= {None}
                case ["erased", name]:
                    held[name] = {None}
        vault = open_vault(settings)
        for name, possible in held.items():
            loaded = vault.load(name)
            assert (loaded[0] if loaded else None) in possible
            held[name] = {loaded[0] if loaded else None}
        assert vault.verify_audit().broken is None
        assert vault.database.is_clean()
        rotate(settings, vault, "test")
        assert len(vault.master_key_ids()) == 1
        vault.close()
