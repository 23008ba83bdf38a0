"""Compiled encoders: one protocol, several runtimes, and the recipes that make the model packs."""
