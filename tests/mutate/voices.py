"""Whose voice it is: the claimed person's only, one voice at a time, and no program out of a checkpoint."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

DETECTOR = "monitor/detectors/voiceprint/detector.py"
LIVE = "monitor/detectors/voiceprint/live.py"
OF_DETECTOR = "tests/monitor/detectors/voiceprint/test_detector.py"
OF_LIVE = "tests/monitor/detectors/voiceprint/test_live.py"
OF_NUMBERS = "tests/engines/convert/test_torch_numbers.py"

MUTATIONS = (
    Mutation(
        "two voices are compared as one",
        DETECTOR,
        "if together(vectors) < self.people.together:",
        "if False:",
        (f"{OF_DETECTOR}::test_two_voices_are_not_judged",),
    ),
    Mutation(
        "what is like nobody's voice is compared",
        DETECTOR,
        "if self.people.typical(voice[None])[0][0] < self.people.usual:",
        "if False:",
        (f"{OF_DETECTOR}::test_what_sounds_like_nobody_is_not_judged",),
    ),
    Mutation(
        "a voice clears",
        "monitor/detectors/voiceprint/info.py",
        "    one_sided=True,\n    withholds=True,\n",
        "    withholds=False,\n",
        (f"{OF_LIVE}::test_another_voice_is_more_suspicious_than_ones_own",),
    ),
    Mutation(
        "speech of the window before counts again",
        LIVE,
        "if piece.first >= until - self._steps]",
        "]",
        (f"{OF_LIVE}::test_windows_that_do_not_overlap_share_no_speech",),
    ),
    Mutation(
        "a voice that may be another's is compared",
        LIVE,
        "if hop.obstacle in OBSTACLES:",
        "if False:",
        (f"{OF_LIVE}::test_a_voice_that_did_not_come_whole_or_may_be_anothers_is_left_alone",),
    ),
    Mutation(
        "a voice across the room is heard as the participant's",
        "monitor/voice/stream.py",
        "heard = self._near(steps, self._presence(steps, sound))",
        "heard = self._presence(steps, sound)",
        ("tests/monitor/voice/test_presence.py::test_a_voice_far_below_the_calls_own_speech_is_not_heard",),
    ),
    Mutation(
        "nobody hears the sound",
        "monitor/session/session.py",
        "self._models.presence, listeners, beside_motion,",
        "self._models.presence, (), beside_motion,",
        ("tests/monitor/session/test_listening.py::test_a_listener_hears_every_sample_in_order",),
    ),
    Mutation(
        "a program in a checkpoint is given what it names",
        "engines/convert/torch_numbers.py",
        """        if (module, name) not in known:
            raise _BeyondNumbersError("a program beside its numbers")
        return known[module, name]
""",
        """        return known[module, name] if (module, name) in known else super().find_class(module, name)
""",
        (f"{OF_NUMBERS}::test_a_program_in_the_file_is_refused_and_not_run",),
    ),
    Mutation(
        "a checkpoint may speak any protocol of pickle",
        "engines/convert/torch_numbers.py",
        ".items() if code in _SPOKEN}",
        ".items()}",
        (f"{OF_NUMBERS}::test_no_room_is_made_for_what_a_file_says_will_come",),
    ),
)
