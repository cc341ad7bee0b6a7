"""Find, build, copy and cache virtual environments."""
