"""Acts under domains: what nginx is told to serve, and how it is told."""
