"""Everything specific to uWSGI: ini files, the Emperor, stats, ports, logs."""
