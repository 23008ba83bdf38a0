"""Tests of the gateway, its hosts, and the link between them."""
