"""Names as people write them in calls, held against the names of enrolled people, on made rosters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.identity.names import MAX_CHARACTERS, Likeness, Match, read
from monitor.identity.names import compare as compare_read

JANE = "Jane Doe"
NONE, PART, FULL = Likeness(Match.NONE), Likeness(Match.PART), Likeness(Match.FULL)
LOOKALIKE = Likeness(Match.FULL, lookalike=True)


def compare(name: str, enrolled: str) -> Likeness:
    return compare_read(read(name), read(enrolled))


@pytest.mark.parametrize(
    "name",
    [
        JANE,
        "JANE DOE",
        "Jane   Doe ",
        "jane.doe",
        "Jane_Doe_2",
        "JaneDoe",
        "Doe, Jane",
        "DOE Jane",
        "Doe, Dr. Jane",
        "Dr. Jane Doe",
        "Prof. Dr. Jane Doe",
        "Jane Doe, PhD",
        "Jane Doe, Ph.D.",
        "Jane Doe Ph. D.",
        "Jane Doe Jr.",
        "Jane Doe CEO",
        "CFO Jane Doe",
        "Jane Doe \U0001f389",
        "\U0001f469\u200d\U0001f4bb Jane\U0001f642Doe",
        "Jane Doe 1\ufe0f\u20e3",
        "Jane (she/her) Doe",
        "Jane Doe (Acme) [2]",
        "Guest (Jane Doe)",
        "Jane Doe | Acme",
        "Acme - Jane Doe",
        "Jane Doe @ Acme",
        "Jane Doe, Acme Corporation",
        "Jane Doe's iPhone",
        "Jane Mary Doe",
        "Jane M. Doe",
        "J\u00e1n\u00e9 Do\u00eb",
        "\uff2a\uff41\uff4e\uff45 \uff24\uff4f\uff45",
        "\U0001d541\U0001d552\U0001d55f\U0001d556 Doe",
        "Ja\u200bne D\u2060oe",
        "\u202eeoD enaJ",
    ],
)
def test_a_name_in_full_however_it_is_written(name: str) -> None:
    assert compare(name, JANE) == FULL
    assert compare(JANE, name).match is Match.FULL


@pytest.mark.parametrize(
    "name",
    [
        "J\u0430ne Doe",
        "Jane M. D\u043ee",
        "Dr. J\u0430n\u0435 Doe",
        "D\u043ee, Jane",
        "Acme | J\u0430neDoe",
        "D\u0433. Jane D\u043ee",
    ],
)
def test_letters_that_look_alike_make_the_same_name_and_it_is_said(name: str) -> None:
    assert compare(name, JANE) == LOOKALIKE


@pytest.mark.parametrize(
    "name", ["J. Doe", "J Doe", "Doe J.", "Doe, J.", "Jane D.", "J. M. Doe", "Mary Jane Doe", "Jane Doe Smith"]
)
def test_a_name_in_part(name: str) -> None:
    assert compare(name, JANE) == PART


@pytest.mark.parametrize(
    "name",
    ["", " , ", "\U0001f389", "...", "Jane", "Doe", "J. D.", "Dr. Doe", "Jane Roe", "J. Roe", "John Doe", "Jana Doe",
     "Janet Doe", "Jean Doe", "K. Doe", "Jane K.", "iPhone", "Guest", "12", "(she/her)"],
)  # fmt: skip
def test_names_of_others_and_of_nobody(name: str) -> None:
    assert compare(name, JANE) == NONE


@pytest.mark.parametrize(
    ("name", "enrolled", "likeness"),
    [
        ("\u5c71\u7530\u592a\u90ce", "\u5c71\u7530 \u592a\u90ce", FULL),
        ("\u5c71\u7530\u3000\u592a\u90ce\u3055\u3093", "\u5c71\u7530\u592a\u90ce", FULL),
        ("\u5c71\u7530\u592a\u90ce\u300cAcme\u300d", "\u5c71\u7530 \u592a\u90ce", FULL),
        ("\u5c71\u7530\u82b1\u5b50", "\u5c71\u7530 \u592a\u90ce", NONE),
        ("Ж. Иванова", "Жанна Иванова", PART),
        ("Иванова Жанна", "Жанна Иванова", FULL),
        ("\u0645\u062d\u0645\u062f \u0639\u0644\u064a", "\u0645\u062d\u0645\u062f \u0639\u0644\u064a", FULL),
        # Written out in another script: another name, unless a rule says so.
        ("\u0414\u0436\u0435\u0439\u043d \u0414\u043e\u0443", JANE, NONE),
        ("Jane Ann Doe", "Jane Mary Doe", NONE),
        ("Jane M. Doe", "Jane Mary Doe", FULL),
        ("Jane A. Doe", "Jane Mary Doe", NONE),
        ("Doe Jane Mary", JANE, FULL),
        ("Madonna \U0001f3a4", "Madonna", FULL),
        ("Madonna Smith", "Madonna", NONE),
        ("O'Brien, Pat", "Pat O\u2019Brien", FULL),
        ("Jos\u00e9 Garc\u00eda", "Jose Garcia", FULL),
        ("Anne Marie Smith", "Anne-Marie Smith", FULL),
        ("Mr. Smith", "Don Smith", NONE),
        ("Xi Ma", "Xi Ma", FULL),
        ("PauI Allen", "Paul Allen", LOOKALIKE),
        ("J. D.", "J. D.", FULL),
    ],
)  # fmt: skip
def test_other_scripts_and_other_ways_to_be_called(name: str, enrolled: str, likeness: Likeness) -> None:
    assert compare(name, enrolled) == likeness


@given(st.text(max_size=60), st.text(max_size=20))
def test_whatever_a_name_holds_there_is_an_answer(name: str, enrolled: str) -> None:
    assert compare(name, enrolled).match in Match


def test_a_name_without_end_is_cut() -> None:
    assert compare("Jane Doe, " + "( | " * 100_000, JANE).match is Match.FULL
    assert compare("x" * MAX_CHARACTERS + " Jane Doe", JANE) == NONE
