"""One JSON object per line for everything that is logged: ours, Twisted's, the libraries'.

    {"timestamp": "2026-01-05T09:30:00.123456Z", "level": "info", "event": "received",
     "interchange": "…", "partner": "acme", "flow": "ctc-fr-invoice", …}

Context is bound explicitly: `log = logger(partner="acme")`, then `log.bind(interchange=…)`.
Context variables would be empty in worker threads, so none are used, and structlog's global
configuration is left alone. What looks like a secret is masked on the way out, whoever logs it.

Before `configure` is called, warnings and errors of our own go to standard error.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import math
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from functools import lru_cache, partial
from typing import Any, Protocol, TextIO

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from gateway.harmless import harmless

Logger = FilteringBoundLogger
"""What `logger` returns; services take one in their constructor."""

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

MASK = "***"
_SECRET_KEY = re.compile(
    r"(^|[_\s.-])(password|passwd|passphrase|secret|token|authorization|cookie|credentials?"
    r"|private_?key|api_?key|password_hash)$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}"
    r"|(?<=://)[^\s/@:]*:[^\s/@]*(?=@)",
    re.DOTALL,
)

_QUIET_LIBRARIES = ("paramiko", "pika", "alembic", "sqlalchemy", "xmlschema", "asyncio")
"""Their `info` tells the life of every socket; below `warning` they speak only at `debug`."""


class _Output:
    """Where lines go, and from which level on. Safe to write to from any thread."""

    def __init__(self) -> None:
        self.threshold = LEVELS["warning"]
        self.stream: TextIO | None = None
        self.twisted_begun = False
        self._lock = threading.Lock()

    def write(self, fields: MutableMapping[str, Any]) -> None:
        """One event as one line. Never raises: a log must not stop what it describes."""
        if LEVELS.get(fields.get("level", "error"), 40) < self.threshold:
            return
        line = _line(fields)
        stream = self.stream or sys.stderr
        with self._lock, contextlib.suppress(OSError, ValueError):  # ValueError: closed
            stream.write(line + "\n")
            stream.flush()


_output = _Output()


class _Sink:
    """What structlog's bound loggers end in: every method takes the event's fields."""

    def msg(self, **fields: Any) -> None:
        _output.write(fields)

    debug = info = warning = warn = error = critical = exception = err = failure = fatal = msg


def _add_level(_logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
    level = {"warn": "warning", "exception": "error", "fatal": "critical"}.get(method, method)
    if LEVELS.get(level, 40) < _output.threshold:
        raise structlog.DropEvent
    event["level"] = level
    return event


_WRAPPER = structlog.make_filtering_bound_logger(logging.DEBUG)


def logger(**context: Any) -> Logger:
    """A logger with `context` on every line. Keys: `interchange`, `partner`, `flow`, others.

    `log.info("received", size=5)`; `log.error("failed", failure=error)` (an exception or a
    Twisted Failure) puts the traceback into one field, as `log.exception` does by itself.
    """
    bound: Logger = structlog.wrap_logger(
        _Sink(), processors=[_add_level], wrapper_class=_WRAPPER, context_class=dict
    ).bind(**context)
    return bound


def configure(level: str = "info", stream: TextIO | None = None, *, twisted: bool = True) -> None:
    """Write everything from `level` on to `stream` (None: standard error at that moment).

    From now on Twisted's log and the standard library's come out in the same form. Calling it
    again replaces what was configured. A process that does without Twisted says `twisted=False`.
    """
    reset()
    _output.threshold = LEVELS[level]
    _output.stream = stream
    root = logging.getLogger()
    handler = _LibraryHandler()
    root.addHandler(handler)
    _undo.append(lambda: root.removeHandler(handler))
    for target, wanted in _levels(level):
        _undo.append(partial(target.setLevel, target.level))
        target.setLevel(wanted)
    if twisted:
        _observe_twisted()


def set_level(level: str) -> None:
    """Log from another level on, as `configure` would. Before it was called nothing happens."""
    if _undo:
        _output.threshold = LEVELS[level]
        for target, wanted in _levels(level):
            target.setLevel(wanted)


def reset() -> None:
    """Take back what `configure` did. For tests, which share one process."""
    while _undo:
        _undo.pop()()
    _output.threshold, _output.stream = LEVELS["warning"], None


_undo: list[Callable[[], object]] = []


def _levels(level: str) -> Iterator[tuple[logging.Logger, int]]:
    """What each logger of the standard library's is set to."""
    yield logging.getLogger(), LEVELS[level]
    quiet = LEVELS[level] if level == "debug" else max(LEVELS[level], LEVELS["warning"])
    for name in _QUIET_LIBRARIES:
        yield logging.getLogger(name), quiet


# ── bridges ────────────────────────────────────────────────────────────────────────────────


class _LibraryHandler(logging.Handler):
    """Records of the standard library's logging, in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event = record.getMessage()
        except Exception:  # a library's broken format string must not stop the library
            event = str(record.msg)
        fields: dict[str, Any] = {
            "timestamp": _utc(record.created),
            "level": _nearest(record.levelno),
            "event": event,
            "source": record.name,
        }
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        _output.write(fields)


def _observe_twisted() -> None:
    import warnings

    from twisted.logger import globalLogBeginner, globalLogPublisher

    observer: Any = _twisted_event
    if _output.twisted_begun:
        globalLogPublisher.addObserver(observer)
    else:
        # The beginner also hands over what Twisted buffered since the process started, and
        # turns Python's warnings into log events.
        _output.twisted_begun = True
        show_warning = warnings.showwarning
        globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
        _undo.append(lambda: setattr(warnings, "showwarning", show_warning))
    _undo.append(lambda: globalLogPublisher.removeObserver(observer))


def _twisted_event(event: dict[str, Any]) -> None:
    from twisted.logger import formatEvent

    word = getattr(event.get("log_level"), "name", "info")
    failure = event.get("log_failure")
    fields: dict[str, Any] = {
        "timestamp": _utc(event["log_time"]),
        "level": "warning" if word == "warn" else word,
        "event": formatEvent(event) or ("unhandled failure" if failure else ""),
        "source": event.get("log_namespace", "twisted"),
    }
    if failure is not None:
        fields["failure"] = failure
    _output.write(fields)


# ── one line ───────────────────────────────────────────────────────────────────────────────


class _TwistedFailure(Protocol):
    """What is needed of twisted.python.failure.Failure, without loading Twisted."""

    value: BaseException

    def getTraceback(self) -> str: ...  # noqa: N802 (Twisted's name)


def _line(fields: MutableMapping[str, Any]) -> str:
    try:
        return harmless(_object(_ordered(dict(fields))))
    except Exception as error:
        problem = {
            "timestamp": _utc(None),
            "level": "error",
            "event": "a log line could not be written",
            "error": _plain_text(f"{type(error).__name__}: {error}"),
        }
        return harmless(_to_json(problem))


def _ordered(fields: dict[str, Any]) -> dict[str, Any]:
    """Timestamp, level and event first, the traceback last."""
    problem = fields.pop("failure", None) or fields.pop("exc_info", None)
    fields.pop("exc_info", None)
    head = {
        "timestamp": fields.pop("timestamp", None) or _utc(None),
        "level": fields.pop("level", "info"),
        "event": fields.pop("event", ""),
    }
    tail: dict[str, Any] = _failure_fields(problem) if problem else {}
    return {**head, **fields, **tail}


def _object(fields: dict[str, Any]) -> str:
    """The fields as JSON, secrets masked. What most fields are, ASCII and numbers, goes quickly."""
    members = []
    for key, value in fields.items():
        label, secret = _label(str(key))
        if secret:
            written = _to_json(_masked(key, value))
        elif value.__class__ is str:
            written = _quoted(_plain_text(value))
        elif value is None:
            written = "null"
        elif value.__class__ is int:
            written = str(value)
        else:
            written = _to_json(_masked(key, value))
        members.append(label + written)
    return "{" + ", ".join(members) + "}"


def _failure_fields(problem: Any) -> dict[str, str]:
    if problem is True or isinstance(problem, tuple):
        problem = (sys.exc_info() if problem is True else problem)[1]
    if hasattr(problem, "getTraceback"):  # first: a Failure is an exception as well
        failure: _TwistedFailure = problem
        error = f"{type(failure.value).__name__}: {failure.value}"
        return {"error": error, "traceback": failure.getTraceback()}
    if isinstance(problem, BaseException):
        lines = traceback.format_exception(problem)
        return {"error": f"{type(problem).__name__}: {problem}", "traceback": "".join(lines)}
    return {"error": str(problem)} if problem else {}


def _masked(key: Any, value: Any) -> Any:
    """`value` as JSON can hold it, without secrets in it at any depth."""
    if value is not None and not isinstance(value, bool) and _names_secret(str(key)):
        return MASK
    if isinstance(value, str):
        return _plain_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (int, type(None))):
        return value
    if isinstance(value, dict):
        return {_plain_text(str(inner)): _masked(inner, item) for inner, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked("", item) for item in value]
    if isinstance(value, msgspec.Struct):
        return {name: _masked(name, getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return _plain_text(value.decode("utf-8", "backslashreplace"))
    return _plain_text(str(value))


def _plain_text(text: str) -> str:
    """Masked, and without lone surrogates: a partner's file name may hold any byte."""
    if "://" in text or "$2" in text or "-----BEGIN " in text:  # in all that it finds: quicker
        text = _SECRET_TEXT.sub(MASK, text)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


_to_json = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


def _quoted(text: str) -> str:
    quoted: str = json.encoder.encode_basestring(text)
    return quoted


@lru_cache(maxsize=1024)
def _names_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


@lru_cache(maxsize=1024)
def _label(key: str) -> tuple[str, bool]:
    """How a member with this name begins, and whether its value is a secret."""
    return f"{_quoted(key)}: ", _names_secret(key)


def _utc(seconds: float | None) -> str:
    moment = (
        dt.datetime.now(dt.UTC) if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
    )
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def _nearest(number: int) -> str:
    """The highest of our levels that is not above a numeric one."""
    return max((value, word) for word, value in LEVELS.items() if value <= max(number, 10))[1]
