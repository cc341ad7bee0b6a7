"""The watcher of a Venue: a process that the Emperor runs, which does nothing but watch."""
