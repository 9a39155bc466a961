"""Reads a folder of flow files or of partner files, and checks them file by file and together.

Every file is read however many faults its neighbours have; whatever could be read takes part in
the checks that follow, so that one run of `edi-gateway check` shows them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from gateway import resources
from gateway.config import as2_checks, channel_checks, consistency, partner_rules, portal_checks
from gateway.config.absolute import partner_with_absolute_paths
from gateway.config.credentials import password_hash_complaint, public_key_complaint
from gateway.config.strict import Checks, Complaint, FieldCheck, convert, read_toml
from gateway.errors import ConfigurationError, Fault, RulePackError
from gateway.model.as2 import As2Access, As2Receive
from gateway.model.flow import Chain, Flow, FlowFile, FlowMatch
from gateway.model.interchange import Syntax
from gateway.model.partner import HttpAccess, Partner, SftpAccess, SftpRemote, Statuses

T = TypeVar("T", Flow, FlowFile, Partner)


def fault_at(file: Path, key: str, complaint: Complaint) -> Fault:
    """The complaint, in its place."""
    return Fault(file=str(file), key=key, what=complaint.what, remedy=complaint.remedy)


def touched(faults: Iterable[Fault], key: str) -> bool:
    """Whether a fault already stands at this key, above it or below it."""

    def within(inner: str, outer: str) -> bool:
        return not outer or inner == outer or inner.startswith((f"{outer}.", f"{outer}["))

    return any(within(fault.key, key) or within(key, fault.key) for fault in faults)


class Folder(Generic[T]):
    """The files of one folder: what could be read, where it stands, what is wrong."""

    def __init__(self) -> None:
        self.by_name: dict[str, T] = {}
        self.files: dict[str, Path] = {}
        self.faults: list[Fault] = []
        self.notices: list[Fault] = []

    def touched(self, file: Path, key: str) -> bool:
        """Whether a fault of `file` already stands at, above or below `key`."""
        return touched((fault for fault in self.faults if fault.file == str(file)), key)


def _toml_files(folder: Path) -> list[Path]:
    """The files that count, in the order of their names. Raises OSError."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix == ".toml" and not path.name.startswith(".")
    )


def names_in(folder: Path) -> frozenset[str] | None:
    """Every name the files of a folder claim, whatever else may be wrong with them.

    None when the folder cannot be read: `read_folder` says so, and nobody who names something of
    it is at fault.
    """
    try:
        tables = [read_toml(file)[0] for file in _toml_files(folder)]
    except OSError:
        return None
    names = (table.get("name") for table in tables if table)
    return frozenset(name for name in names if isinstance(name, str))


def read_folder(folder: Path, struct: type[T], checks: Checks) -> Folder[T]:
    """Every `*.toml` of `folder` as a `struct`."""
    out: Folder[T] = Folder()
    try:
        files = _toml_files(folder)
    except OSError as error:
        complaint = Complaint(
            f"The folder cannot be read: {error.strerror}.",
            "Create it and let the gateway's user read it, or correct its path in [paths].",
        )
        out.faults.append(fault_at(folder, "", complaint))
        return out
    for file in files:
        table, faults = read_toml(file)
        out.faults.extend(faults)
        if table is None:
            continue
        value, faults = convert(table, struct, file=file, checks=checks)
        out.faults.extend(faults)
        if value is None:
            continue
        if value.name in out.files:
            complaint = Complaint(
                f'The name "{value.name}" is already taken by {out.files[value.name]}.',
                "Give each its own name, or remove one of the two files.",
            )
            out.faults.append(fault_at(file, "name", complaint))
            continue
        out.by_name[value.name], out.files[value.name] = value, file
        if value.name != file.stem:
            complaint = Complaint(
                f'The name "{value.name}" differs from the file\'s.',
                f"The name counts; rename the file to {value.name}.toml if it confuses.",
            )
            out.notices.append(fault_at(file, "name", complaint))
    return out


def read_flows(folder: Path, checks: Checks) -> Folder[Flow]:
    """Every flow file, with the Schematron beside it."""
    files = read_folder(folder, FlowFile, checks)
    beside = partner_rules.PartnerRuleFiles(folder)
    out: Folder[Flow] = Folder()
    out.files = files.files
    for name, flow in files.by_name.items():
        out.by_name[name] = beside.added_to(flow, out.files[name])
    out.faults = [*files.faults, *beside.faults]
    out.notices = [*files.notices, *beside.strays()]
    return out


def read_partners(folder: Path, *, flows: frozenset[str] | None) -> Folder[Partner]:
    """Every partner file. `flows`: the names there are; None: not looked at."""
    out = read_folder(folder, Partner, partner_checks(flows=flows))
    for name, partner in out.by_name.items():
        out.by_name[name] = partner_with_absolute_paths(partner, out.files[name].parent)
    return out


def flow_checks(names: consistency.Catalogued, *, partners: frozenset[str] | None) -> Checks:
    """Field checks of a flow file. `partners`: the names there are; None: not looked at."""
    checks: dict[tuple[type, str], FieldCheck] = {
        (FlowFile, "name"): consistency.flow_name_complaint,
        (FlowFile, "mapping"): consistency.known("mapping", names.mappings, "mappings/"),
        (FlowFile, "acknowledgements"): consistency.acknowledgement_complaint,
        (FlowMatch, "interface_codes"): consistency.interface_code_complaint,
        (FlowMatch, "profiles"): consistency.profile_complaint,
        (Chain, "profiles"): consistency.profile_complaint,
        (Chain, "schema"): consistency.known("schema", names.schemas, "schemas/catalogue.toml"),
        (Chain, "rules"): partner_rules.rules_complaint(names.packs),
    }
    if partners is not None:
        known_partner = consistency.known("partner", partners, "the partners folder")
        checks[FlowMatch, "partners"] = known_partner
    return checks


def partner_checks(*, flows: frozenset[str] | None) -> Checks:
    """Field checks of a partner file. `flows`: the names there are; None: not looked at."""
    checks: dict[tuple[type, str], FieldCheck] = {
        (Partner, "name"): consistency.name_complaint,
        (SftpAccess, "username"): consistency.username_complaint,
        (SftpAccess, "authorized_keys"): public_key_complaint,
        (SftpAccess, "password_hash"): password_hash_complaint,
        (As2Access, "id"): as2_checks.as2_name_complaint,
        (As2Access, "our_id"): as2_checks.own_name_complaint,
        (As2Access, "certificates"): as2_checks.file_name_complaint,
        (As2Access, "url"): as2_checks.url_complaint,
        (As2Receive, "mdn_urls"): as2_checks.mdn_url_complaint,
        (Statuses, "parties"): channel_checks.party_complaint,
        (HttpAccess, "token_sha256"): channel_checks.token_complaint,
        (SftpRemote, "host_key"): channel_checks.host_key_complaint,
        (SftpRemote, "fetch_from"): channel_checks.remote_path_complaint,
        (SftpRemote, "move_to"): channel_checks.remote_path_complaint,
        (SftpRemote, "push_to"): channel_checks.remote_path_complaint,
        (SftpRemote, "marker_suffix"): channel_checks.suffix_complaint,
    }
    if flows is not None:
        checks[Partner, "flows"] = consistency.known("flow", flows, "the flows folder")
    return checks


def flow_faults(flows: Folder[Flow], names: consistency.Catalogued) -> Iterator[Fault]:
    """Chains and matches that make no sense together."""
    for name, flow in flows.by_name.items():
        file = flows.files[name]
        if flows.touched(file, "chain") or flows.touched(file, "match"):
            continue  # a default stands where the fault is: what it leads to would mislead
        for key, complaint in consistency.flow_complaints(flow, names):
            yield fault_at(file, key, complaint)


def partner_faults(partners: Folder[Partner], flows: dict[str, Flow]) -> Iterator[Fault]:
    """Partners that cannot work, SFTP usernames that are used twice, a second portal."""
    for name, key, complaint in portal_checks.portal_complaints(partners.by_name):
        if not partners.touched(partners.files[name], key):
            yield fault_at(partners.files[name], key, complaint)
    usernames: dict[str, str] = {}
    for name, partner in partners.by_name.items():
        file = partners.files[name]
        for key, complaint in consistency.partner_complaints(partner, flows):
            unread = key == "flows" and partners.touched(file, "portal")  # it may need none
            if not unread and not partners.touched(file, key):
                yield fault_at(file, key, complaint)
        if partner.sftp is None:
            continue
        username = partner.sftp.username or name
        other = usernames.setdefault(username, name)
        if other != name:
            complaint = Complaint(
                f'The SFTP username "{username}" already belongs to partner "{other}" '
                f"({partners.files[other]}).",
                "Give one of the two another sftp.username.",
            )
            yield fault_at(file, "sftp.username", complaint)


def overlap_faults(partners: Folder[Partner], flows: Folder[Flow]) -> Iterator[Fault]:
    """Exactly one flow must match; two that could are found before the document comes."""
    from gateway.core.routing import overlaps  # late: settings alone need no XML library

    sound = {
        name: flow
        for name, flow in flows.by_name.items()
        if not flows.touched(flows.files[name], "match")
    }
    for name, partner in partners.by_name.items():
        for one, other, example in consistency.overlaps_of(partner, sound, overlaps):
            complaint = Complaint(
                f'The flows "{one}" ({flows.files[one]}) and "{other}" ({flows.files[other]}) '
                f'could both match the same document of partner "{name}": {example}.',
                f'Remove "{one}" or "{other}" from flows here, or narrow [match] of one of them.',
            )
            yield fault_at(partners.files[name], "flows", complaint)


def catalogued(rule_packs: Path | None = None) -> consistency.Catalogued:
    """What flows may name: the schemas and rule packs of the catalogue, the mappings on board.

    `rule_packs`: the folder of imported packs (None: the default one).

    Raises `ConfigurationError` when the catalogue cannot be read.
    """
    from gateway.core.facts import ROOTS
    from gateway.core.schematron.catalogue import Catalogue

    try:
        catalogue = Catalogue.load(rule_packs)
    except RulePackError as error:
        raise ConfigurationError(error.what, remedy=error.remedy) from error
    roots = {name: catalogue.schema(name).roots for name in catalogue.schema_names()}
    syntaxes = {name: catalogue.pack(name).judges for name in catalogue.names()}
    return consistency.Catalogued(
        schemas={
            name: ROOTS[root][0]
            for name, declared in roots.items()
            for root in declared
            if root in ROOTS
        },
        packs={name: Syntax(judges) for name, judges in syntaxes.items() if judges in set(Syntax)},
        mappings=frozenset(file.stem for file in resources.data_folder("mappings").glob("*.toml")),
    )
