"""The logs of Acts and of the Emperor: read, dated, interleaved.

Nothing here writes into `log/`. `NAME.log` is written by the master of the Act's vassal (`logto2`
in `vassal_templates/`), which also sets a long one aside as `NAME.log.1`; an Act with a user of its
own has both in `log/NAME/`. `emperor.log` holds what the Emperor prints: `uwsgi/emperor.py`
opens it and sets a long one aside; under systemd, the Venue's `templates/emperor` does.
"""
