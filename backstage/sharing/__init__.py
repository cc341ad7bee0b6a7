"""Sharing a Venue with a group: what its members ask of the watcher, and how that is answered."""
