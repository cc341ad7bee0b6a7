"""Writes the pages, the manual and the help texts of the command from the program: `make docs`."""
