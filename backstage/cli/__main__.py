"""Runs the command as `python -m backstage.cli`."""

from .entry import main

main()
