"""Recorded clips: what they may cost, what may be opened, and what the process that decodes them gives up."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

CONFINE = "monitor/tap/sandbox/confine.py"
DECODE = "monitor/tap/clip_decode.py"
FILE = "monitor/tap/clip_file.py"
TIME = "monitor/tap/clip_time.py"
TRACK = "monitor/tap/clip_track.py"
WIRE = "monitor/tap/clip_wire.py"
WORKER = "monitor/tap/clip_worker.py"
WORKERS = "monitor/tap/sandbox/workers.py"
ZYGOTE = "monitor/tap/sandbox/zygote.py"

BOMBS = "tests/monitor/tap/test_bombs.py"
OF_PROCESS = "tests/monitor/tap/test_clip_process.py"
OF_WIRE = "tests/monitor/tap/test_clip_wire.py"
A_BOMB = f"{BOMBS}::test_a_bomb_ends_in_one_line"
A_LIMIT = f"{BOMBS}::test_each_limit_is_told"
CONFINED = f"{OF_PROCESS}::test_it_may_compute_and_talk_and_nothing_else"
LIMITED = f"{OF_PROCESS}::test_its_limits_are_those_of_a_clip"

MUTATIONS = (
    Mutation(
        "pictures of a clip may have any size",
        TRACK,
        '            allowed = {"max_pixels": str(self._limits.max_pixels), "codec_whitelist": DECODERS}\n',
        '            allowed = {"codec_whitelist": DECODERS}\n',
        (f"{BOMBS}::test_pictures_are_not_decoded_before_they_are_measured",),
    ),
    Mutation(
        "pictures of any size are decoded at opening",
        FILE,
        '        "max_pixels": str(_TELLING_FACTOR * limits.max_pixels),\n',
        "",
        (f"{BOMBS}::test_pictures_are_limited_while_a_file_is_opened",),
    ),
    Mutation(
        "any container is tried",
        FILE,
        '        "format_whitelist": FORMATS,\n',
        "",
        (A_BOMB, f"{BOMBS}::test_other_containers_are_not_tried"),
    ),
    Mutation(
        "a clip may open what it names",
        FILE,
        '        "protocol_whitelist": "fd",\n',
        "",
        (f"{BOMBS}::test_a_clip_opens_nothing_but_itself",),
    ),
    Mutation(
        "any decoder runs at opening",
        FILE,
        '        "codec_whitelist": DECODERS,\n',
        "",
        (f"{BOMBS}::test_other_decoders_do_not_run",),
    ),
    Mutation(
        "any decoder runs",
        FILE,
        "    if context is None or stream.codec_context.name not in _ALLOWED_DECODERS:\n",
        "    if context is None:\n",
        (f"{BOMBS}::test_other_decoders_do_not_run",),
    ),
    Mutation(
        "a file may have any number of streams",
        FILE,
        '        "max_streams": str(limits.max_streams),\n',
        '        "max_streams": "100000",\n',
        (A_BOMB, A_LIMIT),
    ),
    Mutation(
        "times may jump ahead for ever",
        TIME,
        "        if allowance < 0:\n",
        "        if False:\n",
        (A_BOMB, "tests/monitor/tap/test_clip_time.py::test_gaps_may_last_a_minute_longer_than_what_was_decoded"),
    ),
    Mutation(
        "a clip may last any time",
        DECODE,
        "        if item_time(item) > most_seconds:\n",
        "        if False:\n",
        (A_BOMB, A_LIMIT),
    ),
    Mutation(
        "a clip may have any number of pictures",
        DECODE,
        "        if pictures > limits.max_frames:\n",
        "        if False:\n",
        (A_LIMIT,),
    ),
    Mutation(
        "sound of any rate is resampled",
        TRACK,
        "                if not _MIN_RATE_HZ <= frame.sample_rate <= _MAX_RATE_HZ:\n",
        "                if False:\n",
        (A_BOMB,),
    ),
    Mutation(
        "memory is not limited",
        CONFINE,
        "    _limit(resource.RLIMIT_AS, bounds.memory_bytes)\n",
        "",
        (A_BOMB, LIMITED),
    ),
    Mutation(
        "time is not limited",
        CONFINE,
        "    _limit(resource.RLIMIT_CPU, bounds.cpu_seconds, bounds.cpu_seconds + 1)\n",
        "",
        (f"{BOMBS}::test_a_process_that_computes_too_long_is_ended", LIMITED),
    ),
    Mutation(
        "open files are not limited",
        CONFINE,
        "    _limit(resource.RLIMIT_NOFILE, MAX_FILES)\n",
        "",
        (LIMITED,),
    ),
    Mutation(
        "the process is not confined",
        WORKER,
        "    confined = confine(Bounds(limits.memory_bytes, limits.cpu_seconds(file_bytes)), offline)\n",
        "    confined = Confinement(filtered=True, locked=True, unprivileged=True, offline=offline)\n",
        (CONFINED, LIMITED, A_BOMB),
    ),
    Mutation(
        "system calls are not filtered",
        CONFINE,
        "    return Confinement(_filter(), locked, unprivileged, offline)\n",
        "    return Confinement(True, locked, unprivileged, offline)\n",
        (CONFINED,),
    ),
    Mutation("it stays who it was", CONFINE, "    _become_nobody()\n    locked", "    locked", (CONFINED,)),
    Mutation(
        "it keeps the network", ZYGOTE, "    offline = take_off_network()\n", "    offline = False\n", (CONFINED,)
    ),
    Mutation(
        "it inherits the operator's secrets",
        WORKERS,
        "env={name: os.environ[name] for name in _HANDED_DOWN if name in os.environ} | _ENVIRONMENT,",
        "env={**os.environ, **_ENVIRONMENT},",
        (f"{OF_PROCESS}::test_it_knows_no_secret",),
    ),
    Mutation(
        "it goes on when nobody listens",
        ZYGOTE,
        "        os.kill(worker, signal.SIGKILL)\n",
        "        pass\n",
        (f"{OF_PROCESS}::test_it_is_ended_in_the_middle_of_its_work",),
    ),
    Mutation(
        "sizes that it names are believed",
        WIRE,
        "        if not fits:\n",
        "        if False:\n",
        (f"{OF_WIRE}::test_sizes_are_looked_at_before_memory_is_taken",),
    ),
    Mutation(
        "times that it names are believed",
        WIRE,
        "        if not math.isfinite(capture) or not earliest <= capture <= self._max_seconds + _SLACK_SECONDS:\n",
        "        if False:\n",
        (f"{OF_WIRE}::test_times_are_within_the_clip", f"{OF_WIRE}::test_times_go_forward"),
    ),
)
