"""Terminal output of the commands, and keyboard input."""
