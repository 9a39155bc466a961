"""The SFTP process's side of the conversation with the daemon: questions out, answers in.

One lock orders the frames on the pipe; one thread reads answers and wakes whoever asked.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import BinaryIO

from gateway import frames
from gateway.service.sftp_server import channel

SESSION_SECONDS = 10.0
OUT_SECONDS = 30.0
NO_ANSWER = "the gateway does not answer; try again later"


class _Question:
    """Waits for its answer; after it was given up, hands it to `late`."""

    def __init__(self, late: Callable[[channel.Answer], None] | None) -> None:
        self.answer: channel.Answer | None = None
        self.late = late
        self.given_up = False
        self._unanswered = threading.Lock()  # one lock where an Event is three
        self._unanswered.acquire()

    def wait(self, seconds: float) -> None:
        """Until `wake`, and no longer than that. Once."""
        self._unanswered.acquire(timeout=seconds)

    def wake(self) -> None:
        """The answer is here. Once."""
        self._unanswered.release()


class Daemon:
    """The daemon, as its SFTP process sees it. Methods block; any thread may call them."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._writing = threading.Lock()
        self._guard = threading.Lock()
        self._numbers = itertools.count(1)
        self._open: dict[int, _Question] = {}

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """One frame. Raises OSError when the daemon is gone."""
        with self._writing:
            frames.write_frame(self._pipe, kind, payload)

    def receive(
        self,
        partner: str,
        name: str,
        sha256: str,
        size: int,
        *,
        seconds: float,
        late: Callable[[channel.Answer], None],
    ) -> channel.Answer | None:
        """Ask that a file be taken in. None after `seconds`; an answer after that goes to `late`.

        `late` runs in the reading thread, or in this one.
        """
        return self._ask(
            lambda number: channel.Received(number, partner, name, sha256, size),
            seconds,
            late,
        )

    def may_open(self, partner: str) -> str | None:
        """Ask for one session more: None is yes, else the reason."""
        answer = self._ask(
            lambda number: channel.SessionWanted(number, partner),
            SESSION_SECONDS,
            lambda late: self.session_over(partner) if late.granted is not None else None,
        )
        if answer is None:
            return NO_ANSWER
        return answer.reason if answer.granted is None else None

    def may_log_in(self, address: str, login: str, proof: bytes) -> float | None:
        """After how many seconds the password may be looked at; None: not at all."""
        answer = self._ask(
            lambda number: channel.LoginWanted(number, address, login, proof),
            SESSION_SECONDS,
            lambda _: None,
        )
        return None if answer is None or answer.granted is None else answer.delay

    def tried(self, address: str, login: str, proof: bytes, right: bool) -> None:
        """A password was right or wrong."""
        self._tell(channel.LoginTried(address, login, proof, right))

    def fetched(self, partner: str, name: str) -> None:
        """A file of `out/` was read to its end. Nobody waits for the answer."""
        self._tell(channel.Fetched(0, partner, name))

    def may_go_fetched(self, partner: str, name: str) -> bool:
        """Whether a file of `out/` that was read to its end may be removed."""
        return self._may(lambda number: channel.Fetched(number, partner, name))

    def may_go_expired(self, partner: str, name: str) -> bool:
        """Whether a file of `out/` that has lain there long enough may be removed."""
        return self._may(lambda number: channel.Expired(number, partner, name))

    def session_over(self, partner: str) -> None:
        """Give a session back."""
        self._tell(channel.SessionEnded(partner))

    def answered(self, answer: channel.Answer) -> None:
        """The reading thread got an answer."""
        with self._guard:
            question = self._open.pop(answer.id, None)
            if question is None:
                return
            question.answer = answer
            late = question.late if question.given_up else None
        if late is not None:
            late(answer)
        else:
            question.wake()

    @property
    def waiting(self) -> int:
        """How many questions are open."""
        with self._guard:
            return sum(not question.given_up for question in self._open.values())

    def _tell(self, word: channel.Word) -> None:
        try:
            self.send(frames.DONE, channel.encode(word))
        except OSError:
            return  # The daemon is gone, and this process will be in a moment.

    def _may(self, word: Callable[[int], channel.Word]) -> bool:
        answer = self._ask(word, OUT_SECONDS, lambda _: None)
        return answer is not None and answer.granted is not None

    def _ask(
        self,
        word: Callable[[int], channel.Word],
        seconds: float,
        late: Callable[[channel.Answer], None],
    ) -> channel.Answer | None:
        question = _Question(late)
        with self._guard:
            number = next(self._numbers)
            self._open[number] = question
        try:
            self.send(frames.DONE, channel.encode(word(number)))
        except OSError:
            with self._guard:
                self._open.pop(number, None)
            return channel.Answer(number, None, NO_ANSWER)
        question.wait(seconds)
        with self._guard:
            question.given_up = question.answer is None
        return question.answer
