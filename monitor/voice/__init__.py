"""The voice: 16 kHz mono becomes log-mel frames and speech activity on the track's own timeline."""
