"""What was sent on a channel and is not yet confirmed: a window, in order, with back-pressure.

RabbitMQ numbers the messages of a channel from 1 (the delivery tag) and confirms them one by one
or "all up to this one". A message that no queue wants is first returned (`basic.return`, which
carries the message and its `message_id` but no tag), then confirmed like any other. So a return
is remembered with the message it names until that message's confirm arrives. This module knows
neither the network nor a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred

from gateway.errors import GatewayError, MessageReturned, PublicationRefused


class Message:
    """One message from `submit` to its outcome. `size` is that of the body, in bytes."""

    __slots__ = ("done", "message_id", "returned", "send", "size")

    def __init__(self, message_id: str, size: int, send: Callable[[], None]) -> None:
        self.message_id = message_id
        self.size = size
        self.send = send
        self.returned: str | None = None
        self.done: Deferred[None]

    def tell(self, error: Exception | None) -> None:
        """Tell the outcome to whoever still listens."""
        if self.done.called:
            return
        if error is None:
            self.done.callback(None)
        else:
            self.done.errback(error)


Reason = Callable[[Message], GatewayError]
"""Makes the error a message fails with: one object each, since raising writes into it."""


class Confirms:
    """The window of one channel.

    At most `window` messages, and at most `window_bytes` of bodies, are sent and unconfirmed; a
    single message larger than that goes alone. The others wait in the order they came.
    """

    def __init__(self, window: int, window_bytes: int) -> None:
        self._window = window
        self._window_bytes = window_bytes
        self._next_tag = 1
        self._sent: dict[int, Message] = {}  # by tag; insertion order is tag order
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._refusal: Reason | None = None
        self._idle: list[Deferred[None]] = []
        self.confirmed = 0
        """How many messages the broker has confirmed so far."""

    @property
    def in_flight(self) -> int:
        """Messages sent and not yet confirmed."""
        return len(self._sent)

    def submit(self, message_id: str, size: int, send: Callable[[], None]) -> Deferred[None]:
        """Call `send` now, or when there is room; fire when the broker has the message.

        Fails with `MessageReturned`, `PublicationRefused` (negative confirm), with what
        `refuse` or `fail` were given, or with what `send` raised. Cancelling withdraws a message
        that waits; one that was sent is only no longer listened to.
        """
        message = Message(message_id, size, send)
        message.done = Deferred(lambda _: self._withdraw(message))
        if self._refusal is not None:
            message.tell(self._refusal(message))
            return message.done
        self._waiting.append(message)
        self._fill()
        return message.done

    def returned(self, message_id: str | None, reason: str) -> bool:
        """Note a `basic.return`; False if no message in flight has that id."""
        for message in self._sent.values():
            if message.message_id == message_id and message.returned is None:
                message.returned = reason
                return True
        return False

    def acked(self, tag: int, *, multiple: bool) -> None:
        """`basic.ack`: the broker has taken the message, or found no queue for it."""
        confirmed = self._take(tag, multiple=multiple)
        self.confirmed += len(confirmed)
        self._fill()
        for message in confirmed:
            message.tell(_no_queue(message) if message.returned else None)
        self._tell_idle()

    def nacked(self, tag: int, *, multiple: bool) -> None:
        """`basic.nack`: the broker could not take the message."""
        refused = self._take(tag, multiple=multiple)
        self._fill()
        for message in refused:
            message.tell(_no_queue(message) if message.returned else _nacked(message))
        self._tell_idle()

    @property
    def newest(self) -> int:
        """Tag of the message sent last; 0 before the first."""
        return self._next_tag - 1

    def expire(self, tag: int, seconds: float) -> None:
        """Wait no longer for the messages up to `tag`: they had `seconds` to be confirmed."""
        if tag <= 0:
            return
        late = self._take(tag, multiple=True)
        self._fill()
        for message in late:
            message.tell(_late(message, seconds))
        self._tell_idle()

    def refuse(self, reason: Reason) -> None:
        """Take no more: what waits fails now, what is in flight may still be confirmed."""
        self._refusal = reason
        waiting, self._waiting = self._waiting, deque()
        for message in waiting:
            message.tell(reason(message))

    def accept(self) -> None:
        """Take messages again after `refuse`."""
        self._refusal = None

    def fail(self, reason: Reason) -> None:
        """The channel is gone: nothing in flight will be confirmed any more."""
        sent, self._sent = self._sent, {}
        self._bytes = 0
        self.refuse(reason)
        for message in sent.values():
            message.tell(reason(message))
        self._tell_idle()

    def idle(self) -> Deferred[None]:
        """Fires when nothing is in flight."""
        idle: Deferred[None] = Deferred()
        self._idle.append(idle)
        self._tell_idle()
        return idle

    def _fill(self) -> None:
        while self._waiting:
            message = self._waiting[0]
            if self._sent and (
                len(self._sent) >= self._window or self._bytes + message.size > self._window_bytes
            ):
                return
            self._waiting.popleft()
            try:
                message.send()
            except Exception as error:
                # Nothing left this machine, so the channel did not count it either.
                message.tell(error)
                continue
            self._sent[self._next_tag] = message
            self._next_tag += 1
            self._bytes += message.size

    def _take(self, tag: int, *, multiple: bool) -> list[Message]:
        # A tag that is not known (any more) is no harm: its outcome was told already.
        if not multiple:
            tags = [tag] if tag in self._sent else []
        elif tag == 0:  # AMQP 0-9-1, basic.ack: "all outstanding messages"
            tags = list(self._sent)
        else:
            tags = []
            for sent in self._sent:
                if sent > tag:
                    break
                tags.append(sent)
        taken = [self._sent.pop(each) for each in tags]
        self._bytes -= sum(message.size for message in taken)
        return taken

    def _withdraw(self, message: Message) -> None:
        if message in self._waiting:
            self._waiting.remove(message)
            self._fill()

    def _tell_idle(self) -> None:
        if not self._sent:
            idle, self._idle = self._idle, []
            for each in idle:
                each.callback(None)


def _no_queue(message: Message) -> MessageReturned:
    return MessageReturned(
        f"RabbitMQ has no queue for message {message.message_id}: {message.returned}.",
        remedy="Bind a queue to that exchange for that routing key; it is then sent again.",
    )


def _nacked(message: Message) -> PublicationRefused:
    return PublicationRefused(
        f"RabbitMQ did not take message {message.message_id} (negative confirm).",
        remedy="A queue bound to this exchange is full or without a leader: see the broker's log.",
    )


def _late(message: Message, seconds: float) -> PublicationRefused:
    return PublicationRefused(
        f"RabbitMQ did not confirm message {message.message_id} within {seconds:g} seconds.",
        remedy="A queue bound to this exchange may have lost its majority: see the broker's log.",
    )
