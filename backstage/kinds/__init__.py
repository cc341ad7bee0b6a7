"""The kinds of service: how each is recognised in a vassal file, asked, and judged."""
