"""What a gateway that runs can take over from its files without being started again.

Partners, certificates, flows, rule packs, and some settings. The other settings stay as they were
until the next start; what is taken over must be sound beside them, not only beside what the files
say now.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from gateway.config.alert_settings import THRESHOLDS
from gateway.config.configuration import Configuration
from gateway.config.differences import changes, differing
from gateway.config.loader import raise_for, read, read_beside
from gateway.config.rule_files import rule_files
from gateway.config.settings import Retention, Settings
from gateway.errors import Fault

LIVE: Final[Mapping[str, tuple[str, ...]]] = {
    "alerts": THRESHOLDS,
    "as2": ("identities", "password_file", "expiry_warning_days"),
    "http": ("max_header_bytes", "max_connections", "idle_timeout_seconds"),
    "log": ("level",),
    "retention": Retention.__struct_fields__,
    "shutdown": ("drain_seconds",),
}
"""Section → keys that are taken over. A key is here when all who go by it ask for it each time,
or are told: what only some of them knew would be worse than a restart."""


@dataclass(frozen=True, slots=True)
class Reread:
    """A configuration to go on with. `changes` are lines for people.

    `later` names the settings (`http.port`) that need a restart; `notices` are those that were not
    there before. `rules` stands for the files of rules, as they were a moment before.
    """

    configuration: Configuration
    changes: tuple[str, ...]
    later: tuple[str, ...]
    notices: tuple[Fault, ...]
    rules: str


def reread(running: Configuration) -> Reread:
    """Read the files of `running` again.

    Raises `ConfigurationError` carrying every fault; then nothing is to be taken over.
    """
    rules = rule_files(running)
    asked = read(running.file)
    raise_for(asked.faults, f"The configuration {running.file} cannot be used, so nothing changed")
    settings = _with_live_keys(running.settings, asked.configuration.settings)
    reading = read_beside(running.file, settings)
    raise_for(
        reading.faults,
        "Partners and flows do not go with the settings the gateway was started with, so nothing"
        " changed; restart it if the files are as you want them",
    )
    configuration = dataclasses.replace(
        reading.configuration,
        state=running.state,  # --state-dir may have named another one
        rabbitmq_password=running.rabbitmq_password,
    )
    known = set(map(str, running.notices))
    return Reread(
        configuration=configuration,
        changes=tuple(changes(running, configuration)),
        later=tuple(_later(running, asked.configuration)),
        notices=tuple(each for each in configuration.notices if str(each) not in known),
        rules=rules,
    )


def _with_live_keys(running: Settings, asked: Settings) -> Settings:
    return replace(
        running,
        **{
            section: replace(
                getattr(running, section),
                **{key: getattr(getattr(asked, section), key) for key in keys},
            )
            for section, keys in LIVE.items()
        },
    )


def _later(running: Configuration, asked: Configuration) -> list[str]:
    live = {f"{section}.{key}" for section, keys in LIVE.items() for key in keys}
    keys = [key for key in differing(running.settings, asked.settings) if key not in live]
    if running.rabbitmq_password != asked.rabbitmq_password:
        keys.append("rabbitmq.password_file")
    return list(dict.fromkeys(keys))
