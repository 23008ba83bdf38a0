"""Publishes a test picture and ticks, or a clip, by GStreamer's `webrtcbin` until its standard input ends.

Run by the system's Python, which has the bindings: `python3 publish_gstreamer.py ENDPOINT TOKEN VP8|H264 [CLIP]`. The
clip holds VP8 and Opus.
"""

from __future__ import annotations

import sys
import threading
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

VIDEO = {
    "VP8": "vp8enc deadline=1 keyframe-max-dist=25 ! rtpvp8pay pt=96",
    "H264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! video/x-h264,profile=constrained-baseline"
    " ! rtph264pay pt=96 config-interval=-1",
}
TEST = """
videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 ! {video} ! rtc.
audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay pt=111 ! rtc.
"""
CLIP = """
filesrc location={clip} ! matroskademux name=clip
clip.video_0 ! queue ! vp8dec ! videoconvert ! clocksync ! {video} ! rtc.
clip.audio_0 ! queue ! opusdec ! audioconvert ! audio/x-raw,channels=2 ! clocksync ! opusenc ! rtpopuspay pt=111 ! rtc.
"""


def http(method: str, url: str, token: str, body: str | None = None) -> tuple[str, str]:
    """Send a request; the body and the address of what was made."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    request = urllib.request.Request(url, None if body is None else body.encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.read().decode(), urllib.parse.urljoin(url, response.headers.get("Location", ""))


def main(endpoint: str, token: str, codec: str, clip: str = "") -> None:
    """Publish, and leave when standard input ends."""
    Gst.init(None)
    loop = GLib.MainLoop()
    media = (CLIP if clip else TEST).format(video=VIDEO[codec], clip=clip)
    pipeline = Gst.parse_launch(f"webrtcbin name=rtc bundle-policy=max-bundle\n{media}")
    rtc = pipeline.get_by_name("rtc")
    session: list[str] = []
    for index in range(2):
        rtc.emit("get-transceiver", index).direction = GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY

    def described(promise: Gst.Promise, *_: object) -> None:
        # A name of its own: the bindings free the reply, and what is in it, with the last reference.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        rtc.emit("set-local-description", offer, Gst.Promise.new())

    def needed(*_: object) -> None:
        rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(described, None, None))

    def gathered(*_: object) -> None:
        if rtc.props.ice_gathering_state != GstWebRTC.WebRTCICEGatheringState.COMPLETE or session:
            return
        offer = rtc.props.local_description.sdp.as_text()
        answer, address = http("POST", endpoint, token, offer)
        session.append(address)
        _, parsed = GstSdp.SDPMessage.new_from_text(answer)
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, parsed)
        rtc.emit("set-remote-description", description, Gst.Promise.new())

    def leave() -> None:
        sys.stdin.read()
        if session:
            http("DELETE", session[0], token)
        GLib.idle_add(loop.quit)

    rtc.connect("on-negotiation-needed", needed)
    rtc.connect("notify::ice-gathering-state", gathered)
    threading.Thread(target=leave, daemon=True).start()
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main(*sys.argv[1:])
