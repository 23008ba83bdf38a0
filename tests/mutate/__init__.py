"""Defences taken away one at a time: for each, the tests that must notice (`make mutate`)."""
