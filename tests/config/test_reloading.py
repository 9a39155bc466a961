"""What a gateway that runs takes over from changed files: what, what later, and what not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import resources
from gateway.config.loader import Configuration
from gateway.config.reloading import LIVE, reread
from gateway.errors import ConfigurationError
from tests.config.as2_folder import PARTNER, SETTINGS, As2Folder
from tests.config.certificates import certificate, pem


@pytest.fixture
def folder(tmp_path: Path) -> As2Folder:
    return As2Folder(tmp_path)


@pytest.fixture
def running(folder: As2Folder) -> Configuration:
    """What the gateway began with, on a state directory that the command line named."""
    return dataclasses.replace(folder.load(), state=folder.root / "elsewhere")


def test_the_same_files_change_nothing(running: Configuration) -> None:
    """And the configuration is as it was."""
    done = reread(running)
    assert (done.changes, done.later, done.notices) == ((), (), ())
    assert done.configuration == running


def test_partners_are_told_by_name_and_key(folder: As2Folder, running: Configuration) -> None:
    """Added, removed and changed; of a secret only that it changed."""
    folder.partner(
        'name = "acme"\nenabled = false\nflows = ["ctc-fr-invoice"]\n'
        f'[http]\ntoken_sha256 = ["{"ab" * 32}"]\n'
    )
    folder.partner('name = "new"\nenabled = false\n', "new")
    done = reread(running)
    assert done.changes[:2] == (
        "partner acme: changed enabled, as2, http",
        "partner new: added, disabled",
    )
    assert "abab" not in str(done.changes)
    assert done.changes[2].startswith("certificate of acme: removed acme.pem (CN=acme, serial ")
    (folder.root / "partners" / "new.toml").unlink()
    assert reread(done.configuration).changes == ("partner new: removed",)


def test_another_certificate_under_the_same_name_is_a_change(
    folder: As2Folder, running: Configuration
) -> None:
    """Content counts; and so it does for our own."""
    folder.put("acme.pem", pem(certificate("acme", days=(-1, 400))))
    folder.identity("ours.pem", certificate("ours", days=(-1, 400)))
    done = reread(running)
    assert [line.split(" (")[0] for line in done.changes] == [
        "certificate of ours: added ours.pem",
        "certificate of acme: added acme.pem",
        "certificate of ours: removed ours.pem",
        "certificate of acme: removed acme.pem",
    ]
    assert done.configuration.identities != running.identities


def test_what_waits_for_the_next_start(folder: As2Folder, running: Configuration) -> None:
    """Settings by key, but for those that can change while it runs. They stay as they are."""
    folder.identity("next.pem", certificate("ours", days=(-1, 400)))
    settings = SETTINGS.replace('["ours.pem"]', '["ours.pem", "next.pem"]')
    settings = settings.replace("[as2]\n", '[as2]\nmdn_url = "http://x/"\n')
    folder.settings(
        settings + '[log]\nlevel = "error"\n[retention]\ntax_days = 3000\n'
        "[shutdown]\ndrain_seconds = 5\n[intake]\nmin_free_mb = 7\n"
    )
    done = reread(running)
    assert done.later == ("as2.mdn_url", "intake.min_free_mb")
    assert [line for line in done.changes if line.startswith("setting")] == [
        "setting as2.identities: changed",
        "setting retention.tax_days: changed",
        "setting log.level: changed",
        "setting shutdown.drain_seconds: changed",
    ]
    assert done.configuration.settings.intake == running.settings.intake
    assert done.configuration.settings.log.level == "error"
    assert done.configuration.settings.as2.mdn_url == ""
    assert len(done.configuration.identities) == 2


def own_flows(folder: As2Folder) -> Path:
    """The flows of the installation, in a folder of this configuration's own."""
    flows = folder.root / "flows"
    flows.mkdir()
    for file in resources.data_folder("flows").glob("*.toml"):
        (flows / file.name).write_bytes(file.read_bytes())
    file = folder.file
    file.write_text(file.read_text().replace("[paths]\n", '[paths]\nflows = "flows"\n'))
    return flows


def test_flows_and_the_files_of_rules_are_taken_over(folder: As2Folder) -> None:
    """A flow is told by name and key; other rules show in what stands for their files."""
    flows = own_flows(folder)
    running = folder.load()
    before = reread(running)
    assert (before.changes, before.later) == ((), ())
    flow = flows / "en16931-invoice.toml"
    flow.write_text(flow.read_text().replace("description = ", "description = 'x'\n# ", 1))
    (flows / "b2g-invoice.toml").unlink()
    done = reread(running)
    assert done.changes == (
        "flow b2g-invoice: removed",
        "flow en16931-invoice: changed description",
    )
    assert "b2g-invoice" not in done.configuration.flows
    assert done.rules != before.rules
    assert reread(done.configuration).rules == done.rules
    (flows / "acme.sch").write_text("<schema/>")
    assert reread(done.configuration).rules != done.rules


def test_a_setting_is_live_only_where_it_is_one(running: Configuration) -> None:
    """Each key of LIVE is a setting, so none is promised that does not exist."""
    for section, keys in LIVE.items():
        assert set(keys) <= set(getattr(running.settings, section).__struct_fields__)


def broken_partner(folder: As2Folder) -> None:
    """One fault of its own."""
    folder.partner(PARTNER.replace("acme.pem", "nowhere.pem"))


def broken_settings(folder: As2Folder) -> None:
    """A key that nobody knows."""
    folder.settings(SETTINGS + "[log]\ncolour = 1\n")


def needs_a_waiting_setting(folder: As2Folder) -> None:
    """Sound together, but the URL for receipts counts only from the next start."""
    folder.settings(SETTINGS.replace("[as2]\n", '[as2]\nmdn_url = "http://x/as2"\n'))
    folder.partner(PARTNER + '[as2.send]\nmdn = "async"\n')


def needs_a_waiting_flow(folder: As2Folder) -> None:
    """A flow in a folder that counts only from the next start."""
    flows = own_flows(folder)
    text = (flows / "ctc-fr-invoice.toml").read_text()
    (flows / "late.toml").write_text(text.replace('name = "ctc-fr-invoice"', 'name = "late"'))
    folder.partner(PARTNER.replace('"ctc-fr-invoice"', '"late"'))


@pytest.mark.parametrize(
    ("change", "key", "word"),
    [
        (broken_partner, "as2.certificates[0]", "cannot be used"),
        (broken_settings, "log.colour", "cannot be used"),
        (needs_a_waiting_setting, "as2.mdn_url", "restart"),
        (needs_a_waiting_flow, "flows[0]", "restart"),
    ],
)
def test_what_is_not_sound_is_refused_whole(
    folder: As2Folder,
    running: Configuration,
    change: Callable[[As2Folder], None],
    key: str,
    word: str,
) -> None:
    """With its fault; also what is sound only beside settings that are not in force."""
    change(folder)
    folder.partner('name = "new"\nenabled = false\n', "new")
    with pytest.raises(ConfigurationError, match=word) as caught:
        reread(running)
    assert "nothing changed" in caught.value.what
    assert [fault.key for fault in caught.value.faults] == [key]


def test_only_new_notices_are_told(folder: As2Folder, running: Configuration) -> None:
    """What was remarked at the start is not repeated."""
    folder.put("acme.pem", pem(certificate("acme", days=(-1, 3))))
    first = reread(running)
    assert [notice.key for notice in first.notices] == ["as2.certificates[0]"]
    assert reread(first.configuration).notices == ()
