"""Fuzz one parser, or all one after the other: `python -m fuzz [PARSER] [SECONDS]`.

It ends with an error and leaves `crash-…` if a parser raises, takes too long or too much memory.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["backstage"], enable_loader_override=False):
    from fuzz.parsers import PARSERS, SEEDS

# A parser that takes longer for a few kilobytes can be made to take for ever.
_LIMITS = ("-timeout=10", "-max_len=4096", "-rss_limit_mb=1500")


def main() -> None:
    name, seconds = [*sys.argv[1:], *["all", "60"][len(sys.argv) - 1 :]][:2]
    if name != "all":
        fuzz(name, seconds)
    for each in PARSERS:
        print(f"{each}: {seconds} s", flush=True)
        subprocess.run([sys.executable, "-m", "fuzz", each, seconds], check=True)


def fuzz(name: str, seconds: str) -> None:
    """Does not return: libFuzzer ends the process."""
    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed{number}").write_bytes(seed)
    options = [*_LIMITS, f"-max_total_time={seconds}", "-print_final_stats=1", str(corpus)]
    atheris.Setup([sys.argv[0], *options], PARSERS[name])
    atheris.Fuzz()


main()
