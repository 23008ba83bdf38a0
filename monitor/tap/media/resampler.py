"""Sound to 16 kHz mono in the thread that asks. Only this file builds FFmpeg filter graphs."""

from __future__ import annotations

from errno import EAGAIN

import av
from av.filter import Graph

from monitor.types import SAMPLE_RATE_HZ

# Without the bound FFmpeg adds channels at -3 dB each, and a voice on both comes out 3 dB too loud and over 1.
_REMATRIX_MAXVAL = "1.0"


class Resampler:
    """What `av.AudioResampler` does, less its threads.

    That one leaves the number of threads to FFmpeg, which starts one for each core, for each participant: none of these
    filters has any use for them, and they live until the collector comes by.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None

    def resample(self, frame: av.AudioFrame | None) -> list[av.AudioFrame]:
        """Return what this frame completes, as float32 mono at 16 kHz; None flushes. Frames are all of one format."""
        if self._graph is None:
            if frame is None:
                return []
            self._graph = _graph(frame)
        self._graph.push(frame)
        made: list[av.AudioFrame] = []
        while True:
            try:
                pulled = self._graph.pull()
            except EOFError:
                return made
            except av.FFmpegError as error:
                if error.errno != EAGAIN:
                    raise
                return made
            if isinstance(pulled, av.AudioFrame):
                made.append(pulled)


def _graph(frame: av.AudioFrame) -> Graph:
    graph = Graph()
    graph.threads = 1
    timed = {"time_base": str(frame.time_base)} if frame.time_base is not None else {}
    source = graph.add(
        "abuffer",
        sample_rate=str(frame.sample_rate),
        sample_fmt=frame.format.name,
        channel_layout=frame.layout.name,
        **timed,
    )
    resample = graph.add("aresample", rematrix_maxval=_REMATRIX_MAXVAL)
    shape = graph.add("aformat", sample_rates=str(SAMPLE_RATE_HZ), sample_fmts="flt", channel_layouts="mono")
    graph.link_nodes(source, resample, shape, graph.add("abuffersink"))
    graph.configure()
    return graph
