"""What a gateway that runs can take over from its files without being started again.

Partners, certificates, and the settings that name our own certificates. Everything else of the
settings, and the flows, which the judges have compiled, stay as they were until the next start;
what is taken over must be sound beside them, not only beside what the files say now.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from gateway.config.configuration import Configuration
from gateway.config.differences import changes, differing, flow_differences
from gateway.config.folders import Folder
from gateway.config.loader import raise_for, read, read_beside
from gateway.config.settings import Settings
from gateway.errors import Fault
from gateway.model.flow import Flow

LIVE: Final = ("identities", "password_file", "expiry_warning_days")
"""Keys of `[as2]` that are taken over; those of no other section are."""


@dataclass(frozen=True, slots=True)
class Reread:
    """A configuration to go on with. `changes` are lines for people.

    `later` names the settings (`http.port`) and flows (`flow NAME`) that wait for the next start;
    `notices` are those that were not there before.
    """

    configuration: Configuration
    changes: tuple[str, ...]
    later: tuple[str, ...]
    notices: tuple[Fault, ...]


def reread(running: Configuration) -> Reread:
    """Read the files of `running` again.

    Raises `ConfigurationError` carrying every fault; then nothing is to be taken over.
    """
    asked = read(running.file)
    raise_for(asked.faults, f"The configuration {running.file} cannot be used, so nothing changed")
    settings = _with_live_keys(running.settings, asked.configuration.settings)
    reading = read_beside(running.file, settings, flows=_as_folder(running))
    raise_for(
        reading.faults,
        "The partners do not go with the settings and flows the gateway was started with, so"
        " nothing changed; restart it if the files are as you want them",
    )
    configuration = dataclasses.replace(
        reading.configuration,
        flows=running.flows,
        state=running.state,  # --state-dir may have named another one
        rabbitmq_password=running.rabbitmq_password,
    )
    known = set(map(str, running.notices))
    return Reread(
        configuration=configuration,
        changes=tuple(changes(running, configuration)),
        later=tuple(_later(running, asked.configuration)),
        notices=tuple(each for each in configuration.notices if str(each) not in known),
    )


def _with_live_keys(running: Settings, asked: Settings) -> Settings:
    return replace(
        running, as2=replace(running.as2, **{key: getattr(asked.as2, key) for key in LIVE})
    )


def _as_folder(running: Configuration) -> Folder[Flow]:
    folder: Folder[Flow] = Folder()
    folder.by_name = dict(running.flows)
    folder.files = {name: running.flows_folder / f"{name}.toml" for name in running.flows}
    return folder


def _later(running: Configuration, asked: Configuration) -> list[str]:
    live = {f"as2.{key}" for key in LIVE}
    keys = [key for key in differing(running.settings, asked.settings) if key not in live]
    if running.rabbitmq_password != asked.rabbitmq_password:
        keys.append("rabbitmq.password_file")
    return [
        *dict.fromkeys(keys),
        *(f"flow {name}" for name in flow_differences(running, asked)),
    ]
