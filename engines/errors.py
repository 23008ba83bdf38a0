"""What every expected error of the three packages is: one line for a person, and the exit status that it stands for."""

from __future__ import annotations

from typing import ClassVar


class SidewitnessError(Exception):
    """Something that can go wrong went wrong; the message is one line that says what to do.

    `exit_status` is that of a command which ends by it: 1, the work failed, or 2, the command was told the wrong thing.
    """

    exit_status: ClassVar[int] = 1
