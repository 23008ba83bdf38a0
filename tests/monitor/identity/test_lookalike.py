"""Names that are taken for each other, by family of trick, and names that are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.host.judging import judging
from monitor.host.sidecar import Sidecar, assemble
from monitor.identity.lookalike import find, looks_like, skeletons
from monitor.session.models import Models
from monitor.types import ParticipantKey, Profile
from tests.monitor.alerts.build import ready_journal
from tests.monitor.host.test_sidecar import settings_in
from tests.monitor.identity import build
from tests.monitor.identity.build import CLERK, JANE
from tests.monitor.rig import ScriptedSource, quiet_log, scripted

UNUSED: Any = None
NO_MODELS = Models(UNUSED, UNUSED, UNUSED, UNUSED)
CYRILLIC = "J\u0430ne Doe"
FAMILY = {
    "one Cyrillic letter": CYRILLIC,
    "all Cyrillic that there is": "\u0408\u0430n\u0435 D\u043e\u0435",
    "Greek": "J\u03b1ne D\u03bfe",
    "scripts mixed": "J\u0430n\u0435 D\u03bfe",
    "fullwidth": "\uff2a\uff41\uff4e\uff45 \uff24\uff4f\uff45",
    "mathematical": "\U0001d541\U0001d552\U0001d55f\U0001d556 \U0001d53b\U0001d560\U0001d556",
    "mathematical script": "\U0001d4d9\U0001d4ea\U0001d4f7\U0001d4ee \U0001d4d3\U0001d4f8\U0001d4ee",
    "circled": "\u24bf\u24d0\u24dd\u24d4 Doe",
    "zero width": "J\u200bane\u2060 D\u200do\u200ce",
    "selectors and tags": "Jane\ufe0f Doe\U000e0061",
    "fillers": "Jane\u3164 Doe",
    "emoji": "Jane Doe \U0001f642",
    "case": "jANE dOE",
    "case and Cyrillic": "JAN\u0415 DOE",
    "accents": "J\u00e1n\u00e9 Do\u00eb",
    "accents apart": "Ja\u0301ne Doe\u0308",
    "struck through": "J\u0335ane Doe",
    "written from right to left": "\u202eeoD enaJ",
    "isolated": "\u2067Jane Doe\u2069",
    "spaces of another kind": "Jane\u2003Doe",
    "as an address": "jane.doe",
}


@pytest.mark.parametrize("name", FAMILY.values(), ids=FAMILY)
def test_a_name_is_taken_for_another(name: str) -> None:
    assert looks_like(name, JANE)
    assert find(name, ["Bob", JANE, "Zoe"]) == JANE


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Jane Roe", JANE),
        ("Jana Doe", JANE),
        ("Jane", JANE),
        ("\u0420\u043e\u043c\u0430\u043d", "Roman"),
        ("\u0418\u0432\u0430\u043d", "\u0406\u0432\u0430\u043d"),
        ("\u0930\u093e\u092e", "\u0930\u092e"),
        ("\u674e", "\u738b"),
        ("\U0001f642", "\u200b"),
        ("...", "\U0001f642"),
    ],
)
def test_names_that_read_otherwise_are_not(name: str, other: str) -> None:
    assert not looks_like(name, other)
    assert find(name, [other]) is None


@pytest.mark.parametrize(("name", "other"), [("PaypaI", "Paypal"), ("Bi11", "Bill"), ("rnary", "mary")])
def test_letters_that_look_alike_in_one_script_are_compared_as_they_are_written(name: str, other: str) -> None:
    assert looks_like(name, other)


@given(st.text(max_size=20))
def test_whatever_a_name_holds_it_is_like_itself_or_like_nothing(name: str) -> None:
    assert looks_like(name, name) == bool(skeletons(name))


def test_sessions_and_calls_say_for_whom_a_name_is_taken(tmp_path: Path) -> None:
    vault = build.vault(tmp_path)
    vault.store(JANE, build.template(), build.consent(None), CLERK)
    how = judging(settings_in(tmp_path), vault, NO_MODELS)

    def resembled(participant: str, identity: str | None = None) -> str | None:
        return how.claimed(ParticipantKey("call", participant, identity), Profile()).resembles

    assert resembled("bob", CYRILLIC) == JANE
    assert resembled("jane.d\u043ee") == JANE
    assert resembled("jane.doe", JANE) is None
    assert resembled("bob") is None
    vault.erase(JANE, CLERK)
    assert resembled("bob", CYRILLIC) is None
    vault.close()


async def test_the_list_of_calls_shows_it(tmp_path: Path) -> None:
    with quiet_log():
        settings = settings_in(tmp_path)
        ready_journal(tmp_path).close()
        vault = build.vault(tmp_path)
        vault.store(JANE, build.template(), build.consent(None), CLERK)
        how = replace(scripted(), claimed=judging(settings, vault, NO_MODELS).claimed)
        async with Sidecar(settings, assemble(settings, how, vault)) as sidecar:
            for name, claim in (("bob", CYRILLIC), ("jane", JANE)):
                await sidecar.admit("board", name, ScriptedSource(), identity=claim)
            [call] = await sidecar.calls()
    assert [(p["identity"], p["resembles"]) for p in call["participants"]] == [(CYRILLIC, JANE), (JANE, None)]
