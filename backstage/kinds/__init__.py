"""The kinds of service: how each is recognised in a vassal file, probed and judged."""
