"""Memory does not grow with messages: 64 MB pass through a fresh process in a few MB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.as2.cms_keys import identity, pem

pytestmark = pytest.mark.alone

MB = 64

RUN = """
import datetime, hashlib, io, os, sys
from pathlib import Path

from asn1crypto import cms as asn1_cms

from gateway.core.as2 import cms
from gateway.core.as2.cms.der import tlv
from gateway.model.as2 import Cipher, Digest, KeyTransport, SignatureScheme

on = datetime.datetime(2026, 10, 1, tzinfo=datetime.UTC)
(us,) = cms.load_identities(Path("us.pem").read_bytes(), None)
MB = int(sys.argv[1])
block = (os.urandom(1 << 19) + b"<cbc:ID>12345</cbc:ID>" * 30_000)[: 1 << 20]
with open("plain", "wb") as file:
    for _ in range(MB):
        file.write(block)

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

def run(source, sink, step):
    with open(source, "rb") as reading, open(sink, "wb") as writing:
        return step(reading, writing)

def decrypting(reading, writing):
    cms.decrypt(reading, writing, [us], allowed=list(Cipher), on=on)

def in_pieces(reading, writing, size=1000):
    '''An opaque signature, as Bouncy Castle streams it.'''
    value = hashlib.sha256()
    data = b"\\x06\\x09\\x2a\\x86\\x48\\x86\\xf7\\x0d\\x01\\x07\\x01"
    sha256 = tlv(0x31, tlv(0x30, b"\\x06\\x09\\x60\\x86\\x48\\x01\\x65\\x03\\x04\\x02\\x01"))
    writing.write(b"\\x30\\x80" + data[:-1] + b"\\x02\\xa0\\x80\\x30\\x80\\2\\1\\1" + sha256)
    writing.write(b"\\x30\\x80" + data + b"\\xa0\\x80\\x24\\x80")
    while chunk := reading.read(size * 1000):
        value.update(chunk)
        writing.write(b"".join(tlv(4, chunk[at:at + size]) for at in range(0, len(chunk), size)))
    signed = cms.sign(
        Digest.SHA256, value.digest(), us, scheme=SignatureScheme.PKCS1, now=on
    )
    signers = asn1_cms.ContentInfo.load(signed)["content"]["signer_infos"].dump()
    writing.write(b"\\0\\0" * 3 + signers + b"\\0\\0" * 3)

begin = peak()
for cipher in (Cipher.AES256_CBC, Cipher.AES256_GCM):
    run("plain", "wrapped", lambda source, sink: cms.encrypt(
        source, sink, [us.certificate], cipher=cipher, transport=KeyTransport.OAEP))
    run("wrapped", "again", decrypting)
    assert os.path.getsize("again") == MB << 20
run("plain", "wrapped", cms.compress)
run("wrapped", "again", lambda source, sink: cms.decompress(
    source, sink, max_bytes=MB << 20, max_ratio=200))
assert os.path.getsize("again") == MB << 20
run("plain", "wrapped", cms.base64_encode)
run("wrapped", "again", cms.base64_decode)
assert os.path.getsize("again") == MB << 20
run("plain", "wrapped", in_pieces)
run("wrapped", "again", lambda source, sink: cms.verify_opaque(
    source, sink, [us.certificate], allowed=[Digest.SHA256], on=on))
assert os.path.getsize("again") == MB << 20
print("grown", peak() - begin)
"""


def test_memory_does_not_grow_with_a_message(tmp_path: Path) -> None:
    """Encrypted, decrypted, compressed, unpacked, in base64 and signed: 20 MB at most."""
    us = identity("us")
    (tmp_path / "us.pem").write_bytes(pem(us.certificate) + pem(us.private_key))
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(MB)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    words, grown = done.stdout.split()
    assert words == "grown"
    assert float(grown) < 20
