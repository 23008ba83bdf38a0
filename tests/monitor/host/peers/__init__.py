"""Tests of `monitor/host/peers`."""
