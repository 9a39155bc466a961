"""However large a message is: it goes from file to file, and memory does not grow with it."""

from __future__ import annotations

import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from gateway.core.as2 import open_message, pack
from gateway.model.as2 import As2Limits, As2Send, Cipher, Compression, Digest, Opened
from tests.core.as2.parties import LAX, NOW, folder, party

SIZE = 64_000_000
MEMORY = 8_000_000


def large(path: Path) -> Path:
    """A file of SIZE bytes, lines and all, that compresses somewhat."""
    line = b"".join(b"<line n='%d'/>\r\n" % number for number in range(4000))
    with path.open("wb") as file:
        written = 0
        while written < SIZE:
            written += file.write(line[: SIZE - written])
    return path


@pytest.mark.parametrize(
    "send",
    [
        As2Send(encrypt=Cipher.AES256_CBC),
        As2Send(encrypt=Cipher.AES256_GCM, compress=Compression.BEFORE_SIGNING),
        As2Send(encrypt=None, base64=True, compress=Compression.NONE),
        As2Send(encrypt=None, base64=True, compress=Compression.AFTER_SIGNING),
        As2Send(encrypt=None, sign=None),
    ],
    ids=["usual", "compressed", "base64", "compressed base64", "plain"],
)
def test_a_large_message_stays_out_of_memory(tmp_path: Path, send: As2Send) -> None:
    """64 MB are packed and opened with a few MB of memory, and no more than three files on disk."""
    source = large(folder(tmp_path) / "payload.xml")
    tracemalloc.start()
    try:
        message = pack(
            source,
            folder(tmp_path),
            filename="a.xml",
            content_type="text/xml",
            message_id="<1@x>",
            as2_from="a",
            as2_to="b",
            url_for_async_mdn=None,
            send=send,
            identity=party("supplier"),
            recipient_certificates=[party("gateway").certificate],
            now=NOW,
        )
        opened = open_message(
            message.headers,
            Path(message.path),
            folder(tmp_path),
            identities=[party("gateway")],
            certificates=[party("supplier").certificate],
            policy=LAX,
            limits=As2Limits(),
            on=NOW,
        )
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(opened, Opened), opened
    assert opened.size == SIZE
    assert opened.mic == message.mic
    assert peak < MEMORY


SCRIPT = """
import resource, sys
from pathlib import Path
from gateway.core.as2.mime import Entity, split_signed, canonical, decode
from gateway.core.as2.streams import Blob, Folder

path = Path(sys.argv[1])
size = path.stat().st_size
entity = Entity((("Content-Type", "multipart/signed; boundary=b"),), Blob(path), 0, 0, size)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
signed, signature = split_signed(entity)
assert signed.end - signed.start > size - 1000
with entity.open_body() as source, Folder(path.parent).sink("out") as sink:
    assert canonical(source, sink)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("filling", [b"\n", b"\n--b \t\n-", b"\n--", b" ", b"--b\r", b"\r\n--bb"])
def test_a_body_made_to_keep_us_busy(tmp_path: Path, filling: bytes) -> None:
    """Bytes that look like delimiters, line breaks without end, one line without any."""
    path = tmp_path / "body"
    filling = filling.replace(b"--b ", b"--bx ")
    count = 16_000_000 // len(filling)
    path.write_bytes(b"--b\n" + filling * count + b"\n--b\n\nsignature\n--b--\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20_000, "kB"


def test_hashing_is_one_pass(tmp_path: Path) -> None:
    """The time for a large message is that of reading it a few times, not of rereading it often."""
    source = large(tmp_path / "payload.xml")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    message = pack(
        source,
        folder(tmp_path),
        filename="a.xml",
        content_type="text/xml",
        message_id="<1@x>",
        as2_from="a",
        as2_to="b",
        url_for_async_mdn=None,
        send=As2Send(sign=Digest.SHA256, encrypt=None),
        identity=party("supplier"),
        recipient_certificates=[],
        now=NOW,
    )
    open_message(
        message.headers,
        Path(message.path),
        folder(tmp_path),
        identities=[],
        certificates=[party("supplier").certificate],
        policy=LAX,
        limits=As2Limits(),
        on=NOW,
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 5
