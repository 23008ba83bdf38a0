"""Who of a LiveKit room is judged by which tracks, why the rest is not, and what follows from being sent away."""

from __future__ import annotations

import pytest

from monitor.tap.kit import Profile, Reason
from plugins.base import name_from
from plugins.protocols.livekit.roster import (
    AGENT,
    BRIDGE,
    CAMERA,
    CONNECTOR,
    EGRESS,
    INGRESS,
    MAX_PEOPLE,
    MAX_TEXT_LENGTH,
    MICROPHONE,
    SCREEN_SHARE,
    SCREEN_SHARE_AUDIO,
    SIP,
    STANDARD,
    Ending,
    Person,
    Reading,
    Track,
    ending,
    named,
    why_not,
)

CAM, MIC, SCREEN, SCREEN_SOUND = (
    Track(sid, source)
    for sid, source in (("c", CAMERA), ("m", MICROPHONE), ("s", SCREEN_SHARE), ("a", SCREEN_SHARE_AUDIO))
)
READING = Reading()


def person(*tracks: Track, kind: int = STANDARD, **more: object) -> Person:
    return Person("ada", kind=kind, tracks=tracks, **more)  # type: ignore[arg-type]


def test_the_first_camera_and_microphone_are_judged() -> None:
    judged = READING.judged(person(SCREEN, MIC, CAM, Track("c2", CAMERA), SCREEN_SOUND))
    assert {kind: track.sid for kind, track in judged.items()} == {"audio": "m", "video": "c"}
    failed = Track("c", CAMERA, failed=True)
    assert READING.judged(person(failed, Track("c2", CAMERA)))["video"].sid == "c2"
    sealed = person(Track("c", CAMERA, encrypted=True))
    assert READING.judged(sealed) == {}
    assert set(Reading(has_key=True).judged(sealed)) == {"video"}


@pytest.mark.parametrize("kind", [EGRESS, AGENT, BRIDGE])
def test_machines_are_not_judged_and_not_listed(kind: int) -> None:
    assert READING.judged(person(CAM, MIC, kind=kind)) == {}
    assert named([person(CAM, MIC, kind=kind)], {}, name_from) == {}


@pytest.mark.parametrize(
    ("tracks", "kind", "reason"),
    [
        ((CAM, MIC), STANDARD, None),
        ((CAM, MIC, SCREEN), INGRESS, None),
        ((CAM, MIC), CONNECTOR, None),
        ((CAM, Track("m", MICROPHONE, muted=True)), STANDARD, Reason.MUTED),
        ((CAM,), STANDARD, Reason.MUTED),
        ((Track("c", CAMERA, muted=True), MIC), STANDARD, Reason.CAMERA_OFF),
        ((Track("c", CAMERA, muted=True), Track("m", MICROPHONE, muted=True)), STANDARD, Reason.CAMERA_OFF),
        ((MIC, SCREEN), STANDARD, Reason.CAMERA_OFF),
        ((MIC,), SIP, Reason.PHONE_AUDIO_ONLY),
        ((), SIP, Reason.WAITING_FOR_PUBLISHER),
        ((SCREEN, SCREEN_SOUND), STANDARD, Reason.SCREEN_SHARE_ONLY),
        ((), STANDARD, Reason.WAITING_FOR_PUBLISHER),
        ((Track("c", CAMERA, encrypted=True), Track("m", MICROPHONE, encrypted=True)), STANDARD, "e2ee"),
        ((Track("c", CAMERA, encrypted=True), MIC), STANDARD, "e2ee"),
        ((Track("c", CAMERA, failed=True), MIC), STANDARD, Reason.UNSUPPORTED_CODEC),
    ],
)
def test_why_somebody_is_not_watched(tracks: tuple[Track, ...], kind: int, reason: Reason | str | None) -> None:
    wanted = Reason.END_TO_END_ENCRYPTED if reason == "e2ee" else reason
    assert READING.unwatched(person(*tracks, kind=kind)) == wanted


def test_what_is_encrypted_is_watched_by_whoever_has_the_key() -> None:
    sealed = person(*(Track(one.sid, one.source, encrypted=True) for one in (CAM, MIC)))
    assert Reading(has_key=True).unwatched(sealed) is None


def test_what_the_platform_says_of_somebody() -> None:
    one = person(name="Ada L", attributes={"mail": "ada@example.org", "user": "77", "else": "x"})
    assert READING.profile(one) == Profile(display_name="Ada L", platform_id="ada")
    told = Reading(email_attribute="mail", account_attribute="user").profile(one)
    assert told == Profile("Ada L", "ada", "ada@example.org", "77")
    assert Reading(email_attribute="absent").profile(person()) == Profile(platform_id="ada")
    long = Reading(account_attribute="user").profile(Person("", "n" * 500, attributes={"user": "u" * 500}))
    assert (long.platform_id, len(long.display_name or ""), len(long.account or "")) == (
        None,
        MAX_TEXT_LENGTH,
        MAX_TEXT_LENGTH,
    )
    # Nothing of it gets into a log.
    assert "Ada" not in repr(one)
    assert "example" not in repr(one)


def test_names_stay_and_are_told_apart() -> None:
    people = [Person("a b"), Person("a_b"), Person("a/b"), Person("")]
    names = named(people, {}, name_from)
    assert names == {"a b": "a_b", "a_b": "a_b~2", "a/b": "a_b~3"}
    # Whoever was here first keeps the name, and who has left is forgotten.
    assert named(people[1:2], names, name_from) == {"a_b": "a_b~2"}
    assert len(named([Person(str(number)) for number in range(MAX_PEOPLE + 5)], {}, name_from)) == MAX_PEOPLE


def test_what_follows_from_being_sent_away() -> None:
    assert [ending(reason)[0] for reason in (2, 4)] == [Ending.STAY_OUT] * 2
    assert [ending(reason)[0] for reason in (5, 10)] == [Ending.OVER] * 2
    assert {ending(reason)[0] for reason in (0, 3, 6, 7, 8, 9, 11, 14, 99)} == {Ending.AGAIN}
    assert "reason 99" in ending(99)[1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("engine: signal failure: 401 - invalid token a-secret", "refuses the token: check api_key, api_secret"),
        ("HTTP 404 page not found", "has no such room or no such path"),
        ("503 service unavailable", "is full now"),
        ("wait_pc_connection timed out", "no media path"),
        ("connection refused by 10.1.2.3", "cannot be reached: check the url, and that it runs"),
    ],
)
def test_why_a_room_could_not_be_joined_is_a_line_that_quotes_nothing(error: str, said: str) -> None:
    line = why_not(error)
    assert said in line
    assert "a-secret" not in line
    assert "10.1.2.3" not in line
