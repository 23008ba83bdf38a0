"""Zoom's Realtime Media Streams (RTMS) as somebody who receives them sees them: messages, webhooks, people, turns."""
