"""The cost of `import backstage.shortcuts`."""

from __future__ import annotations

import time

from .measuring import Limit, Row, Timings, repeat
from .stage import Stage

_IMPORT = "import backstage.shortcuts"
_HEAVY = f"{_IMPORT}, sys; print(*sorted({{'django', 'virtualenv'}} & sys.modules.keys()))"


def measure_imports(stage: Stage, pairs: int) -> list[Row]:
    """A Python that imports the library against one that does nothing."""
    if heavy := stage.finish(stage.python("-c", _HEAVY)).split():
        raise RuntimeError(f"{_IMPORT} imports {' and '.join(heavy)} as well")

    def measure(number: int) -> Timings:
        return {"pass": _seconds(stage, "pass"), "import": _seconds(stage, _IMPORT)}

    measured = repeat("import", pairs, measure)
    what = f"`{_IMPORT}`, without Django and virtualenv, against `python -c pass`"
    return [Row(what, measured["import"], measured["pass"], Limit(times=1, plus=0.100))]


def _seconds(stage: Stage, code: str) -> float:
    began = time.monotonic()
    stage.finish(stage.python("-c", code))
    return time.monotonic() - began
