"""The `backstage` command: each subcommand calls the library and returns a result."""
