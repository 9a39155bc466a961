"""What the HTTP server costs: memory with large bodies, and how many small ones it takes."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import psutil
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import defer, task
from twisted.internet.threads import deferToThread

from tests.service.api_house import TOKEN, api_house
from tests.service.http_house import HOST, Reply, http_house, replies, request, until

MEGABYTE = bytes(range(256)) * 4096
"""2^20 bytes."""


class Peak:
    """The most memory this process held since it was made, above what it held then."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._most = self._process.memory_info().rss
        self._loop = task.LoopingCall(self._look)
        self._loop.start(0.02)

    def _look(self) -> None:
        self._most = max(self._most, self._process.memory_info().rss)

    def megabytes(self) -> float:
        """Stop looking; how many."""
        self._loop.stop()
        return (self._most - self._before) / 1e6


def pour(port: int, head: bytes, before: bytes, megabytes: int, after: bytes) -> Reply:
    """Send a large body piece by piece."""
    with socket.create_connection(("127.0.0.1", port), timeout=100) as client:
        client.sendall(head + before)
        for _ in range(megabytes):
            client.sendall(MEGABYTE)
        client.sendall(after)
        heard = b""
        while chunk := client.recv(65536):
            heard += chunk
    [reply] = replies(heard)
    return reply


def sum_of_megabytes(number: int) -> str:
    """The SHA-256 of so many of them."""
    digest = hashlib.sha256()
    for _ in range(number):
        digest.update(MEGABYTE)
    return digest.hexdigest()


@ensureDeferred
async def test_a_large_body_is_never_in_memory(tmp_path: Path) -> None:
    """200 MB arrive whole, while the process grows by little more than what waits for the disk."""
    async with http_house(tmp_path) as house:
        house.handler.keep_bodies = False
        head = b"POST /x HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: %d\r\n\r\n"
        peak = Peak()
        reply = await deferToThread(pour, house.port, head % (200 * len(MEGABYTE)), b"", 200, b"")
        grown = peak.megabytes()
        expected = await deferToThread(sum_of_megabytes, 200)
        assert reply.body == f"{200 * len(MEGABYTE)} {expected}".encode()
        assert grown < 40


@ensureDeferred
async def test_a_large_form_is_never_in_memory(tmp_path: Path) -> None:
    """The file inside is taken out of 60 MB piece by piece."""
    before = b'--b\r\nContent-Disposition: form-data; filename="big.xml"\r\n\r\n'
    after = b"\r\n--b--\r\n"
    length = len(before) + 60 * len(MEGABYTE) + len(after)
    async with api_house(tmp_path, max_bytes=100_000_000) as api:
        head = (
            b"POST /v1/interchanges HTTP/1.1\r\n" + HOST + b"Connection: close\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n"
            + f"Authorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        peak = Peak()
        reply = await deferToThread(pour, api.http.port, head, before, 60, after)
        grown = peak.megabytes()
        assert reply.status == 202
        row = await api.house.row(json.loads(reply.body)["id"])
        assert row.size == 60 * len(MEGABYTE)
        assert row.sha256 == await deferToThread(sum_of_megabytes, 60)
        assert grown < 40
        await until(lambda: not api.http.left_over())


def talk(port: int, sent: bytes, times: int) -> int:
    """The same request again and again on one connection; how many answers were 200."""
    good = 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        for _ in range(times):
            client.sendall(sent)
            heard = b""
            while b"\r\n\r\n" not in heard:
                heard += client.recv(65536)
            good += heard.startswith(b"HTTP/1.1 200")
    return good


@pytest.mark.parametrize("size", [0, 5000])
@ensureDeferred
async def test_many_small_requests_on_few_connections(tmp_path: Path, size: int) -> None:
    """A thousand requests kept alive on four connections: every one answered, none left behind."""
    async with http_house(tmp_path) as house:
        house.handler.keep_bodies = False
        talks = [deferToThread(talk, house.port, request(body=b"x" * size), 250) for _ in range(4)]
        assert await defer.gatherResults(talks) == [250] * 4
        await until(lambda: not house.left_over())
        assert house.server.under_way("acme") == 0
