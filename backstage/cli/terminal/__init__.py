"""What the commands draw on a terminal, and the keys typed there."""
