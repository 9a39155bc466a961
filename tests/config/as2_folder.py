"""A configuration in a folder, with AS2 on our side and one partner that is sound."""

from __future__ import annotations

from pathlib import Path

from gateway import config
from gateway.config.loader import Configuration, Reading
from gateway.errors import Fault
from tests.config.certificates import certificate, key_pem, pem

SETTINGS = """\
[http]
enabled = true
port = 0

[sftp]
port = 0

[as2]
id = "GATEWAY"
identities = ["ours.pem"]
"""

PARTNER = """\
name = "acme"
flows = ["ctc-fr-invoice"]

[as2]
id = "ACME"
certificates = ["acme.pem"]
url = "https://as2.acme.example/as2"
"""


class As2Folder:
    """Settings, partners and certificates in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "gateway.toml"
        self.certificates = root / "certificates"
        self.acme = root / "partners" / "acme.toml"
        for folder in ("partners", "certificates", "state"):
            (root / folder).mkdir()
        self.settings()
        self.partner()
        self.identity("ours.pem", certificate("ours"))
        self.put("acme.pem", pem(certificate("acme")))

    def settings(self, text: str = SETTINGS) -> None:
        """Write gateway.toml."""
        self.file.write_text(f'[paths]\nstate = "state"\n\n{text}')

    def partner(self, text: str = PARTNER, name: str = "acme") -> Path:
        """Write a partner file."""
        path = self.root / "partners" / f"{name}.toml"
        path.write_text(text)
        return path

    def put(self, name: str, data: bytes) -> Path:
        """A file in the folder of certificates, open to nobody else."""
        path = self.certificates / name
        path.write_bytes(data)
        path.chmod(0o600)
        return path

    def identity(self, name: str, *certificates: object, key: str = "ours") -> Path:
        """A certificate of ours with its key."""
        return self.put(name, key_pem(key) + pem(*certificates))  # type: ignore[arg-type]

    def reading(self) -> Reading:
        """What is read, faults and all."""
        return config.read(self.file)

    def load(self) -> Configuration:
        """What a daemon gets."""
        return config.load(self.file)

    def fault(self) -> Fault:
        """The only thing that is wrong."""
        faults = self.reading().faults
        assert len(faults) == 1, [str(fault) for fault in faults]
        assert faults[0].remedy
        return faults[0]

    def notices(self) -> list[str]:
        """The keys of what is remarked; there are no faults."""
        return [notice.key for notice in self.load().notices]
