"""RTP, RTCP and SDP: packets ordered, guarded and handed to the decoders. Only here are aiortc's internals touched."""
