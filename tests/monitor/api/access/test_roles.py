from __future__ import annotations

from monitor.api.access.roles import PERMISSIONS, Permission, Role


def test_every_role_has_its_permissions_and_no_other() -> None:
    assert {role: set(permissions) for role, permissions in PERMISSIONS.items()} == {
        Role.PUBLISHER: {Permission.PUBLISH},
        Role.VIEWER: {Permission.WATCH},
        Role.ANALYST: {Permission.WATCH, Permission.SCORES, Permission.CASES, Permission.ACT},
        Role.ENROLLER: {Permission.IDENTITIES, Permission.ENROL},
        Role.APPROVER: {Permission.IDENTITIES, Permission.APPROVE, Permission.ERASE},
        Role.ADMIN: set(Permission),
        Role.SUBJECT: {Permission.OWN},
    }


def test_nobody_but_an_admin_both_enrols_and_approves() -> None:
    both = {Permission.ENROL, Permission.APPROVE}
    assert [role for role in Role if both <= PERMISSIONS[role]] == [Role.ADMIN]
