"""What the files of a configuration say together, typed; and what was found wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509

from gateway.config.certificates import Held
from gateway.config.settings import Settings
from gateway.errors import Fault
from gateway.model.flow import Flow
from gateway.model.partner import Partner

if TYPE_CHECKING:  # only a name here: a gateway without AS2 starts without that code
    from gateway.core.as2.cms import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything the files say, typed, with every path absolute.

    `partners` and `flows` are by name; disabled partners are among them. `settings` holds the
    resolved paths too. `identities` are our AS2 certificates with their keys, `certificates` those
    of each partner that has any; the newest first in both, expired ones included. `held` tells
    where each of them stands, ours first. `notices` are oddities that stop nothing.
    """

    file: Path
    settings: Settings
    partners: dict[str, Partner]
    flows: dict[str, Flow]
    state: Path
    flows_folder: Path
    partners_folder: Path
    rule_packs: Path
    rabbitmq_password: str = field(repr=False)
    identities: tuple[Identity, ...] = field(default=(), repr=False)
    certificates: dict[str, tuple[x509.Certificate, ...]] = field(default_factory=dict)
    held: tuple[Held, ...] = ()
    notices: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, and everything wrong with it. `configuration` serves only without faults.

    `flow_files` and `partner_files` tell for each flow and partner the file it stands in.
    `unusable` are folders that cannot be used today: among the notices, for a gateway starts
    without them, and failed checks for `check`.
    """

    configuration: Configuration
    faults: tuple[Fault, ...]
    flow_files: dict[str, Path]
    partner_files: dict[str, Path]
    unusable: tuple[Fault, ...] = ()

    @property
    def held(self) -> tuple[Held, ...]:
        """Every certificate and where it stands, ours first."""
        return self.configuration.held
