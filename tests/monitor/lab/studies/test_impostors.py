from __future__ import annotations

from monitor.lab.studies.face_population import MIN_PEOPLE, build_population
from monitor.lab.studies.impostors import claims
from tests.monitor.lab.studies.test_paired_forgeries import PEOPLE, clip, fit
from tests.monitor.people import KEY


def test_another_person_is_told_from_the_enrolled_one() -> None:
    clips = [clip(p, n) for p in range(PEOPLE) for n in range(2)]
    found = claims(clips, build_population(clips, KEY, "cubed", fit), impostors_per_person=3)
    assert (found.people, found.windows) == (PEOPLE, PEOPLE * 3 * 2)
    assert found.genuine > found.people
    assert found.auc > 0.99
    assert found.eer < 0.05
    assert found.e_value > 1
    again = claims(clips, build_population(clips, KEY, "cubed", fit), impostors_per_person=3)
    assert again == found
    assert again.as_json()["auc"] == round(found.auc, 4)


def test_who_shows_too_little_claims_nothing() -> None:
    clips = [clip(p, n) for p in range(MIN_PEOPLE + 6) for n in range(2)]
    built = build_population(clips, KEY, "cubed", fit)
    short = [c if c.row.subject != "p03" else clip(3, number, shots=2) for number, c in enumerate(clips)]
    whole, fewer = claims(clips, built, impostors_per_person=20), claims(short, built, impostors_per_person=20)
    assert fewer.windows < whole.windows
