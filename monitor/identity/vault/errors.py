"""What can go wrong between a caller and the vault; every message is one line that says what to do and names nobody."""

from __future__ import annotations

from engines.errors import SidewitnessError


class VaultError(SidewitnessError):
    """The vault cannot do this now."""


class NotEnrolled(VaultError):  # noqa: N818 - it is an answer as much as an error
    """Nobody is enrolled under the name that was given."""

    def __init__(self) -> None:
        super().__init__("nobody is enrolled under that name: see `sidewitness identities list`")


class ApprovalRefused(VaultError):  # noqa: N818
    """This actor may not approve this enrolment, or there is nothing to approve."""


class KeysError(VaultError):
    """The master key cannot be had, or is not the one that sealed this vault."""
