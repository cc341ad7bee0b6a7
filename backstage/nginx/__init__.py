"""Serving Acts under domains with nginx."""
