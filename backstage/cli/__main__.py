"""Lets `python -m backstage.cli` be the command."""

from .program import main

main()
