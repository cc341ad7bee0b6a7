"""The operating system: processes, programs, files, users, sockets, locks and timers."""
