"""[portal] of a partner file: which partner is the public portal, and what takes messages there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import config
from gateway.errors import ConfigurationError, Fault
from gateway.model.partner import Portal

FOLDER = '[folder]\ninbox = "{0}/in"\nout = "{0}/out"\n'


def read(folder: Path, **files: str) -> config.Configuration:
    """The configuration with these partner files."""
    (folder / "partners").mkdir()
    for name in ("in", "out"):
        (folder / name).mkdir()
    (folder / "gateway.toml").write_text("")
    for name, text in files.items():
        file = folder / "partners" / f"{name}.toml"
        file.write_text(f'name = "{name}"\n{text.format(folder)}')
    return config.load(folder / "gateway.toml")


def faults(folder: Path, **files: str) -> list[Fault]:
    """What is wrong with them."""
    with pytest.raises(ConfigurationError) as caught:
        read(folder, **files)
    return list(caught.value.faults)


def test_a_portal_may_be_one_that_only_listens(tmp_path: Path) -> None:
    """It needs no flow; each channel it names takes something there."""
    found = read(tmp_path, ppf='[portal]\nchannels = ["folder"]\n' + FOLDER)
    assert found.partners["ppf"].portal == Portal(channels=("folder",))


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        ("channels = []", "portal.channels", "Name one"),
        ('channels = ["amqp"]', "portal.channels[0]", "sftp_remote"),
        ('channels = ["sftp_remote"]', "portal.channels[0]", "Add [sftp_remote]"),
        ('channels = ["folder", "folder"]', "portal.channels[1]", "once"),
        ("", "portal.channels", ""),
    ],
)
def test_what_would_send_nothing_is_refused(
    tmp_path: Path, text: str, key: str, remedy: str
) -> None:
    """No channel, one there is not, one twice."""
    (fault,) = faults(tmp_path, ppf=f"[portal]\n{text}\n{FOLDER}")
    assert fault.key == key
    assert remedy in fault.remedy


def test_a_channel_that_takes_nothing_is_refused(tmp_path: Path) -> None:
    """A folder without an out would count as delivered, and nobody would have anything."""
    text = '[portal]\nchannels = ["folder"]\n[folder]\ninbox = "{0}/in"\n'
    (fault,) = faults(tmp_path, ppf=text)
    assert fault.key == "portal.channels[0]"
    assert "folder.out" in fault.what


def test_there_is_one_portal(tmp_path: Path) -> None:
    """A second is named with the first; one that is switched off does not count."""
    portal = '[portal]\nchannels = ["folder"]\n' + FOLDER
    other = portal.replace("{0}/in", "{0}/out").replace('out = "{0}/out"', 'out = "{0}/in"')
    (fault,) = faults(tmp_path, ppf=portal, old=other)
    assert (Path(fault.file).name, fault.key) == ("ppf.toml", "portal")
    assert '"old"' in fault.what
    (tmp_path / "second").mkdir()
    off = "enabled = false\n" + other
    found = read(tmp_path / "second", ppf=portal, old=off)
    assert set(found.partners) == {"ppf", "old"}
