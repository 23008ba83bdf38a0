"""Ways into a call beside WHIP and files; each plug-in imports `monitor.tap.media.source` and nothing deeper."""
