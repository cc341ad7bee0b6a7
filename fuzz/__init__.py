"""Fuzzing of the parsers with atheris, which `make fuzz` installs."""
