"""Lets `python -m backstage.cli` be the command."""

from .entry import main

main()
