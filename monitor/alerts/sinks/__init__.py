"""Alert sinks: where findings are delivered to, one file a kind, each behind its own durable cursor on the journal."""
