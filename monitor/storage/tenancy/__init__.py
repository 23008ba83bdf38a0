"""Tenants: organisations that share a sidecar and know nothing of each other."""
