"""One file for each command of `sidewitness`: options in, one call into the product, words or JSON out.

A module here imports nothing heavy at its top, so that `sidewitness --help` and the start of `serve` stay quick. Each
offers `command`, a function that typer understands (or `app`, for a group).
"""
