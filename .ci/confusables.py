"""Make `monitor/identity/confusables.txt` from Unicode's table of confusable characters (UTS 39).

    .venv/bin/python .ci/confusables.py confusables.txt

The table is https://www.unicode.org/Public/security/latest/confusables.txt. A line of what is made holds, as code
points, what characters are taken for, a colon, and these characters.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

OUT = Path(__file__).parents[1] / "monitor" / "identity" / "confusables.txt"
HEADER = """\
# Characters that are taken for others, made by .ci/confusables.py from Unicode's confusables.txt {version}
# (Unicode Security Mechanisms, UTS 39). Copyright (c) 1991-present Unicode, Inc., Unicode License v3: see NOTICE.
"""


def main(source: Path) -> None:
    """Read Unicode's table and write ours."""
    alike, version = defaultdict[str, list[str]](list), "of an unknown version"
    for line in source.read_text("utf-8-sig").splitlines():
        if line.startswith("# Version:"):
            version = line.split(":")[1].strip()
        fields = line.partition("#")[0].split(";")
        if len(fields) >= 3:
            alike[fields[1].strip()].append(fields[0].strip())
    if not alike:
        sys.exit(f"{source} is no table of confusable characters: fetch it from unicode.org/Public/security/latest")
    lines = (f"{looks}: {' '.join(characters)}\n" for looks, characters in sorted(alike.items()))
    OUT.write_text(HEADER.format(version=version) + "".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
