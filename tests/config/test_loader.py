"""Loading a whole configuration: what is refused, that no fault is forgotten, what it gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from gateway import config
from gateway.config.settings import Settings
from gateway.errors import ConfigurationError, Fault

HASH = "$2b$12$" + "a" * 53
KEY = (
    ed25519.Ed25519PrivateKey.generate()
    .public_key()
    .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    .decode()
)

PARTNER = f"""
name = "acme"
flows = ["ctc-fr-invoice"]
[sftp]
authorized_keys = ["{KEY}"]
"""

FLOW = """
name = "plain"
[match]
syntaxes = ["ubl"]
[[chain]]
syntax = "ubl"
schema = "ubl-2.1"
rules = ["en16931-ubl"]
"""


class Folder:
    """A configuration in a temporary folder: settings, partners/, flows/."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "gateway.toml"
        (root / "partners").mkdir()
        self.settings("")

    def settings(self, text: str) -> None:
        """Write gateway.toml."""
        self.file.write_text(text)

    def partner(self, text: str = PARTNER, file: str = "acme") -> Path:
        """Write a partner file."""
        path = self.root / "partners" / f"{file}.toml"
        path.write_text(text)
        return path

    def flow(self, text: str = FLOW, file: str = "plain") -> Path:
        """Write a flow file into a folder of its own, and make the settings name it."""
        path = self.root / "flows" / f"{file}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        self.settings('[paths]\nflows = "flows"\n')
        return path

    def faults(self) -> tuple[Fault, ...]:
        """What is wrong, as `load` says it."""
        with pytest.raises(ConfigurationError) as caught:
            config.load(self.file)
        assert caught.value.faults
        for fault in caught.value.faults:
            assert fault.what in str(caught.value)
            assert fault.remedy in str(caught.value)
        return caught.value.faults

    def fault(self) -> Fault:
        """The only thing that is wrong."""
        faults = self.faults()
        assert len(faults) == 1, [str(fault) for fault in faults]
        return faults[0]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


BUILT_IN = {"b2g-invoice", "ctc-fr-invoice", "en16931-invoice", "invoice-status"}


def test_the_built_in_configuration_loads() -> None:
    """With no file at all there are the default settings, our flows, and no enabled partner."""
    configuration = config.load()
    assert set(configuration.flows) == BUILT_IN
    assert not any(partner.enabled for partner in configuration.partners.values())
    assert configuration.settings.sftp == Settings().sftp
    assert configuration.notices == ()


def test_an_empty_file_is_all_defaults(folder: Folder) -> None:
    """Every setting may be left out."""
    configuration = config.load(folder.file)
    assert configuration.settings.rabbitmq == Settings().rabbitmq
    assert configuration.file == folder.file


def test_relative_paths_count_from_the_settings_file(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from the working directory; absolute ones stay, and `settings` agrees."""
    monkeypatch.chdir("/")
    (folder.root / "packs").mkdir()
    folder.settings('[paths]\nstate = "var/state"\nrule_packs = "packs"\n')
    configuration = config.load(folder.file)
    assert configuration.state == folder.root / "var" / "state"
    assert configuration.rule_packs == folder.root / "packs"
    assert configuration.partners_folder == folder.root / "partners"
    assert configuration.flows_folder.is_absolute()
    assert configuration.settings.paths.state == str(configuration.state)


def test_partners_and_flows_are_by_name(folder: Folder) -> None:
    """What the files say arrives typed; files that are no .toml are passed over."""
    folder.partner()
    folder.flow()
    folder.partner(PARTNER.replace("ctc-fr-invoice", "plain"))
    (folder.root / "partners" / "acme.toml~").write_text("rubbish")
    (folder.root / "partners" / ".#acme.toml").write_text("rubbish")
    configuration = config.load(folder.file)
    assert configuration.partners["acme"].flows == ("plain",)
    assert configuration.flows["plain"].chain[0].rules == ("en16931-ubl",)


def test_every_fault_of_every_file_is_in_one_error(folder: Folder) -> None:
    """Settings, flows and partners are all read to the end, whatever the others hold."""
    flow = folder.flow(FLOW.replace("ubl-2.1", "ubl-2.2").replace("en16931-ubl", "en16931"))
    broken = folder.flow("name = ", "broken")
    acme = folder.partner(PARTNER.replace(KEY, "no key") + 'password_hash = "open sesame"')
    folder.settings('[paths]\nflows = "flows"\n[sftp]\nprot = 1\nlisten = "here"\n[sfpt]\n')
    faults = folder.faults()
    assert {(fault.file, fault.key) for fault in faults} == {
        (str(folder.file), "sftp.prot"),
        (str(folder.file), "sftp.listen"),
        (str(folder.file), "sfpt"),
        (str(flow), "chain[0].schema"),
        (str(flow), "chain[0].rules[0]"),
        (str(broken), ""),
        (str(acme), "flows[0]"),
        (str(acme), "sftp.authorized_keys[0]"),
        (str(acme), "sftp.password_hash"),
    }
    assert "open sesame" not in "".join(map(str, faults))


def test_a_settings_file_that_is_not_there(tmp_path: Path) -> None:
    """One fault that names it, not a string of consequences."""
    with pytest.raises(ConfigurationError) as caught:
        config.load(tmp_path / "none.toml")
    (fault,) = caught.value.faults
    assert fault.file == str(tmp_path / "none.toml")


def test_folders_that_are_not_there(folder: Folder) -> None:
    """A flows or partners folder that is missing is a fault each."""
    folder.settings('[paths]\nflows = "f"\npartners = "p"\n')
    assert {fault.file for fault in folder.faults()} == {
        str(folder.root / "f"),
        str(folder.root / "p"),
    }


def test_a_partner_is_not_blamed_for_a_flows_folder_that_is_not_there(folder: Folder) -> None:
    """One fault for one mistake: that the flows it names cannot be found follows from it."""
    folder.partner()
    folder.settings('[paths]\nflows = "f"\n')
    assert {fault.file for fault in folder.faults()} == {str(folder.root / "f")}


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ('[log]\nlevel = "loud"', "log.level"),
        ("[sftp]\nport = 70000", "sftp.port"),
        ("[documents]\nmax_depth = 0", "documents.max_depth"),
        ("[judges]\ntime_limit_seconds = 0", "judges.time_limit_seconds"),
        ("[rabbitmq]\nreconnect_min_seconds = 90", "rabbitmq.reconnect_max_seconds"),
        ("[outbox]\nretry_max_seconds = 0.5", "outbox.retry_max_seconds"),
        ('[rabbitmq]\nhost = "h"\nusername = "u"', "rabbitmq.password_file"),
        ('[rabbitmq]\npassword_file = "none"', "rabbitmq.password_file"),
        ('[rabbitmq]\nrequests_queue = "q"', "rabbitmq.requests_queue"),
        ('[rabbitmq]\nhost = "h"\nrequests_queue = "a b"', "rabbitmq.requests_queue"),
        (
            '[rabbitmq]\nhost = "h"\nrequests_queue = "edi.acknowledgements"',
            "rabbitmq.requests_queue",
        ),
        ('[rabbitmq.tls]\nca_file = "none"', "rabbitmq.tls.ca_file"),
        ('[rabbitmq.tls]\nca_file = "gateway.toml"', "rabbitmq.tls.ca_file"),
        ('[rabbitmq.tls]\nkey_file = "gateway.toml"', "rabbitmq.tls.certificate_file"),
        ('[paths]\nstate = ""', "paths.state"),
        ("sftp = 5", "sftp"),
    ],
)
def test_settings_that_are_refused(folder: Folder, settings: str, key: str) -> None:
    """Out of bounds, contradicting each other, or naming files that are not what they should."""
    folder.settings(settings)
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(folder.file), key)


def test_the_broker_password_comes_from_its_file(folder: Folder) -> None:
    """Without the line end, never shown by repr; open to all users it is a notice."""
    secret = folder.root / "secret"
    secret.write_text("pass word\r\n")
    secret.chmod(0o600)
    folder.settings('[rabbitmq]\nhost = "h"\nusername = "u"\npassword_file = "secret"\n')
    configuration = config.load(folder.file)
    assert configuration.rabbitmq_password == "pass word"
    assert "pass word" not in repr(configuration)
    assert configuration.notices == ()
    assert configuration.settings.rabbitmq.password_file == str(secret)
    secret.chmod(0o644)
    (notice,) = config.load(folder.file).notices
    assert notice.key == "rabbitmq.password_file"
    secret.write_text("\n")
    assert folder.fault().key == "rabbitmq.password_file"


def test_certificates_are_loaded_to_see_whether_they_can_be(folder: Folder) -> None:
    """A CA, and a certificate with its own key, pass; with another's key they do not."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder.root / "ca.pem"))
    for name in ("one", "two"):
        issued = authority.issue_cert("client.example")
        issued.cert_chain_pems[0].write_to_path(str(folder.root / f"{name}.pem"))
        issued.private_key_pem.write_to_path(str(folder.root / f"{name}.key"))
    tls = '[rabbitmq.tls]\nca_file = "ca.pem"\ncertificate_file = "one.pem"\nkey_file = "{}.key"\n'
    folder.settings(tls.format("one"))
    loaded = config.load(folder.file).settings.rabbitmq.tls
    assert loaded.ca_file == str(folder.root / "ca.pem")
    folder.settings(tls.format("two"))
    assert folder.fault().key == "rabbitmq.tls.certificate_file"


# ── partners ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda text: text.replace('"acme"', '"Acme"'), "name"),
        (lambda text: text.replace('"acme"', '"../acme"'), "name"),
        (lambda text: text.replace('name = "acme"', ""), "name"),
        (lambda text: text.replace("ctc-fr-invoice", "ctc-fr"), "flows[0]"),
        (lambda text: text.replace('["ctc-fr-invoice"]', "[]"), "flows"),
        (lambda text: text.replace('["ctc', '["ctc-fr-invoice", "ctc'), "flows[1]"),
        (lambda text: text.replace(KEY, "ssh-ed25519 AAAA"), "sftp.authorized_keys[0]"),
        (lambda text: text.replace(f'"{KEY}"', ""), "sftp"),
        (lambda text: text + 'password_hash = "clear"', "sftp.password_hash"),
        (lambda text: text + 'password = "clear"', "sftp.password"),
        (lambda text: text + 'username = "a/b"', "sftp.username"),
        (lambda text: text + "max_sessions = 0", "sftp.max_sessions"),
        (lambda text: 'language = "de"' + text, "language"),
        (lambda text: 'enabled = "yes"' + text, "enabled"),
    ],
)
def test_partners_that_are_refused(folder: Folder, change: Callable[[str], str], key: str) -> None:
    """One fault each, at its key, without secrets."""
    file = folder.partner(change(PARTNER))
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(file), key)
    assert "clear" not in fault.what.replace("clear password", "")


def test_a_disabled_partner_need_not_be_complete(folder: Folder) -> None:
    """A file being prepared does not keep the gateway from starting."""
    folder.partner('name = "acme"\nenabled = false\n[sftp]\n')
    assert not config.load(folder.file).partners["acme"].enabled


def test_two_partners_of_one_name(folder: Folder) -> None:
    """The second file is the fault, and names the first."""
    first = folder.partner(PARTNER, "a")
    second = folder.partner(PARTNER, "b")
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(second), "name")
    assert str(first) in fault.what


def test_two_partners_with_one_username(folder: Folder) -> None:
    """Also when one has it by default, from its name."""
    first = folder.partner()
    second = folder.partner(PARTNER.replace('"acme"', '"other"') + 'username = "acme"', "other")
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(second), "sftp.username")
    assert str(first) in fault.what


def test_a_name_that_differs_from_the_files_is_said(folder: Folder) -> None:
    """It is allowed: a notice, not a fault."""
    file = folder.partner(PARTNER, "elsewhere")
    configuration = config.load(folder.file)
    assert [(notice.file, notice.key) for notice in configuration.notices] == [(str(file), "name")]


def test_partners_alone_can_be_loaded(folder: Folder) -> None:
    """`load_partners` does not ask whether the flows exist, but all else."""
    folder.partner(PARTNER.replace("ctc-fr-invoice", "somewhere-else"))
    assert set(config.load_partners(folder.root / "partners")) == {"acme"}
    folder.partner(PARTNER.replace(f'"{KEY}"', ""))
    with pytest.raises(ConfigurationError):
        config.load_partners(folder.root / "partners")


# ── flows ──────────────────────────────────────────────────────────────────────────────────

TWO_CHAINS = FLOW.replace('syntaxes = ["ubl"]', 'profiles = ["p1", "p2*"]\nsyntaxes = ["ubl"]')
CHAIN = '[[chain]]\nsyntax = "ubl"\nschema = "ubl-2.1"\nrules = ["en16931-ubl"]\n'


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda text: text.replace('"plain"', '"none"'), "name"),
        (lambda text: text.replace('"plain"', '"a.b"'), "name"),
        (lambda text: text.split("[[chain]]")[0], "chain"),
        (lambda text: "chain = []\n" + text.split("[[chain]]")[0], "chain"),
        (lambda text: text.replace("[[chain]]", "[chain]"), "chain"),
        (lambda text: text.replace('["en16931-ubl"]', '["en16931-ubl", "x"]'), "chain[0].rules[1]"),
        (lambda text: text.replace('["en16931-ubl"]', '["en16931-cii"]'), "chain[0].rules[0]"),
        (lambda text: text.replace('"ubl-2.1"', '"cii-d22b"'), "chain[0].schema"),
        (lambda text: text.replace('["en', '["en16931-ubl", "en'), "chain[0].rules"),
        (lambda text: text + CHAIN, "chain[1]"),
        (lambda text: text + CHAIN + 'profiles = ["p"]', "chain[1]"),
        (lambda text: text.replace('syntaxes = ["ubl"]', ""), "match.syntaxes"),
        (lambda text: text.replace('["ubl"]', '["edifact"]'), "match.syntaxes[0]"),
        (lambda text: text + 'profiles = ["p"]', "match.profiles"),
        (lambda text: text.replace("[match]", '[match]\nprofiles = ["a*b"]'), "match.profiles[0]"),
        (lambda text: text.replace("[match]", '[match]\nprofiles = [" a"]'), "match.profiles[0]"),
        (
            lambda text: (
                text.replace("[match]", '[match]\nprofiles = ["p", "q"]') + 'profiles = ["p"]'
            ),
            "match.profiles[1]",
        ),
        (
            lambda text: text.replace("[match]", '[match]\ninterface_codes = ["FSO"]'),
            "match.interface_codes[0]",
        ),
        (
            lambda text: text.replace("[match]", '[match]\npartners = ["nobody"]'),
            "match.partners[0]",
        ),
        (lambda text: 'mapping = "peppol"' + text, "mapping"),
        (lambda text: 'acknowledgements = ["cdar"]' + text, "acknowledgements[0]"),
    ],
)
def test_flows_that_are_refused(folder: Folder, change: Callable[[str], str], key: str) -> None:
    """One fault each, at its key: unknown names, unreachable chains, documents without a chain."""
    file = folder.flow(change(FLOW))
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(file), key)


def test_chains_are_told_apart_by_their_profiles(folder: Folder) -> None:
    """The special one first, the general one last: no fault."""
    special = CHAIN + 'profiles = ["p1", "p2#x*"]\n'
    folder.flow(FLOW.replace(CHAIN, special + CHAIN))
    assert len(config.load(folder.file).flows["plain"].chain) == 2


def test_a_flow_for_other_partners_is_no_use(folder: Folder) -> None:
    """A partner that lists a flow which is only for others is told so."""
    folder.flow(FLOW.replace("[match]", '[match]\npartners = ["other"]'))
    folder.partner('name = "other"\nenabled = false\n', "other")
    acme = folder.partner(PARTNER.replace("ctc-fr-invoice", "plain"))
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(acme), "flows[0]")


def test_two_flows_that_could_match_one_document(folder: Folder) -> None:
    """The fault names both files, the partner, an example of the document, and the way out."""
    acme = folder.partner(PARTNER.replace('["ctc', '["en16931-invoice", "ctc'))
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(acme), "flows")
    for word in ("ctc-fr-invoice.toml", "en16931-invoice.toml", '"acme"', "UBL",
                 "urn:cen.eu:en16931:2017"):  # fmt: skip
        assert word in fault.what
    assert "narrow [match]" in fault.remedy


def test_overlap_is_decided_per_partner(folder: Folder) -> None:
    """Flows that would overlap are in order as long as no partner lists both."""
    folder.partner()
    folder.partner(
        PARTNER.replace('"acme"', '"other"').replace("ctc-fr-invoice", "en16931-invoice"), "other"
    )
    assert set(config.load(folder.file).partners) == {"acme", "other"}


def test_a_fault_in_a_match_does_not_feign_an_overlap(folder: Folder) -> None:
    """The mistyped criterion is reported; that without it everything matches is not."""
    folder.flow(FLOW)
    file = folder.flow(
        FLOW.replace('"plain"', '"odd"').replace('["ubl"]', '["ubl"]\nprofiles = [5]'), "odd"
    )
    folder.partner(PARTNER.replace('["ctc-fr-invoice"]', '["plain", "odd"]'))
    fault = folder.fault()
    assert (fault.file, fault.key) == (str(file), "match.profiles[0]")


def test_flows_alone_can_be_loaded(folder: Folder) -> None:
    """`load_flows` looks at no partner; without a folder it takes the built-in flows."""
    file = folder.flow(FLOW.replace("[match]", '[match]\npartners = ["anybody"]'))
    assert set(config.load_flows(file.parent)) == {"plain"}
    assert set(config.load_flows()) == BUILT_IN
    file.write_text("name = 5")
    with pytest.raises(ConfigurationError):
        config.load_flows(file.parent)


def test_a_file_that_cannot_be_read(folder: Folder) -> None:
    """It is a fault, not a partner the less."""
    (folder.root / "partners" / "acme.toml").mkdir()
    assert "cannot be read" in folder.fault().what
