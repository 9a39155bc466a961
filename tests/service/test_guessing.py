"""Whoever guesses passwords or tokens is slowed down; nobody with the right one is locked out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from gateway.service import guessing
from gateway.service.guessing import (
    FORGOTTEN_SECONDS,
    LAST_DELAY_SECONDS,
    LAST_WAIT_SECONDS,
    LOGIN_TOLERATED,
    TOLERATED,
    Guesses,
    place_of,
)
from gateway.service.metrics import login_metrics
from gateway.service.sftp_server.accounts import note_login, weigh_login
from gateway.service.sftp_server.channel import Account, LoginTried, LoginWanted
from gateway.service.sftp_server.logins import MAX_LOGIN, Accounts, Passwords


class House:
    """Guesses on a clock of our own, and what they say."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.lines: list[dict[str, Any]] = []
        self.guesses = Guesses("sftp", seconds=lambda: self.now, log=self)

    def warning(self, event: str, **fields: Any) -> None:
        """A line of the log."""
        self.lines.append({"event": event, **fields})

    def fail(self, times: int, address: str = "192.0.2.1", login: str = "acme") -> None:
        """So many wrong passwords."""
        for _ in range(times):
            self.guesses.failed(address, login, method="password")

    def wait(self, address: str = "192.0.2.1", proof: bytes = b"guess") -> float:
        """For how long an address is not listened to."""
        return self.guesses.put_off(address, proof)


@pytest.fixture
def house() -> House:
    return House()


def test_an_address_waits_longer_with_each_failure(house: House) -> None:
    """After some; twice as long each time, up to a bound, and forgotten after a quiet while."""
    house.fail(TOLERATED - 1)
    assert house.wait() == 0
    waits = []
    for _ in range(12):
        house.fail(1)
        waits.append(house.wait())
        house.now += waits[-1]
        assert house.wait() == 0
    assert waits[:4] == [2, 4, 8, 16]
    assert waits == sorted(waits)
    assert waits[-1] == LAST_WAIT_SECONDS
    house.now += FORGOTTEN_SECONDS + 1
    house.fail(1)
    assert house.wait() == 0


def test_another_address_is_listened_to(house: House) -> None:
    """A partner is not locked out by who guesses its password elsewhere; it waits a moment."""
    house.fail(100)
    assert house.wait("192.0.2.1") > 0
    assert house.wait("198.51.100.7") == 0
    assert 0 < house.guesses.delay("198.51.100.7", "acme", b"right") <= LAST_DELAY_SECONDS
    assert house.guesses.delay("198.51.100.7", "other", b"right") == 0


def test_what_was_right_from_an_address_stays_right_there(house: House) -> None:
    """Partners behind one proxy do not suffer for each other, nor wait."""
    house.guesses.right("192.0.2.1", b"right")
    house.fail(100)
    assert house.wait(proof=b"guess") > 0
    assert house.wait(proof=b"right") == 0
    assert house.guesses.delay("192.0.2.1", "acme", b"right") == 0
    assert house.guesses.delay("192.0.2.1", "acme", b"guess") > 0


def test_a_login_attacked_from_many_addresses_is_slowed(house: House) -> None:
    """Every address begins anew, the login does not: each attempt waits, longer and longer."""
    delays = []
    for number in range(LOGIN_TOLERATED + 10):
        delays.append(house.guesses.delay(f"192.0.2.{number}", "acme", b"guess"))
        house.fail(1, f"192.0.2.{number}")
    assert delays[:LOGIN_TOLERATED] == [0] * LOGIN_TOLERATED
    assert delays[LOGIN_TOLERATED : LOGIN_TOLERATED + 3] == [0.5, 1, 2]
    assert delays[-1] == LAST_DELAY_SECONDS
    house.now += FORGOTTEN_SECONDS + 1
    assert house.guesses.delay("192.0.2.1", "acme", b"guess") == 0


def test_a_burst_is_one_line(house: House) -> None:
    """One when it begins, one each time it has to wait longer; attempts meanwhile are silent."""
    house.fail(TOLERATED)
    for _ in range(1000):
        assert house.wait() > 0
    assert [line["failures"] for line in house.lines] == [1, TOLERATED]
    assert [line["wait_seconds"] for line in house.lines] == [0, 2]
    assert {line["event"] for line in house.lines} == {"sftp_login_failed"}
    assert house.lines[0]["username"] == "acme"
    assert house.guesses.outcomes == {"failed": TOLERATED, "put-off": 1000}


def test_metrics_count_what_the_log_leaves_out(house: House) -> None:
    """Both channels, also while nothing happened."""
    house.fail(TOLERATED)
    house.wait()
    (family,) = login_metrics({"sftp": house.guesses.outcomes, "http": Counter()})
    assert family.name == "edi_gateway_logins"
    found = {tuple(each.labels.values()): each.value for each in family.samples}
    assert found == {
        ("sftp", "failed"): TOLERATED,
        ("sftp", "put-off"): 1,
        ("http", "failed"): 0,
        ("http", "put-off"): 0,
    }


def test_many_addresses_do_not_flood_the_log(house: House) -> None:
    """Beyond some lines a minute they are counted, and the next line says how many."""
    for number in range(500):
        house.fail(1, f"2001:db8:{number:x}::1")
    assert len(house.lines) == guessing.LINES
    house.now += guessing.LINES_SECONDS
    house.fail(1, "192.0.2.9")
    assert house.lines[-1]["lines_left_out"] == 500 - guessing.LINES
    house.fail(1, "192.0.2.10")
    assert "lines_left_out" not in house.lines[-1]


def test_memory_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of addresses, of logins, of what was right."""
    monkeypatch.setattr(guessing, "REMEMBERED", 50)
    monkeypatch.setattr(guessing, "PROOFS_REMEMBERED", 20)
    for number in range(300):
        house.fail(1, f"198.51.{number}.1", f"login{number}")
        house.guesses.right("192.0.2.1", b"%d" % number)
    assert house.guesses.remembered == 100
    house.fail(50)
    proofs = [number for number in range(300) if house.wait(proof=b"%d" % number) == 0]
    assert proofs == list(range(280, 300))


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(address: str, place: str) -> None:
    """One customer has a whole /64 of IPv6; the two ways to write an IPv4 address are one."""
    assert place_of(address) == place


# ---- passwords, in an SFTP process


class Daemon:
    """The daemon's side, without a pipe in between."""

    def __init__(self, house: House) -> None:
        self.guesses = house.guesses
        self.asked: list[LoginWanted] = []

    def may_log_in(self, address: str, login: str, proof: bytes) -> float | None:
        """Ask."""
        self.asked.append(LoginWanted(1, address, login, proof))
        answer = weigh_login(self.guesses, self.asked[-1])
        return answer.delay if answer.granted is not None else None

    def tried(self, address: str, login: str, proof: bytes, right: bool) -> None:
        """Tell."""
        note_login(self.guesses, LoginTried(address, login, proof, right))


class Hashing:
    """Accounts whose only password is "right"; counts how often one was looked at."""

    def __init__(self) -> None:
        self.looks = 0

    def fits(self, _username: str, password: str) -> bool:
        """In place of bcrypt."""
        self.looks += 1
        return password == "right"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long an attempt had to wait, each."""
    waits: list[float] = []
    monkeypatch.setattr("gateway.service.sftp_server.logins.time.sleep", waits.append)
    return waits


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> Hashing:
    made = Hashing()
    monkeypatch.setattr(
        Accounts, "password_fits", lambda _, username, given: made.fits(username, given)
    )
    return made


def passwords_of(daemon: Daemon, patience_seconds: float = 30.0) -> Passwords:
    """Of one partner."""
    account = Account(
        partner="acme", username="acme", keys=(), password_hash="$2b$04$", require_rename=False
    )
    return Passwords(Accounts([account]), daemon, key=b"k" * 32, patience_seconds=patience_seconds)


def test_passwords_from_a_guesser_are_not_looked_at(
    house: House, hashing: Hashing, slept: list[float]
) -> None:
    """Not even the right one, so nothing is learnt; from elsewhere it is."""
    passwords = passwords_of(Daemon(house))
    for number in range(50):
        assert not passwords.fit("192.0.2.1", "acme", f"guess{number}")
    assert hashing.looks == TOLERATED
    assert not passwords.fit("192.0.2.1", "acme", "right")
    assert passwords.fit("198.51.100.7", "acme", "right")
    assert hashing.looks == TOLERATED + 1
    assert slept == []


def test_the_right_password_from_elsewhere_waits_and_is_taken(
    house: House, hashing: Hashing, slept: list[float]
) -> None:
    """However many others guess; and once it was right there, it waits no more."""
    passwords = passwords_of(Daemon(house), patience_seconds=9.0)
    for number in range(100):
        passwords.fit(f"192.0.2.{number}", "acme", "guess")
    assert slept[-1] == 3.0, "below what a login may take, so that it can still succeed"
    slept.clear()
    assert passwords.fit("198.51.100.7", "acme", "right")
    assert slept == [3.0]
    assert passwords.fit("198.51.100.7", "acme", "right")
    assert slept == [3.0]
    assert not passwords.fit("198.51.100.7", "acme", "guess")
    assert slept == [3.0, 3.0]


def test_the_daemon_learns_no_password_and_bounded_names(house: House, hashing: Hashing) -> None:
    """Only what stands for it; a name of any length or kind breaks no frame."""
    daemon = Daemon(house)
    passwords = passwords_of(daemon)
    assert not passwords.fit("192.0.2.1", "n" * 200_000, "hunter2-secret")
    assert not passwords.fit("192.0.2.1", "\udcff", "hunter2-secret")
    assert all(b"hunter2" not in repr(asked).encode() for asked in daemon.asked)
    assert {asked.login for asked in daemon.asked} == {"n" * MAX_LOGIN, "\\udcff"}
    proofs = {asked.proof for asked in daemon.asked}
    assert len(proofs) == 2, "the name is part of it"
    assert {len(proof) for proof in proofs} == {32}


def test_a_daemon_that_does_not_answer_lets_nobody_in(hashing: Hashing) -> None:
    """What could not be asked is no yes."""

    class Silent:
        def may_log_in(self, address: str, login: str, proof: bytes) -> float | None:
            return None

        def tried(self, address: str, login: str, proof: bytes, right: bool) -> None:
            raise AssertionError("nothing was tried")

    passwords = passwords_of(Silent())  # type: ignore[arg-type]
    assert not passwords.fit("192.0.2.1", "acme", "right")
    assert hashing.looks == 0
