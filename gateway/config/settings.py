"""Every setting of conf/gateway.toml, with its type and default.

The file in conf/ shows each of them with a comment; a test keeps the two, and the table in
docs/configuration.md, the same.
"""

from __future__ import annotations

import msgspec

from gateway.model.job import DocumentLimits


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the settings file."""


class Paths(_Section, frozen=True, kw_only=True):
    """Where things are. Relative paths count from the settings file; "" means the built-in."""

    state: str = "/var/lib/edi-gateway"
    flows: str = ""
    partners: str = "partners"
    rule_packs: str = ""


class Sftp(_Section, frozen=True, kw_only=True):
    """The SFTP server. `processes` share one listening socket."""

    enabled: bool = True
    listen: str = "127.0.0.1"
    port: int = 2222
    processes: int = 2
    max_file_bytes: int = 1_000_000_000
    accepted_visible_seconds: int = 600
    partial_expiry_hours: int = 48
    idle_timeout_seconds: int = 900
    login_timeout_seconds: int = 30
    receipt_timeout_seconds: int = 60


class Judges(_Section, frozen=True, kw_only=True):
    """The worker processes that judge. `processes` 0 means one per core."""

    processes: int = 0
    time_limit_seconds: float = 120.0
    boot_limit_seconds: float = 120.0
    memory_limit_mb: int = 2000
    attempts: int = 3
    retry_seconds: float = 5.0


class RabbitmqTls(_Section, frozen=True, kw_only=True):
    """TLS towards the broker. Files are PEM."""

    enabled: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    server_name: str = ""


class Rabbitmq(_Section, frozen=True, kw_only=True):
    """The broker. With an empty `host` publications go to files under the state directory."""

    host: str = ""
    port: int = 5672
    virtual_host: str = "/"
    username: str = "guest"
    password_file: str = ""
    heartbeat_seconds: int = 30
    window: int = 200
    reconnect_min_seconds: float = 1.0
    reconnect_max_seconds: float = 60.0
    declare: bool = True
    tls: RabbitmqTls = RabbitmqTls()


class Outbox(_Section, frozen=True, kw_only=True):
    """How committed publications are sent. `inline_bytes`: larger bodies travel as claim check."""

    batch: int = 200
    poll_seconds: float = 5.0
    retry_min_seconds: float = 1.0
    retry_max_seconds: float = 300.0
    inline_bytes: int = 1_000_000


class Intake(_Section, frozen=True, kw_only=True):
    """How much is taken in at once. Below `min_free_mb` of disk new files are refused."""

    max_in_flight: int = 64
    min_free_mb: int = 500


class Log(_Section, frozen=True, kw_only=True):
    """What is logged: `debug`, `info`, `warning` or `error`. Always JSON, on standard error."""

    level: str = "info"


class Shutdown(_Section, frozen=True, kw_only=True):
    """How long SIGTERM lets running work finish."""

    drain_seconds: float = 20.0


class Settings(_Section, frozen=True, kw_only=True):
    """The whole file."""

    paths: Paths = Paths()
    sftp: Sftp = Sftp()
    documents: DocumentLimits = DocumentLimits()
    judges: Judges = Judges()
    rabbitmq: Rabbitmq = Rabbitmq()
    outbox: Outbox = Outbox()
    intake: Intake = Intake()
    log: Log = Log()
    shutdown: Shutdown = Shutdown()
