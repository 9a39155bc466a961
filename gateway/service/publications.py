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
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from gateway.durable import fsync, rename, sync_folder
from gateway.errors import BrokerUnavailable
from gateway.model.publication import Publication
from gateway.service.message_headers import properties_of

THREADS = 2
"""Each spends its time waiting for the disk."""
BATCH = 32
"""Publications a thread writes at once: they share its visit, and the fsync of their folder."""

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
        self._waiting: deque[tuple[Publication, Deferred[None]]] = deque()
        self._busy = 0
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
            raise _stopped()
        written: Deferred[None] = Deferred()
        self._waiting.append((publication, written))
        if self._busy < THREADS:
            self._busy += 1
            # From the next turn on, so that what is published together is written together.
            self._reactor.callLater(0, self._work)
        await written

    def _work(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        if not batch:
            self._busy -= 1
            return
        if not self.available:  # stopped meanwhile: their rows wait for the next start
            for _, written in batch:
                written.errback(_stopped())
            self._work()
            return
        publications = [publication for publication, _ in batch]
        writing = deferToThreadPool(self._reactor, self._threads, self._write, publications)

        def tell(outcomes: Sequence[OSError | None]) -> None:
            for (_, written), error in zip(batch, outcomes, strict=True):
                if error is None:
                    written.callback(None)
                else:
                    written.errback(_unwritable(self._root, error))

        def fail(failure: Any) -> None:
            for _, written in batch:
                written.errback(failure)

        writing.addCallbacks(tell, fail)
        writing.addBoth(lambda _: self._work())

    def _write(self, publications: Sequence[Publication]) -> list[OSError | None]:
        """Why each could not be written, or None. In a thread."""
        outcomes: list[OSError | None] = []
        folders: dict[Path, list[int]] = {}
        for number, publication in enumerate(publications):
            body, headers = paths_of(self._root, publication)
            try:
                self._make_folder(body.parent)
                _write_whole(str(headers), described(publication))
                _write_whole(str(body), publication.body)
            except OSError as error:
                outcomes.append(error)
            else:
                outcomes.append(None)
                folders.setdefault(body.parent, []).append(number)
        for folder, numbers in folders.items():
            try:
                sync_folder(folder, "publications.folder")
            except OSError as error:
                for number in numbers:
                    outcomes[number] = error
        return outcomes

    def _make_folder(self, folder: Path) -> None:
        """Make it and its parents, each durable in its own parent."""
        with self._lock:
            if folder in self._known and folder.is_dir():
                return
            missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
            for each in reversed(missing):
                each.mkdir(exist_ok=True)
                sync_folder(each.parent, "publications.made")
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
    known = ("json", "xml", "pdf", "html", "csv")
    return f".{subtype}" if subtype in known else ".bin"


def _write_whole(path: str, content: bytes) -> None:
    """The file with its bytes on disk; its name will be once its folder is fsynced."""
    folder, name = os.path.split(path)
    partial = os.path.join(folder, f".{name}{_PARTIAL}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        fsync(descriptor, "publications.write")
    finally:
        os.close(descriptor)
    rename(partial, path, "publications.name")


def _stopped() -> BrokerUnavailable:
    return BrokerUnavailable("The gateway is not publishing now.")


def _unwritable(root: Path, error: OSError) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"Cannot write publications to {error.filename or root}: {error.strerror or error}.",
        remedy="Make room or mend the permissions of the state directory; it is tried again.",
    )
