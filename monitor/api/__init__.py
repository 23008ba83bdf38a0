"""The HTTP and WebSocket surface: thin shells over the host, the journal and the subscriber state machine."""
