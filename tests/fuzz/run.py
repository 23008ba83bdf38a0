"""`make fuzz`: every target in a process of its own, 60 s each, led by coverage (atheris, libFuzzer).

`python -m tests.fuzz.run 10 sdp_offer clip` attacks some of them for another time. What is found lies in
`.cache/fuzz/NAME/found`, and what reached new code in `.cache/fuzz/NAME/corpus`, where the next run goes on. Mend the
parser, then commit the input as a seed. Where atheris has no wheel, seeds are changed blindly.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from tests.fuzz.table import TARGETS
from tests.fuzz.target import SEEDS, Target

CACHE = Path(".cache/fuzz")
# One input may take so long and so much; both are far above what any of the seeds needs.
SLOW_SECONDS = 10
MAX_MEMORY_MB = 1536
MAX_INPUT_BYTES = 16384
# To load what is attacked, and to end.
GRACE_SECONDS = 300


def say(*lines: str) -> None:
    """Print lines at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def word_list(target: Target) -> str:
    """The words of a target as libFuzzer reads them."""
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in target.words)


def command_for(target: Target, seconds: int, folder: Path) -> list[str]:
    """What attacks one target for so long."""
    child = [sys.executable, "-m", "tests.fuzz.child", target.name]
    if importlib.util.find_spec("atheris") is None:
        return [*child, str(seconds), str(folder / "found")]
    for name in ("found", "corpus"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "words.txt").write_text(word_list(target))
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOW_SECONDS}", f"-rss_limit_mb={MAX_MEMORY_MB}"]
    places = [f"-artifact_prefix={folder / 'found'}/", *([f"-dict={folder / 'words.txt'}"] if target.words else [])]
    options = [f"-max_len={MAX_INPUT_BYTES}", "-print_final_stats=1", "-verbosity=0"]
    return [*child, *limits, *places, *options, str(folder / "corpus"), str(SEEDS / target.name)]


def attack(target: Target, seconds: int) -> bool:
    """Attack one target and print what became of it; whether nothing was found."""
    folder = CACHE / target.name
    folder.mkdir(parents=True, exist_ok=True)
    command = command_for(target, seconds, folder)
    log = folder / "log.txt"
    with log.open("w") as file:
        try:
            status = subprocess.run(
                command, stdout=file, stderr=subprocess.STDOUT, timeout=seconds + GRACE_SECONDS
            ).returncode
        except subprocess.TimeoutExpired:
            status = -1
    lines = log.read_text(errors="replace").splitlines()
    if status == 0:
        tried = next((line.split()[-1] for line in lines if "number_of_executed_units" in line), "?")
        say(f"{target.name:20} {tried:>9} inputs, nothing found")
        return True
    say(*lines[-40:], f"{target.name:20} FOUND (status {status}): {log}, {folder / 'found'}")
    return False


def main(arguments: list[str]) -> int:
    """Attack the targets that are named, or all."""
    seconds, names = int(arguments[0]) if arguments else 60, arguments[1:]
    unknown = set(names) - {target.name for target in TARGETS}
    if unknown:
        say(f"error: no target {', '.join(sorted(unknown))}: see tests/fuzz/table.py")
        return 2
    if importlib.util.find_spec("atheris") is None:
        say("note: no atheris for this machine: seeds are changed blindly, without regard to coverage")
    results = [attack(target, seconds) for target in TARGETS if not names or target.name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
