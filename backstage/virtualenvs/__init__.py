"""Virtual environments: found, built, copied, cached."""
