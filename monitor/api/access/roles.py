"""What each role may do: the one table of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    """What a route asks of whoever calls it."""

    PUBLISH = "publish"
    WATCH = "watch"
    # Changes what WATCH shows: without it there are verdicts and reasons, and nothing to tune a forgery by.
    SCORES = "scores"
    # Acknowledges, assigns, notes and labels findings.
    CASES = "cases"
    # Confirms and refuses what a policy asks for, and says what came of a verification.
    ACT = "act"
    # Sends a finding that means nothing to everybody who is told of findings.
    DRILL = "drill"
    IDENTITIES = "identities"
    ENROL = "enrol"
    APPROVE = "approve"
    ERASE = "erase"
    TOKENS = "tokens"
    # Lets this machine connect to, and read, what it is told to.
    SOURCES = "sources"
    # Has processes that judge let go and begun anew, of all tenants.
    HOSTS = "hosts"
    # What is said of whoever asks, and of nobody else: verdicts only.
    OWN = "own"


class Role(StrEnum):
    """What a token is for; each token has one."""

    PUBLISHER = "publisher"
    VIEWER = "viewer"
    ANALYST = "analyst"
    ENROLLER = "enroller"
    APPROVER = "approver"
    ADMIN = "admin"
    # A protected person: the one whose identity stands in the token.
    SUBJECT = "subject"


PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.PUBLISHER: frozenset({Permission.PUBLISH}),
    Role.VIEWER: frozenset({Permission.WATCH}),
    Role.ANALYST: frozenset({Permission.WATCH, Permission.SCORES, Permission.CASES, Permission.ACT}),
    Role.ENROLLER: frozenset({Permission.IDENTITIES, Permission.ENROL}),
    # Not ENROL: whoever approves must not be able to bring what they approve.
    Role.APPROVER: frozenset({Permission.IDENTITIES, Permission.APPROVE, Permission.ERASE}),
    Role.ADMIN: frozenset(Permission),
    Role.SUBJECT: frozenset({Permission.OWN}),
}
