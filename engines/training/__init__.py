"""Recipes that make the model packs; they know arrays and clips' features, not calls."""
