"""Loaded by uWSGI into every process of an Act before the application.

Python turns SIGINT into an exception that a starting application may swallow, and uWSGI ignores
SIGHUP until late: with both at their defaults, a stop or a restart in the middle of a start works.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
