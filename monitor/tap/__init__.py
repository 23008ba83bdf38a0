"""How media gets in."""
