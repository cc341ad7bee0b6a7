"""The client of systemd, and the text of a unit."""
