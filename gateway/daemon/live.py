"""Who takes over settings while the gateway runs, beside those who ask `Reload` for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gateway import logs
from gateway.config.settings import Settings

if TYPE_CHECKING:  # the parts are built with this
    from gateway.daemon.parts import Parts


def prepare_live(parts: Parts, settings: Settings) -> list[Callable[[], None]]:
    """Get everybody ready, which may fail with `ConfigurationError`; the answers take it over.

    `gateway/config/reloading.LIVE` names the keys that may differ. Files of TLS are read again
    whatever the settings say: a certificate is renewed under its old name.
    """
    takes: list[Callable[[], None]] = [partial(logs.set_level, settings.log.level)]
    if parts.http is not None:
        takes.append(parts.http.prepare(settings.http))
    if parts.management is not None:
        takes.append(parts.management.prepare())
    return takes
