"""Plans: what a fleet needs, and what becomes of its participants."""
