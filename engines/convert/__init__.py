"""Published models converted to model packs: one committed, deterministic script a source."""
