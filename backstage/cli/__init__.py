"""The `backstage` command, a thin face: each command calls the library and returns a result."""
