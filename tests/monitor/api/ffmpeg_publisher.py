"""Publishes flashes and beeps by FFmpeg's own WHIP muxer until it is ended.

`ffmpeg_publisher.py ENDPOINT TOKEN CERTIFICATE KEY`. It is given its certificate: of its own it makes one with a P-224
key where it was built with GnuTLS, as PyAV's is, and no current OpenSSL takes that for TLS. A process of
its own: the muxer keeps the interpreter's lock while it waits for the answer.
"""

from __future__ import annotations

import itertools
import sys
import time
from fractions import Fraction

import av

from tests.monitor.tap.clips import SOUND_RATE, picture_frame, sound_frame

SIZE = (320, 240)
FPS = 25
BLOCK_SAMPLES = SOUND_RATE // FPS


def main(endpoint: str, token: str, certificate: str, key: str) -> None:
    """Publish in real time: H.264 in High profile with one key frame at the start and no other, and Opus."""
    options = {"authorization": token, "cert_file": certificate, "key_file": key}
    out = av.open(endpoint, "w", format="whip", options=options)
    encoding = {"preset": "veryfast", "tune": "zerolatency", "profile": "high", "g": "100000", "sc_threshold": "0"}
    video = out.add_stream("libx264", rate=FPS, options=encoding)
    video.width, video.height, video.pix_fmt, video.bit_rate = *SIZE, "yuv420p", 2_000_000
    audio = out.add_stream("libopus", rate=SOUND_RATE, layout="stereo")
    resampler = av.AudioResampler("s16", "stereo", SOUND_RATE, 960)
    began = time.monotonic()
    for number in itertools.count():
        at = number / FPS
        time.sleep(max(0.0, began + at - time.monotonic()))
        picture = picture_frame(at, *SIZE)
        picture.pts, picture.time_base = number, Fraction(1, FPS)
        out.mux(video.encode(picture))
        sound = sound_frame(at, BLOCK_SAMPLES)
        sound.pts, sound.time_base = number * BLOCK_SAMPLES, Fraction(1, SOUND_RATE)
        for block in resampler.resample(sound):
            out.mux(audio.encode(block))


if __name__ == "__main__":
    main(*sys.argv[1:5])
