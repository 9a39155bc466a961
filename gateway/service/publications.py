"""The embedded default: publications as files, for an installation without a broker.

    publications/<exchange>/<routing-key>/<message-id>.json          the body, byte for byte
    publications/<exchange>/<routing-key>/<message-id>.headers.json  its properties and headers

The body appears last, under its final name, once both are on disk: whoever sees it can read both.
Publishing a message again writes the same files again, as a broker's consumer would
de-duplicate by `message_id`.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from gateway.errors import BrokerUnavailable
from gateway.model.publication import Publication
from gateway.service.message_headers import properties_of

THREADS = 4
"""Each spends its time waiting for the disk."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_NAME = 200
_PARTIAL = ".part"


class FilePublisher:
    """Has the face of `AmqpPublisher`. `root` is the folder that holds one folder per exchange.

    `available` from `start` to `stop`. Blocking work runs in threads of its own, so that a slow
    disk does not hold up whoever else defers work to a thread.
    """

    def __init__(self, reactor: Any, root: Path) -> None:
        self.available = False
        self.on_available: Callable[[], None] | None = None
        self._reactor = reactor
        self._root = root
        self._threads = ThreadPool(minthreads=0, maxthreads=THREADS, name="publications")
        self._known: set[Path] = set()
        self._lock = threading.Lock()

    async def start(self) -> None:
        """Make the folder; raises `BrokerUnavailable` if that fails."""
        try:
            self._make_folder(self._root)
        except OSError as error:
            raise _unwritable(self._root, error) from error
        self._threads.start()
        self.available = True
        if self.on_available is not None:
            self.on_available()

    async def stop(self) -> None:
        """Finish what is being written."""
        if self.available:
            self.available = False
            self._threads.stop()

    async def publish(self, publication: Publication) -> None:
        """Return once body and headers are on disk. Raises `BrokerUnavailable`."""
        if not self.available:
            raise BrokerUnavailable("The gateway is not publishing now.")
        try:
            await deferToThreadPool(self._reactor, self._threads, self._write, publication)
        except OSError as error:
            raise _unwritable(self._root, error) from error

    def _write(self, publication: Publication) -> None:
        body, headers = paths_of(self._root, publication)
        folder = body.parent
        self._make_folder(folder)
        _write_durably(headers, described(publication))
        _write_durably(body, publication.body)
        _sync_folder(folder)

    def _make_folder(self, folder: Path) -> None:
        """Make it and its parents, each durable in its own parent."""
        with self._lock:
            if folder in self._known and folder.is_dir():
                return
            missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
            for each in reversed(missing):
                each.mkdir(exist_ok=True)
                _sync_folder(each.parent)
            self._known.add(folder)


def paths_of(root: Path, publication: Publication) -> tuple[Path, Path]:
    """Where the body and its headers go; never outside `root`, whatever the names are."""
    folder = root / safe_name(publication.exchange.value) / safe_name(publication.routing_key)
    name = safe_name(publication.message_id)
    return folder / f"{name}{_suffix(publication.content_type)}", folder / f"{name}.headers.json"


def safe_name(name: str) -> str:
    """One path component: no separator, not hidden, not `.` or `..`, not too long."""
    cleaned = _UNSAFE.sub("_", name)[:_LONGEST_NAME]
    return f"_{cleaned}" if not cleaned or cleaned.startswith(".") else cleaned


def described(publication: Publication) -> bytes:
    """Everything a broker would hand over beside the body, as JSON."""
    envelope = {
        "exchange": publication.exchange.value,
        "routing_key": publication.routing_key,
        "mandatory": publication.mandatory,
        "properties": properties_of(publication),
        "headers": publication.headers,
    }
    return json.dumps(envelope, indent=2, ensure_ascii=False).encode() + b"\n"


def _suffix(content_type: str) -> str:
    media_type = content_type.partition(";")[0].strip().lower()
    subtype = media_type.rpartition("/")[2].rpartition("+")[2]
    return {"json": ".json", "xml": ".xml", "pdf": ".pdf"}.get(subtype, ".bin")


def _write_durably(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}{_PARTIAL}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(root: Path, error: OSError) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"Cannot write publications to {error.filename or root}: {error.strerror or error}.",
        remedy="Make room or mend the permissions of the state directory; it is tried again.",
    )
