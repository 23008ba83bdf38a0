"""One participant from media to decision: a genuine clip is judged, and whatever is missing is the reason given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.decision.report import HopReport
from monitor.lab.evaluate.landmark_cadence import Counted
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, MediaItem, ParticipantKey, Reason, TrackFault, Verdict, VideoFrame
from tests.monitor import people
from tests.monitor.frames import block, frame, stamp, vowel
from tests.monitor.loaded import with_faces

CLIP = "clips/real/LivePortrait__d20.mp4"
KEY = ParticipantKey("call", "ann")
BLOCK = 320


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


def run(models: Models, items: Sequence[MediaItem]) -> list[HopReport]:
    """Every report of a session over items, ticked at each arrival."""
    session, reports = Session(KEY, models), list[HopReport | None]()
    for item in items:
        now = item.arrival if isinstance(item, TrackFault) else item.stamp.arrival
        reports.append(session.tick(now))
        session.push(item)
    return [report for report in reports if report is not None]


def reasons(reports: Sequence[HopReport]) -> list[Reason | None]:
    return [report.decision.reason for report in reports]


def pictures(seconds: float, fps: float = 25.0, start: float = 0.0) -> Iterator[VideoFrame]:
    plane = np.random.default_rng(0).integers(40, 60, (120, 160)).astype(np.uint8)
    for n in range(int(seconds * fps)):
        yield frame(plane, start + n / fps)


def sound(seconds: float, start: float = 0.0) -> Iterator[AudioBlock]:
    samples = vowel(seconds)
    for at in range(0, len(samples), BLOCK):
        yield block(samples[at : at + BLOCK], start + at / 16_000)


def mixed(*tracks: Iterator[MediaItem]) -> list[MediaItem]:
    items = [item for track in tracks for item in track]
    return sorted(items, key=lambda i: i.arrival if isinstance(i, TrackFault) else i.stamp.arrival)


@pytest.fixture(scope="module")
def genuine(data_dir: Path) -> list[MediaItem]:
    return list(read_clip(data_dir / CLIP))


@pytest.mark.data
def test_a_genuine_clip_is_judged_every_hop(models: Models, genuine: list[MediaItem]) -> None:
    reports = run(models, genuine)
    assert len(reports) == 14
    assert np.diff([report.now for report in reports]) == pytest.approx(np.full(13, 0.5), abs=0.06)
    scored = [r for r in reports if r.decision.scores[0].value is not None]
    assert scored
    for report in reports:
        assert report.key is KEY
        assert [score.detector for score in report.decision.scores] == [
            "synchrony",
            "pairwise",
            "persona",
            "voiceprint",
        ]
        assert report.decision.verdict is not Verdict.BONA_FIDE
    last = scored[-1]
    assert 0 < (last.decision.scores[0].p_value or 0) <= 1
    assert len(last.decision.scores[0].evidence["offsets_ms"]) == 31
    assert last.quality["fps"] == pytest.approx(25, abs=0.5)
    assert 200 < last.quality["face_px"] < 300
    assert last.quality["speech_seconds"] >= 2
    assert last.quality["face_fraction"] > 0.9
    assert last.quality["clock_mapped"] == 1


@pytest.mark.data
def test_the_same_items_give_the_same_reports(models: Models, genuine: list[MediaItem]) -> None:
    head = genuine[:300]
    assert run(models, head) == run(models, head)


@pytest.mark.data
def test_a_finding_of_overload_lasts_a_second(models: Models, genuine: list[MediaItem]) -> None:
    fault = TrackFault("video", Reason.OVERLOADED, "pictures were dropped", 5.0)
    reports = run(models, mixed(iter(genuine), iter([fault])))
    assert [report.now for report in reports if report.decision.reason is Reason.OVERLOADED] == pytest.approx(
        [5.5], abs=0.6
    )


def test_nothing_is_said_before_the_first_hop_nor_twice_in_one(models: Models) -> None:
    session = Session(KEY, models)
    assert session.finish(0.0) is None
    assert session.tick(10.0) is None
    assert session.tick(10.4) is None
    assert session.tick(10.5) is not None
    assert session.tick(10.6) is None
    # A host that was late skips hops.
    assert session.tick(20.0) is not None
    assert session.tick(20.1) is None
    assert session.tick(20.5) is not None
    assert session.finish(20.5) is None
    assert session.finish(20.6) is not None


def test_nobody_in_the_picture(models: Models) -> None:
    reports = run(models, mixed(pictures(6), sound(6)))
    assert reasons(reports)[0] is Reason.WARMING_UP
    assert reasons(reports)[-1] is Reason.NO_FACE
    assert {report.decision.verdict for report in reports} == {Verdict.INCONCLUSIVE}
    assert reports[-1].quality["face_px"] == 0


def test_too_few_pictures_a_second(models: Models) -> None:
    assert reasons(run(models, mixed(pictures(4, fps=5), sound(4))))[-1] is Reason.LOW_FRAME_RATE


@pytest.mark.parametrize(("which", "reason"), [("audio", Reason.NO_AUDIO), ("video", Reason.NO_VIDEO)])
def test_a_track_that_never_comes(models: Models, which: str, reason: Reason) -> None:
    found = reasons(run(models, mixed(pictures(4)) if which == "audio" else mixed(sound(4))))
    assert found[0] is Reason.WARMING_UP
    assert found[-1] is reason


def test_a_track_that_stops_has_stalled_and_then_is_gone(models: Models) -> None:
    found = reasons(run(models, mixed(pictures(2), sound(9))))
    assert Reason.MEDIA_STALLED in found
    assert found[-1] is Reason.NO_VIDEO


def test_a_fault_is_the_reason_until_the_track_comes_back(models: Models) -> None:
    fault = TrackFault("video", Reason.FRAME_TOO_LARGE, "too large", 0.0)
    found = reasons(run(models, mixed(iter([fault]), sound(3), pictures(2, start=3), sound(2, start=3))))
    assert found[2] is Reason.FRAME_TOO_LARGE
    assert found[-1] is not Reason.FRAME_TOO_LARGE


@pytest.mark.parametrize("fps", [0.3, 0.6, 1.0, 1.5])
def test_a_camera_that_is_muted_at_a_low_rate_has_one_reason(models: Models, fps: float) -> None:
    """Browsers send a black picture a second; hops fall anywhere between two of them."""
    black = np.full((120, 160), 16, np.uint8)
    shots = [frame(black, (n + 0.08 * (n % 3)) / fps) for n in range(int(24 * fps))]
    said = run(models, mixed(iter(shots), sound(24)))
    assert {report.decision.reason for report in said if report.now > 12.0} == {Reason.LOW_FRAME_RATE}
    assert {report.quality["fps"] for report in said if report.now > 12.0} <= {n / 2 for n in range(5)}


@pytest.mark.parametrize("reason", [Reason.DECODER_FAILED, Reason.FRAME_TOO_LARGE, Reason.UNSUPPORTED_CODEC])
def test_a_fault_is_the_reason_however_long_nothing_comes_of_the_track(models: Models, reason: Reason) -> None:
    said = run(models, mixed(pictures(2), iter([TrackFault("video", reason, "", 2.0)]), sound(12)))
    assert {report.decision.reason for report in said if report.now > 4.0} == {reason}
    assert said[-1].quality["fps"] == 0.0


@pytest.mark.data
def test_sound_that_is_lost_on_the_way_is_no_silence(models: Models, genuine: list[MediaItem]) -> None:
    """Half of the blocks are lost; told once a second, as the tap does, and said for what it is."""
    heard = [item for item in genuine if isinstance(item, AudioBlock)][::2]
    lossy: list[MediaItem] = [*heard, *(item for item in genuine if isinstance(item, VideoFrame))]
    told = [TrackFault("audio", Reason.AUDIO_LOSS, "a fifth was lost", at) for at in (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)]
    ends = [run(models, mixed(iter(items)))[-1].decision.reason for items in (lossy, [*lossy, *told])]
    assert ends == [Reason.SILENCE, Reason.AUDIO_LOSS]


def test_a_fault_beside_a_track_that_goes_on_is_no_reason(models: Models) -> None:
    fault = TrackFault("video", Reason.DECODER_FAILED, "a packet was damaged", 1.99)
    found = reasons(run(models, mixed(pictures(2), sound(2.6), iter([fault]))))
    assert Reason.DECODER_FAILED not in found


def test_damaged_pictures_are_the_reason_while_they_show(models: Models) -> None:
    damaged = [replace(item, damaged=True) for item in pictures(3)]
    said = run(models, mixed(iter(damaged), pictures(6, start=3), sound(9)))
    reason = {report.now: report.decision.reason for report in said if report.now > 1.0}
    # That no face is seen in the window follows from it, for as long as it is in the window.
    assert {reason[at] for at in reason if at < 4.0 or 5.5 < at < 7.5} == {Reason.PICTURE_DAMAGED}
    assert reason[max(reason)] is Reason.NO_FACE


@pytest.mark.data
def test_no_detector_sees_a_face_in_damaged_pictures(models: Models, genuine: list[MediaItem]) -> None:
    """Synchrony and pairwise abstain while they show, and nothing of them is left in the window afterwards."""
    seen: list[bool] = []
    session = Session(
        ParticipantKey("call", "ann", "Ann"), models, observer=lambda _, view, __: seen.append(view is None)
    )
    reports = []
    for item in genuine[:400]:
        now = item.arrival if isinstance(item, TrackFault) else item.stamp.arrival
        reports.append(session.tick(now))
        session.push(replace(item, damaged=True) if isinstance(item, VideoFrame) and 1.0 < now < 2.5 else item)
    during = [report for report in reports if report is not None and 1.1 < report.now < 2.5]
    assert during
    assert {score.reason for report in during for score in report.decision.scores[:2]} == {Reason.PICTURE_DAMAGED}
    assert 30 <= sum(seen) <= 45
    # A second of the last five is masked.
    assert 0.7 < session._window.window(5.0).face_fraction < 0.85


@pytest.mark.data
def test_two_faces_leave_open_who_speaks(models: Models, genuine: list[MediaItem]) -> None:
    double = [_doubled(item) if isinstance(item, VideoFrame) else item for item in genuine[:450]]
    assert reasons(run(models, double))[-1] is Reason.SEVERAL_FACES


def _doubled(item: VideoFrame) -> VideoFrame:
    y, u, v = (np.concatenate([plane, plane], axis=1) for plane in (item.y, item.u, item.v))
    return VideoFrame(item.stamp, y, u, v, item.full_range)


@pytest.mark.data
def test_a_face_that_leaves_is_not_used_and_another_takes_over_after_a_second(
    models: Models, genuine: list[MediaItem]
) -> None:
    items = [item for item in genuine if isinstance(item, VideoFrame)]
    empty = np.full(items[0].y.shape, 90, np.uint8)
    session = Session(KEY, models)
    for n in range(100):
        at = n / 25
        source = items[n % 20] if n < 25 or n >= 50 else frame(empty)
        session.push(VideoFrame(stamp(at), source.y, source.u, source.v, source.full_range))
        for sounds in sound(0.04, at):
            session.push(sounds)
        if n == 0:
            session.tick(0.0)
        if n == 40:
            away = session.tick(at)
    back = session.tick(4.0)
    assert away is not None
    assert back is not None
    assert away.quality["face_px"] == 0
    assert back.quality["face_px"] > 200
    assert 0.3 < back.quality["face_fraction"] < 0.6


@pytest.mark.data
def test_a_muted_participant_is_still_compared_with_who_they_claim_to_be(
    models: Models, genuine: list[MediaItem]
) -> None:
    claim = ParticipantKey("call", "ann", "Jane Doe")
    session, said = Session(claim, with_faces(models, None), reference=lambda: people.reference()), []
    for item in [item for item in genuine if isinstance(item, VideoFrame)]:
        said.append(session.tick(item.stamp.arrival))
        session.push(item)
    lips, face, movement, _voice = next(report for report in reversed(said) if report is not None).decision.scores
    assert lips.reason is Reason.NO_AUDIO
    assert face.reason is Reason.REFERENCE_OUTDATED
    assert movement.reason is Reason.NOT_ENROLLED


def test_a_claim_needs_a_picture(models: Models) -> None:
    session = Session(ParticipantKey("call", "ann", "Jane Doe"), models)
    reports = [session.tick(at / 2) for at in range(12)]
    faces = [report.decision.scores[1].reason for report in reports if report is not None]
    assert faces[0] is Reason.WARMING_UP
    assert faces[-1] is Reason.NO_VIDEO


def test_a_session_at_rest_says_so_every_hop_and_its_evidence_waits(models: Models) -> None:
    """Nobody looked for a minute: nothing is added and nothing forgotten, but a suspicion does not outlast it."""
    session = Session(ParticipantKey("call", "ann", "Ann"), models)
    items = mixed(pictures(2.0), sound(2.0))
    for item in items:
        session.tick(item.arrival if isinstance(item, TrackFault) else item.stamp.arrival)
        session.push(item)
    window = session._window
    level = session._state.config.suspect_level
    running = session._state.running
    full = replace(running, windows=replace(running.windows, phases=(2 * level,) * 10))
    session._state = replace(session._state, running=full)
    reports = [report for n in range(130) if (report := session.rest(2.0 + n * 0.5)) is not None]
    assert len(reports) == 130
    assert session.rest(66.6) is None
    assert {score.reason for report in reports for score in report.decision.scores} == {Reason.OVERLOADED}
    assert {report.decision.statistic for report in reports} == {2 * level}
    said = [report.decision.verdict for report in reports]
    assert said == [Verdict.SUSPECT] * 117 + [Verdict.INCONCLUSIVE] * 13
    assert reports[-1].decision.reason is Reason.OVERLOADED
    assert session._window is not window
    assert reports[-1].capture is None


def test_a_session_that_rested_begins_anew(models: Models) -> None:
    session = Session(KEY, models)
    for item in mixed(pictures(2.0), sound(2.0)):
        session.tick(item.stamp.arrival)  # type: ignore[union-attr]
        session.push(item)
    for n in range(100):
        session.rest(2.0 + n * 0.5)
    told = [session.tick(52.0 + n * 0.5) for n in range(8)]
    for item in mixed(pictures(3.0, start=60.0), sound(3.0, start=60.0)):
        told.append(session.tick(item.stamp.arrival))  # type: ignore[union-attr]
        session.push(item)
    reasons = [report.decision.reason for report in told if report is not None]
    assert reasons[0] is Reason.WARMING_UP
    assert Reason.NO_VIDEO in reasons
    assert reasons[-1] in (Reason.NO_FACE, Reason.WARMING_UP)
    assert Reason.MEDIA_STALLED not in reasons


def test_a_session_may_rest_from_its_first_hop_on(models: Models) -> None:
    session = Session(KEY, models)
    assert session.rest(0.0) is None
    report = session.rest(0.5)
    assert report is not None
    scores = {score.detector: score.reason for score in report.decision.scores}
    assert scores == {
        "synchrony": Reason.OVERLOADED,
        "pairwise": Reason.NOT_ENROLLED,
        "persona": Reason.NOT_ENROLLED,
        "voiceprint": Reason.NOT_ENROLLED,
    }
    assert (report.decision.verdict, report.decision.reason) == (Verdict.INCONCLUSIVE, Reason.OVERLOADED)


@pytest.mark.data
def test_a_session_that_is_judged_lightly_says_so_and_computes_less(models: Models, genuine: list[MediaItem]) -> None:
    landmarks = Counted(models.landmarks)
    counted = replace(models, landmarks=landmarks)
    rows, scores = [], []
    for light in (False, True):
        session, reports = Session(KEY, counted), list[HopReport]()
        session.lighten(light)
        before = landmarks.rows
        for item in genuine:
            now = item.arrival if isinstance(item, TrackFault) else item.stamp.arrival
            if (report := session.tick(now)) is not None:
                reports.append(report)
            session.push(item)
        rows.append(landmarks.rows - before)
        scores.append([report.decision.scores[0].value for report in reports])
        assert {report.quality["light"] for report in reports} == {float(light)}
    assert rows[1] < 0.9 * rows[0]
    assert [value is None for value in scores[0]] == [value is None for value in scores[1]]
    moved = [abs(a - b) for a, b in zip(*scores, strict=True) if a is not None and b is not None]
    assert moved
    assert max(moved) < 0.1
