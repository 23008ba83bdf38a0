"""Everything that docs/results.md states for the shipped packs: parts, who runs them, and the document made of them."""
