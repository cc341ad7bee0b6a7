"""Talking to systemd, and the text of a unit."""
