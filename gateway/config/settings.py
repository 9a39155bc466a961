"""Every setting of conf/gateway.toml, with its type, its bounds and its default.

The file in conf/ shows each of them with a comment; a test keeps the two, and the table in
docs/configuration.md, the same. The bounds are enforced when the file is read, by
`gateway.config.strict`; a section made in code is taken as it is.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gateway.config.alert_settings import Alerts
from gateway.model.container import ContainerLimits
from gateway.model.job import DocumentLimits
from gateway.model.legal import LegalIdentity
from gateway.model.partner import RetentionClass

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
ListenPort = Annotated[int, msgspec.Meta(ge=0, le=65535)]
"""0 lets the system choose a free port: of use to tests and demonstrations only."""
Count = Annotated[int, msgspec.Meta(ge=1)]
Processes = Annotated[int, msgspec.Meta(ge=1, le=256)]
CoresOr = Annotated[int, msgspec.Meta(ge=0, le=256)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]
WholeSeconds = Annotated[int, msgspec.Meta(ge=1, le=86400)]
Days = Annotated[int, msgspec.Meta(ge=1, le=36525)]
Required = Annotated[str, msgspec.Meta(min_length=1)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the settings file."""


class Paths(_Section, frozen=True, kw_only=True):
    """Where things are. Relative paths count from the settings file; "" means the built-in."""

    state: Required = "/var/lib/edi-gateway"
    flows: str = ""
    partners: Required = "partners"
    certificates: Required = "certificates"
    rule_packs: str = ""


class Sftp(_Section, frozen=True, kw_only=True):
    """The SFTP server. `processes` share one listening socket."""

    enabled: bool = True
    listen: Required = "127.0.0.1"
    port: ListenPort = 2222
    processes: Processes = 2
    max_file_bytes: Count = 1_000_000_000
    accepted_visible_seconds: Annotated[int, msgspec.Meta(ge=0, le=86400)] = 600
    partial_expiry_hours: Annotated[int, msgspec.Meta(ge=1, le=8760)] = 48
    idle_timeout_seconds: WholeSeconds = 900
    login_timeout_seconds: WholeSeconds = 30
    receipt_timeout_seconds: WholeSeconds = 60


class HttpTls(_Section, frozen=True, kw_only=True):
    """TLS of the HTTP listener, 1.2 or newer. Files are PEM.

    `client_ca_file` asks for and checks the certificates of clients.
    """

    enabled: bool = False
    certificate_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""


class Http(_Section, frozen=True, kw_only=True):
    """The HTTP listener for AS2 and for `POST /v1/interchanges`.

    `idle_timeout_seconds`: how long a client may say nothing in the middle of a request.
    """

    enabled: bool = False
    listen: Required = "127.0.0.1"
    port: ListenPort = 8080
    max_body_bytes: Count = 1_500_000_000
    max_header_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1_000_000)] = 32_000
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 512
    idle_timeout_seconds: WholeSeconds = 60
    tls: HttpTls = HttpTls()


class As2(_Section, frozen=True, kw_only=True):
    """AS2 (RFC 4130). `id` is our AS2 name; `mdn_url` is where partners send receipts later.

    `identities` are our certificates with their private keys, PEM or PKCS#12; what comes in is
    decrypted with any of them, what goes out is signed with the one the partner last encrypted
    for, if it is still valid, else with the newest valid one. `password_file` holds the password
    of those that have one. `processes` decrypt and sign; of messages of at least `large_bytes`
    never two at once, so that the small ones go on.
    """

    id: str = ""
    mdn_url: str = ""
    identities: tuple[str, ...] = ()
    password_file: str = ""
    processes: Processes = 4
    large_bytes: Count = 10_000_000
    max_bytes: Count = 1_000_000_000
    max_ratio: Annotated[int, msgspec.Meta(ge=2, le=100_000)] = 200
    time_limit_seconds: Seconds = 900.0
    memory_limit_mb: Annotated[int, msgspec.Meta(ge=50)] = 500
    send_timeout_seconds: Seconds = 120.0
    expiry_warning_days: Annotated[int, msgspec.Meta(ge=0, le=3650)] = 30


class ManagementTls(_Section, frozen=True, kw_only=True):
    """TLS of the management listener, 1.2 or newer. Files are PEM."""

    enabled: bool = False
    certificate_file: str = ""
    key_file: str = ""


class Management(_Section, frozen=True, kw_only=True):
    """What watches the gateway over HTTP: `/metrics`, `/livez`, `/readyz`; and the console."""

    enabled: bool = False
    listen: Required = "127.0.0.1"
    port: ListenPort = 9464
    tls: ManagementTls = ManagementTls()


class Console(_Section, frozen=True, kw_only=True):
    """The pages for people, on the management listener, behind a login.

    A login ends after `idle_minutes` without use, and after `session_hours` in any case.
    """

    enabled: bool = True
    idle_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 30
    session_hours: Annotated[int, msgspec.Meta(ge=1, le=168)] = 12


class Antivirus(_Section, frozen=True, kw_only=True):
    """clamd, which looks at every payload. `address`: a socket's path, or host:port; "": none."""

    address: str = ""
    timeout_seconds: Seconds = 60.0
    max_bytes: Count = 100_000_000


class Judges(_Section, frozen=True, kw_only=True):
    """The worker processes that judge. `processes` 0 means one per core.

    What a document may take grows with its size: a base, so much more per MB, and never more than
    the `large_` limits. A payload of at least `large_bytes` never runs beside another one.
    """

    processes: CoresOr = 0
    time_limit_seconds: Seconds = 60.0
    time_limit_seconds_per_mb: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 10.0
    boot_limit_seconds: Seconds = 120.0
    memory_limit_mb: Annotated[int, msgspec.Meta(ge=100)] = 1000
    memory_limit_mb_per_mb: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 50
    large_bytes: Count = 10_000_000
    large_time_limit_seconds: Seconds = 900.0
    large_memory_limit_mb: Annotated[int, msgspec.Meta(ge=100)] = 4000
    attempts: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3
    retry_seconds: Seconds = 5.0


class RabbitmqTls(_Section, frozen=True, kw_only=True):
    """TLS towards the broker. Files are PEM."""

    enabled: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    server_name: str = ""


class Rabbitmq(_Section, frozen=True, kw_only=True):
    """The broker. With an empty `host` publications go to files under the state directory.

    `requests_queue`: where a back office asks for lifecycle statuses; "" for nowhere.
    """

    host: str = ""
    port: Port = 5672
    virtual_host: Required = "/"
    username: Required = "guest"
    password_file: str = ""
    heartbeat_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 30
    window: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 200
    reconnect_min_seconds: Seconds = 1.0
    reconnect_max_seconds: Seconds = 60.0
    declare: bool = True
    requests_queue: str = ""
    tls: RabbitmqTls = RabbitmqTls()


class Outbox(_Section, frozen=True, kw_only=True):
    """How committed publications are sent. `inline_bytes`: larger bodies travel as claim check.

    After `breaker_failures` in a row a partner's side counts as away, and one message at a time is
    tried. A message that its destination refused `dead_after_refusals` times is dead; 0: never. An
    acknowledgement that has not left after `late_hours`, a status too, raises an alert.
    """

    batch: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 200
    poll_seconds: Seconds = 5.0
    retry_min_seconds: Seconds = 1.0
    retry_max_seconds: Seconds = 300.0
    breaker_failures: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    dead_after_refusals: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 50
    late_hours: Annotated[int, msgspec.Meta(ge=1, le=8760)] = 24
    inline_bytes: Annotated[int, msgspec.Meta(ge=1, le=128 * 1024 * 1024)] = 1_000_000


class Intake(_Section, frozen=True, kw_only=True):
    """How much is taken in at once. Below `min_free_mb` of disk new files are refused.

    A payload of the spool that no row of the journal names is removed after `orphan_hours`; 0:
    never.
    """

    max_in_flight: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 64
    min_free_mb: Annotated[int, msgspec.Meta(ge=0)] = 500
    provisional_seconds: Seconds = 900.0
    orphan_hours: Annotated[int, msgspec.Meta(ge=0, le=8760)] = 24


class Retention(_Section, frozen=True, kw_only=True):
    """How long `edi-gateway purge` leaves payloads alone, by class; nothing is purged by itself.

    `default`: the class of partners whose file names none. `keep` has no end. Documents and what
    proves them: ten years (art. L123-22 Code de commerce) from the end of a financial year, hence
    eleven; what the tax office may ask for: six years (art. L102 B LPF), hence seven.
    """

    default: RetentionClass = "commercial"
    commercial_days: Days = 4018
    tax_days: Days = 2557
    operational_days: Days = 400


class Log(_Section, frozen=True, kw_only=True):
    """What is logged: `debug`, `info`, `warning` or `error`. Always JSON, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Shutdown(_Section, frozen=True, kw_only=True):
    """How long SIGTERM lets running work finish."""

    drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 20.0


class Settings(_Section, frozen=True, kw_only=True):
    """The whole file."""

    paths: Paths = Paths()
    legal: LegalIdentity = LegalIdentity()
    sftp: Sftp = Sftp()
    http: Http = Http()
    as2: As2 = As2()
    management: Management = Management()
    console: Console = Console()
    antivirus: Antivirus = Antivirus()
    documents: DocumentLimits = DocumentLimits()
    containers: ContainerLimits = ContainerLimits()
    judges: Judges = Judges()
    rabbitmq: Rabbitmq = Rabbitmq()
    outbox: Outbox = Outbox()
    intake: Intake = Intake()
    retention: Retention = Retention()
    alerts: Alerts = Alerts()
    log: Log = Log()
    shutdown: Shutdown = Shutdown()
