"""The layout on disk: paths of a Venue, names, settings, the register of this host's Venues."""
