"""The operating system: processes, files, users, sockets, locks and clocks."""
