"""The checks of `doctor`, and their findings."""
