"""Compiled encoders: one protocol, several runtimes, and the recipes that make the model packs."""

from engines.telemetry import switch_off

# Here, because whatever imports a runtime is in this package or imports it.
switch_off()
