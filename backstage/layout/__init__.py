"""Where everything lies: paths of a Venue, its names and settings, the register of this host."""
