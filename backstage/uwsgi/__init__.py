"""uWSGI as it is: its ini files, its Emperor, its stats, its ports and what its logs say."""
