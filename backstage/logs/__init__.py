"""The logs of Acts and of the Emperor: read, date and merge them.

Nothing here writes into `log/`. The master of the Act's vassal writes `NAME.log` (`logto2` in
`vassal_templates/`) and rotates a long one to `NAME.log.1`; for an Act with its own user, both are
in `log/NAME/`. `emperor.log` holds the Emperor's output: `uwsgi/emperor.py` opens it and rotates a
long one; where systemd starts the Emperor, the Venue's `templates/emperor` does.
"""
