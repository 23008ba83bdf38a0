"""Where model packs of foreign origin come from: one committed, deterministic script for each source."""
