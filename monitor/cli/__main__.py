"""Lets `python -m monitor.cli` run the command line."""

from monitor.cli import main

main()
