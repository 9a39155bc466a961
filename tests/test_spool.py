"""The spool: payloads by content, durable before they are named, nothing half there."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import SpoolError
from gateway.spool import Spool

BODY = b"<Invoice/>" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.prepare()
    return made


def a_received_file(spool: Spool, body: bytes = BODY, name: str = "received") -> Path:
    path = spool.incoming / name
    path.write_bytes(body)
    return path


def files_under(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


class TestStore:
    """Payloads the gateway writes itself."""

    def test_by_content(self, spool: Spool, tmp_path: Path) -> None:
        """Stored chunks lie under the hash of their sum, in two levels of folders."""
        stored = spool.store([BODY[:7], b"", BODY[7:]])
        assert (stored.sha256, stored.size) == (SHA256, len(BODY))
        assert files_under(tmp_path / "spool") == [f"payloads/{SHA256[:2]}/{SHA256}"]
        assert stored.path == spool.path(SHA256)
        assert stored.path.read_bytes() == BODY

    def test_empty(self, spool: Spool) -> None:
        """An empty payload is a payload: what a partner sends empty is kept too."""
        stored = spool.store([])
        assert stored.size == 0
        assert spool.verify(stored.sha256) == 0

    def test_twice(self, spool: Spool, tmp_path: Path) -> None:
        """The same bytes again are the same file, and no second copy stays."""
        assert spool.store([BODY]) == spool.store([BODY])
        assert len(files_under(tmp_path / "spool")) == 1

    def test_a_source_that_fails(self, spool: Spool, tmp_path: Path) -> None:
        """An error of the source, even an OSError, passes through; nothing stays behind."""

        def chunks() -> Iterator[bytes]:
            yield BODY
            raise ConnectionResetError("the sender left")

        with pytest.raises(ConnectionResetError):
            spool.store(chunks())
        assert files_under(tmp_path / "spool") == []

    def test_partial_writes(self, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
        """A kernel that takes only part of what it is given is asked again for the rest."""
        write = os.write
        monkeypatch.setattr(os, "write", lambda fd, chunk: write(fd, bytes(chunk[:1000])))
        assert spool.store([BODY]).path.read_bytes() == BODY

    def test_concurrently(self, spool: Spool, tmp_path: Path) -> None:
        """Many threads that store and adopt the same bytes end with one good file."""
        arrived = [a_received_file(spool, name=f"received-{n}") for n in range(20)]
        with ThreadPoolExecutor(8) as pool:
            stored = [pool.submit(spool.store, [BODY]) for _ in range(20)]
            adopted = [pool.submit(spool.adopt, path, SHA256, len(BODY)) for path in arrived]
            for each in adopted:
                each.result()
        assert {each.result().path for each in stored} == {spool.path(SHA256)}
        assert spool.verify(SHA256) == len(BODY)
        assert len(files_under(tmp_path / "spool")) == 1


class TestAdopt:
    """Files a receiver has written."""

    def test_moves_the_file(self, spool: Spool) -> None:
        """A received file is renamed, not copied: it keeps its inode."""
        path = a_received_file(spool)
        inode = path.stat().st_ino
        spool.adopt(path, SHA256, len(BODY))
        assert spool.path(SHA256).stat().st_ino == inode
        assert not path.exists()

    def test_again(self, spool: Spool) -> None:
        """Adopting again after a crash, when the file has its name already, does no harm."""
        path = a_received_file(spool)
        spool.adopt(path, SHA256, len(BODY))
        spool.adopt(path, SHA256, len(BODY))
        assert spool.path(SHA256).read_bytes() == BODY

    def test_duplicate_is_dropped(self, spool: Spool, tmp_path: Path) -> None:
        """A second copy of known bytes is dropped; the first file stays as it was."""
        kept = spool.store([BODY]).path
        inode = kept.stat().st_ino
        spool.adopt(a_received_file(spool), SHA256, len(BODY))
        assert kept.stat().st_ino == inode
        assert len(files_under(tmp_path / "spool")) == 1

    def test_wrong_size(self, spool: Spool) -> None:
        """A file that is not as long as announced is refused and left where it is."""
        path = a_received_file(spool)
        with pytest.raises(SpoolError, match="announced with 10001 bytes and has 10000"):
            spool.adopt(path, SHA256, 10001)
        assert path.exists()
        assert not spool.path(SHA256).exists()

    def test_damaged_payload(self, spool: Spool) -> None:
        """A payload here with another size is damage: told, never silently taken for good."""
        spool.store([BODY]).path.write_bytes(b"shorter")
        path = a_received_file(spool)
        with pytest.raises(SpoolError, match=r"was damaged.*aside"):
            spool.adopt(path, SHA256, len(BODY))
        assert path.exists()

    def test_nothing_there(self, spool: Spool) -> None:
        """Neither the file nor the payload exists: an error of ours."""
        with pytest.raises(SpoolError, match="No such file"):
            spool.adopt(spool.incoming / "gone", SHA256, len(BODY))

    def test_a_link(self, spool: Spool, tmp_path: Path) -> None:
        """A symbolic link is not a received file, wherever it points."""
        secret = tmp_path / "secret"
        secret.write_bytes(BODY)
        link = spool.incoming / "link"
        link.symlink_to(secret)
        with pytest.raises(SpoolError):
            spool.adopt(link, SHA256, len(BODY))
        assert secret.exists()


@pytest.mark.parametrize("name", ["", "../../etc/passwd", SHA256.upper(), SHA256 + "\n", "ab" * 31])
def test_only_hashes_become_paths(spool: Spool, name: str) -> None:
    """Whatever is not a SHA-256 in lower-case hex never becomes a path."""
    with pytest.raises(SpoolError, match="not a SHA-256"):
        spool.path(name)


class TestVerify:
    """Whether a payload still is what its name says."""

    def test_good(self, spool: Spool) -> None:
        """A good payload answers its size."""
        spool.store([BODY])
        assert spool.verify(SHA256) == len(BODY)

    def test_altered(self, spool: Spool) -> None:
        """One changed byte is found."""
        path = spool.store([BODY]).path
        path.write_bytes(b"X" + BODY[1:])
        with pytest.raises(SpoolError, match=r"no longer has the content.*backup"):
            spool.verify(SHA256)

    def test_missing(self, spool: Spool) -> None:
        """A payload that is gone is an error that says which."""
        with pytest.raises(SpoolError, match=SHA256):
            spool.verify(SHA256)


def test_discard(spool: Spool) -> None:
    """A discarded payload is gone; discarding it again is no error."""
    spool.store([BODY])
    spool.discard(SHA256)
    assert not spool.path(SHA256).exists()
    spool.discard(SHA256)


def test_free_space(spool: Spool) -> None:
    """Free space is what an ordinary user could still write, in MB."""
    found = os.statvfs(spool.incoming)
    assert abs(spool.free_mb() - found.f_bavail * found.f_frsize // 10**6) < 1000


class TestPrepare:
    """The start of a daemon."""

    def test_stale_files(self, tmp_path: Path) -> None:
        """What an earlier run left in incoming/ goes; payloads and folders stay."""
        spool = Spool(tmp_path)
        spool.prepare()
        spool.store([BODY])
        a_received_file(spool, name="half.part")
        (spool.incoming / "folder").mkdir()
        Spool(tmp_path).prepare()
        assert [p.name for p in spool.incoming.iterdir()] == ["folder"]
        assert spool.verify(SHA256) == len(BODY)

    def test_cannot(self, tmp_path: Path) -> None:
        """A file where the folder should be is a clear error."""
        (tmp_path / "spool").write_text("in the way")
        with pytest.raises(SpoolError, match=r"could not prepare .*spool"):
            Spool(tmp_path / "spool").prepare()


class Recorder:
    """Stands before os.open, os.fsync, os.rename, os.unlink and os.mkdir and writes them down.

    With `fail`, the first call of that kind raises ENOSPC, as a full disk does.
    """

    def __init__(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, fail: str | None = None
    ) -> None:
        self.root = root
        self.calls: list[str] = []
        self._names: dict[int, str] = {}
        self._real = {name: getattr(os, name) for name in ("open", "fsync", "rename", "unlink")}
        self._fail = fail
        monkeypatch.setattr(os, "open", self.open)
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr(os, "rename", self.rename)
        monkeypatch.setattr(os, "unlink", self.unlink)

    def _short(self, path: Any) -> str:
        relative = Path(os.path.relpath(path, self.root))
        if not relative.parts or relative.parts[0] == "..":
            return "above"
        if relative.parts[0] == "incoming":
            return "temporary"
        return {1: "payloads", 2: "payloads/ab", 3: "payload"}[len(relative.parts)]

    def _note(self, call: str, kind: str) -> None:
        self.calls.append(call)
        if self._fail == kind:
            self._fail = None
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open(self, path: Any, *args: Any, **kwargs: Any) -> int:
        """Remember what a descriptor stands for."""
        fd: int = self._real["open"](path, *args, **kwargs)
        self._names[fd] = self._short(path)
        return fd

    def fsync(self, fd: int) -> None:
        """Note which file or folder."""
        name = self._names[fd]
        self._note(f"fsync {name}", "fsync file" if name == "temporary" else "fsync folder")
        self._real["fsync"](fd)

    def rename(self, old: Any, new: Any, **folders: Any) -> None:
        """Note from where to where."""
        self._note(f"rename {self._short(old)} → {self._short(new)}", "rename")
        self._real["rename"](old, new, **folders)

    def unlink(self, path: Any, **folder: Any) -> None:
        """Note which."""
        self._note(f"unlink {self._short(path)}", "unlink")
        self._real["unlink"](path, **folder)


class TestOrder:
    """A power cut between any two calls leaves either no name, or a name with all its bytes."""

    def test_store(self, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Bytes first, then new folders in their parents, then the name, then its folder."""
        recorder = Recorder(tmp_path / "spool", monkeypatch)
        spool.store([BODY])
        assert recorder.calls == [
            "fsync temporary",
            "rename temporary → payload",
            "fsync payloads/ab",
        ]

    def test_adopt(self, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The receiver fsynced the bytes: the name and its folder are left to do."""
        path = a_received_file(spool)
        recorder = Recorder(tmp_path / "spool", monkeypatch)
        spool.adopt(path, SHA256, len(BODY))
        assert recorder.calls == [
            "rename temporary → payload",
            "fsync payloads/ab",
        ]

    def test_duplicate(self, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A duplicate counts on the first file's name, so its folder is fsynced here as well."""
        spool.store([BODY])
        path = a_received_file(spool)
        recorder = Recorder(tmp_path / "spool", monkeypatch)
        spool.adopt(path, SHA256, len(BODY))
        assert recorder.calls == ["unlink temporary", "fsync payloads/ab"]

    def test_the_folders_are_durable_before_anything_comes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`prepare` fsyncs the folder that holds the 256, whether it made them or found them."""
        for _ in range(2):
            recorder = Recorder(tmp_path / "spool", monkeypatch)
            Spool(tmp_path / "spool").prepare()
            monkeypatch.undo()
            assert recorder.calls[-1] == "fsync payloads"
            assert len(list((tmp_path / "spool" / "payloads").iterdir())) == 256

    def test_payloads_of_an_earlier_gateway_are_found(self, spool: Spool, tmp_path: Path) -> None:
        """They lay two folders deep; a start brings them to where they are looked for."""
        kept = spool.store([BODY]).path
        old = kept.parent / SHA256[2:4] / SHA256
        old.parent.mkdir()
        kept.rename(old)
        Spool(tmp_path / "spool").prepare()
        assert kept.read_bytes() == BODY
        assert not old.parent.exists()
        assert spool.verify(SHA256) == len(BODY)


class TestFailures:
    """A disk that fails is told as `SpoolError`, and never leaves a name without its bytes."""

    @pytest.mark.parametrize("kind", ["fsync file", "rename"])
    def test_store(
        self, kind: str, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whichever call fails: an error with a remedy, nothing there, and the next try works."""
        with monkeypatch.context() as patched:
            Recorder(tmp_path / "spool", patched, fail=kind)
            with pytest.raises(SpoolError, match=r"No space left.*Free space"):
                spool.store([BODY])
        assert files_under(tmp_path / "spool") == []
        assert spool.store([BODY]).path.read_bytes() == BODY

    def test_adopt(self, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The received file stays with its receiver, who can try again."""
        path = a_received_file(spool)
        with monkeypatch.context() as patched:
            Recorder(tmp_path / "spool", patched, fail="rename")
            with pytest.raises(SpoolError):
                spool.adopt(path, SHA256, len(BODY))
        assert files_under(tmp_path / "spool") == ["incoming/received"]
        spool.adopt(path, SHA256, len(BODY))
        assert spool.path(SHA256).read_bytes() == BODY

    def test_last_fsync(
        self, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When only the last fsync fails, the answer is still failure; trying again succeeds."""
        spool.store([BODY])
        spool.discard(SHA256)
        path = a_received_file(spool)
        with monkeypatch.context() as patched:
            Recorder(tmp_path / "spool", patched, fail="fsync folder")
            with pytest.raises(SpoolError):
                spool.adopt(path, SHA256, len(BODY))
        spool.adopt(path, SHA256, len(BODY))
        assert spool.path(SHA256).read_bytes() == BODY

    def test_another_file_system(
        self, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A receiver that wrote on another file system is told so: a copy is never made."""

        def rename(old: Any, new: Any, **folders: Any) -> None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

        monkeypatch.setattr(os, "rename", rename)
        with pytest.raises(SpoolError, match="own file system"):
            spool.adopt(a_received_file(spool), SHA256, len(BODY))

    def test_write(self, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A disk that fills up in the middle of a payload leaves nothing of it."""
        write, written = os.write, []

        def filling(fd: int, chunk: bytes) -> int:
            if written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written.append(chunk)
            return write(fd, chunk[:10])

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", filling)
            with pytest.raises(SpoolError, match="could not store a payload: No space left"):
                spool.store([BODY])
        assert files_under(tmp_path / "spool") == []
