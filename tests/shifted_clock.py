"""Runs a gateway's daemon whose time of day a test may set, while everything else stays as it is.

    python tests/shifted_clock.py FILE python -m gateway run …

FILE holds by how many seconds the daemon's clock is wrong, and may change at any time. What goes
only forward (`time.monotonic`) is left alone, as the kernel does when a clock is set.
"""

from __future__ import annotations

import datetime as dt
import importlib
import pkgutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

_real_time, _real = time.time, dt.datetime


def main(file: Path, arguments: list[str]) -> int:
    """Shift the clock, then be the daemon."""

    def shifted() -> float:
        return _real_time() + float(file.read_text())

    time.time = shifted  # before anybody imports it by name, as Twisted does
    import gateway
    from gateway.cli.main import main as run

    for found in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if "__main__" not in found.name and "migrations" not in found.name:
            importlib.import_module(found.name)
    shown = SimpleNamespace(**vars(dt) | {"datetime": _Shifted})
    for name, module in list(sys.modules.items()):
        if name.startswith("gateway.") and getattr(module, "dt", None) is dt:
            module.dt = shown  # type: ignore[attr-defined]
    return run(arguments)


class _Kind(type):
    """Every instant is one of these, by whatever clock."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Real)


_Real: Any = _real


class _Shifted(_Real, metaclass=_Kind):  # type: ignore[misc]
    """As the real one, but for what time it is. Makes real ones only."""

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        return _real(*arguments, **named)

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
        """By the clock that was set."""
        return _real.fromtimestamp(time.time(), tz)


if __name__ == "__main__":
    # FILE python -m gateway run …
    sys.exit(main(Path(sys.argv[1]), sys.argv[5:]))
