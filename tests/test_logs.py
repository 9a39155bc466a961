"""gateway.logs: one JSON object per line, whoever speaks, and never a secret."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger as TwistedLogger
from twisted.logger import globalLogPublisher
from twisted.python import log as legacy_log
from twisted.python.failure import Failure

from gateway import logs
from gateway.model.partner import Partner, SftpAccess

HASH = "$2b$12$" + "a" * 53


class Lines:
    """What was logged since, parsed; a line that is not one JSON object fails the test."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def __call__(self) -> list[dict[str, Any]]:
        """Every line, parsed."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def fail(error: Exception) -> None:
    """Raise, so that there is a traceback."""
    raise error


@pytest.fixture
def lines() -> Iterator[Lines]:
    out = Lines()
    logs.configure("info", out.stream)
    out.stream.truncate(0)  # what Twisted buffered before the test
    out.stream.seek(0)
    yield out
    logs.reset()


def test_a_line_has_time_level_event_and_context(lines: Lines) -> None:
    """Timestamp (ISO 8601, UTC), level and event come first, then the bound context."""
    logs.logger(partner="acme").bind(interchange="i-1", flow="f").info("received", size=5)
    (line,) = lines()
    assert list(line) == [
        "timestamp", "level", "event", "partner", "interchange", "flow", "size",
    ]  # fmt: skip
    assert line["level"] == "info"
    assert line["event"] == "received"
    assert (line["interchange"], line["size"]) == ("i-1", 5)
    assert line["timestamp"].endswith("Z")
    assert line["timestamp"][10] == "T"


def test_binding_leaves_the_first_logger_as_it_was(lines: Lines) -> None:
    """Context belongs to the logger that bound it."""
    first = logs.logger(partner="acme")
    first.bind(interchange="i-1")
    first.info("x")
    assert "interchange" not in lines()[0]


def test_below_the_level_nothing_is_written(lines: Lines) -> None:
    """`info` hides debug, from whichever side it comes."""
    logs.logger().debug("ours")
    logging.getLogger("somewhere").debug("stdlib")
    TwistedLogger("tw").debug("twisted")
    assert lines() == []


def test_a_logger_made_before_configure_follows_it() -> None:
    """Loggers hold no copy of level or stream."""
    log, out = logs.logger(), Lines()
    logs.configure("debug", out.stream)
    try:
        log.debug("late")
    finally:
        logs.reset()
    assert "late" in [line["event"] for line in out()]


def test_before_configure_only_warnings_reach_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A command that configures nothing still shows what matters, and nothing on stdout."""
    logs.logger().info("quiet")
    logs.logger().warning("loud")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [json.loads(line)["event"] for line in captured.err.splitlines()] == ["loud"]


def test_an_exception_is_one_field(lines: Lines) -> None:
    """`exception`, `failure=` an exception and `failure=` a Twisted Failure all look the same."""
    log = logs.logger()
    try:
        fail(KeyError("gone"))
    except KeyError as error:
        log.exception("one")
        caught, failure = error, Failure()
    log.error("two", failure=caught)
    log.error("three", failure=failure)
    for line in lines():
        assert line["level"] == "error"
        assert line["error"] == "KeyError: 'gone'"
        assert "Traceback" in line["traceback"]
        assert list(line)[-1] == "traceback"


def test_twisted_events_take_the_same_form(lines: Lines) -> None:
    """New-style and legacy Twisted logging, and its failures, become our JSON."""
    TwistedLogger("gateway.test").warn("careful {what}", what="now")
    legacy_log.msg("an old message")
    try:
        fail(ValueError("inside"))
    except ValueError:
        TwistedLogger("gateway.test").failure("went wrong")
    first, second, third = lines()
    assert (first["level"], first["event"], first["source"]) == (
        "warning", "careful now", "gateway.test",
    )  # fmt: skip
    assert second["event"] == "an old message"
    assert third["level"] == "critical"
    assert third["error"] == "ValueError: inside"
    assert "ValueError: inside" in third["traceback"]


def test_library_records_take_the_same_form(lines: Lines) -> None:
    """The standard library's logging is bridged; chatty libraries below warning are not."""
    logging.getLogger("anything").info("count %d", 3)
    logging.getLogger("paramiko.transport").info("Connected (version 2.0)")
    logging.getLogger("paramiko.transport").error("Exception")
    assert [(line["source"], line["level"], line["event"]) for line in lines()] == [
        ("anything", "info", "count 3"),
        ("paramiko.transport", "error", "Exception"),
    ]


def test_a_library_that_words_its_message_wrongly_is_still_heard(lines: Lines) -> None:
    """A format string that does not fit its arguments must not stop the library."""
    record = logging.LogRecord("odd", logging.ERROR, "f", 1, "%d", ("not a number",), None)
    logs._LibraryHandler().emit(record)
    assert lines()[0]["event"] == "%d"


def test_at_debug_the_libraries_speak() -> None:
    """`debug` is for finding out: nothing is held back."""
    out = Lines()
    logs.configure("debug", out.stream)
    try:
        logging.getLogger("pika.connection").debug("frame")
    finally:
        logs.reset()
    assert "frame" in [line["event"] for line in out()]


def test_secret_keys_are_masked_at_any_depth(lines: Lines) -> None:
    """Fields named like secrets show ***, inside structures and our own structs too."""
    partner = Partner(name="acme", sftp=SftpAccess(password_hash="not even a hash"))
    logs.logger().info(
        "x",
        password="s3cret",
        headers={"Authorization": "Bearer s3cret", "list": [{"private_key": "s3cret"}]},
        rabbitmq_password="s3cret",
        partner_file=partner,
        password_file="/etc/gateway/password",
    )
    text = lines.stream.getvalue()
    assert "s3cret" not in text
    assert "not even a hash" not in text
    assert lines()[0]["password_file"] == "/etc/gateway/password", "a path is no secret"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("amqp://gateway:s3cret@broker:5672/", "s3cret"),
        (f"hash is {HASH}.", HASH),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "AAAA"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA", "AAAA"),
    ],
)
def test_secrets_inside_texts_are_masked(lines: Lines, text: str, secret: str) -> None:
    """Credentials in URLs, bcrypt hashes and private keys are cut out of any text, anyone's."""
    logs.logger().info(text)
    logs.logger().info("x", detail=text)
    logging.getLogger("pika").warning("%s", text)
    TwistedLogger("tw").info("{text}", text=text)
    try:
        fail(ValueError(text))
    except ValueError:
        logs.logger().exception("failed")
    assert len(lines()) == 5
    assert secret not in lines.stream.getvalue()


def test_a_hostile_name_stays_on_its_line(lines: Lines) -> None:
    """Newlines, control characters and undecodable bytes in a partner's file name are escaped."""
    logs.logger().info("upload", name='a\n{"level": "forged"}\x1b[2J\udcff')
    assert len(lines()) == 1
    assert "\x1b" not in lines.stream.getvalue()


def test_any_value_can_be_logged(lines: Lines) -> None:
    """Whatever is handed over becomes JSON; what cannot, is said instead of raised."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no words")

    logs.logger().info("x", a=b"\xff", b=float("nan"), c={1: {2}}, d=object, e=None)
    logs.logger().info("y", broken=Broken())
    first, second = lines()
    assert (first["a"], first["b"], first["c"], first["e"]) == ("\\xff", "nan", {"1": [2]}, None)
    assert second["event"] == "a log line could not be written"


def test_a_closed_stream_stops_nobody() -> None:
    """A daemon whose standard error is gone goes on."""
    stream = io.StringIO()
    logs.configure("info", stream)
    stream.close()
    try:
        logs.logger().info("into the void")
    finally:
        logs.reset()


def test_threads_do_not_mix_their_lines(lines: Lines) -> None:
    """Lines from several threads stay whole."""

    def speak(name: str) -> None:
        for index in range(50):
            logs.logger(thread=name).info("n", index=index)

    threads = [threading.Thread(target=speak, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines()) == 200


def test_reset_takes_everything_back() -> None:
    """After reset no handler of ours is left on the root logger or on Twisted's publisher."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.getLogger("pika").level)
    logs.configure("debug", io.StringIO())
    logs.configure("info", io.StringIO())
    logs.reset()
    assert (list(root.handlers), root.level, logging.getLogger("pika").level) == before
    assert logs._twisted_event not in globalLogPublisher._observers  # type: ignore[attr-defined]


def test_what_twisted_said_before_configure_is_not_lost() -> None:
    """Twisted buffers until logging begins; the first configure writes that out, and warnings."""
    code = (
        "from twisted.logger import Logger; Logger('early').info('first words')\n"
        "import warnings; from gateway import logs; logs.configure('info')\n"
        "warnings.warn('old ways', UserWarning)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert events[0] == "first words"
    assert "old ways" in events[1]


@given(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=30)
    | st.sampled_from(
        [HASH, "amqp://me:secret@host/", "-----BEGIN PRIVATE KEY-----\nAA", "$2 a ://"]
    )
)
def test_a_field_is_written_as_it_is_inside_a_list(value: Any) -> None:
    """What most fields are has a short way to the line: to the same characters."""
    stream = io.StringIO()
    try:
        logs.configure("info", stream, twisted=False)
        logs.logger().info("seen", field=value, list=[value])
    finally:
        logs.reset()
    _, _, written = stream.getvalue().partition('"field": ')
    field, _, inside = written.partition(', "list": [')
    assert inside == f"{field}]}}\n"
