"""The window of unconfirmed messages, without a network."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BrokerUnavailable, GatewayError, MessageReturned, PublicationRefused
from gateway.service.amqp_confirms import Confirms


class Wire:
    """Records what is sent, and the outcome of every message, in the order they happen."""

    def __init__(self, window: int = 100, window_bytes: int = 1_000_000) -> None:
        self.confirms = Confirms(window, window_bytes)
        self.sent: list[str] = []
        self.outcomes: dict[str, str] = {}

    def submit(self, name: str, size: int = 1) -> Any:
        """Offer a message of `size` bytes whose id is `name`."""
        done = self.confirms.submit(name, size, lambda: self.sent.append(name))
        done.addCallbacks(
            lambda _: self.outcomes.__setitem__(name, "confirmed"),
            lambda failure: self.outcomes.__setitem__(name, failure.type.__name__),
        )
        return done


def gone(_message: object) -> GatewayError:
    return BrokerUnavailable("gone")


def test_each_tag_confirms_its_own_message() -> None:
    """A confirm for one tag settles the message sent under it and no other."""
    wire = Wire()
    for name in "abc":
        wire.submit(name)
    wire.confirms.acked(2, multiple=False)
    assert wire.outcomes == {"b": "confirmed"}
    assert wire.confirms.in_flight == 2


def test_multiple_confirms_everything_up_to_the_tag() -> None:
    """`multiple` settles all messages up to the tag that are still in flight."""
    wire = Wire()
    for name in "abcd":
        wire.submit(name)
    wire.confirms.acked(1, multiple=False)
    wire.confirms.acked(3, multiple=True)
    assert wire.outcomes == dict.fromkeys("abc", "confirmed")


def test_tag_zero_with_multiple_means_all() -> None:
    """AMQP 0-9-1: delivery tag 0 with `multiple` is "all outstanding messages"."""
    wire = Wire()
    for name in "abc":
        wire.submit(name)
    wire.confirms.acked(0, multiple=True)
    assert wire.outcomes == dict.fromkeys("abc", "confirmed")


def test_return_is_told_to_the_message_it_names() -> None:
    """A return blames the message with its id, not the one that is confirmed next."""
    wire = Wire()
    for name in "abc":
        wire.submit(name)
    assert wire.confirms.returned("b", "312 NO_ROUTE")
    wire.confirms.acked(1, multiple=False)
    wire.confirms.acked(3, multiple=True)
    assert wire.outcomes == {"a": "confirmed", "b": "MessageReturned", "c": "confirmed"}


def test_returned_message_is_settled_by_its_confirm_only() -> None:
    """Between return and confirm the message still occupies its place in the window."""
    wire = Wire(window=1)
    wire.submit("a")
    wire.submit("b")
    wire.confirms.returned("a", "312 NO_ROUTE")
    assert wire.outcomes == {}
    assert wire.sent == ["a"]
    wire.confirms.acked(1, multiple=False)
    assert wire.outcomes == {"a": "MessageReturned"}
    assert wire.sent == ["a", "b"]


def test_two_returns_of_one_id_are_two_messages() -> None:
    """The same message in flight twice (sent again after a timeout) may come back twice."""
    wire = Wire()
    first, second = wire.submit("a"), wire.submit("a")
    assert wire.confirms.returned("a", "312 NO_ROUTE")
    assert wire.confirms.returned("a", "312 NO_ROUTE")
    assert not wire.confirms.returned("a", "312 NO_ROUTE")
    wire.confirms.acked(2, multiple=True)
    assert wire.outcomes == {"a": "MessageReturned"}
    assert first.called
    assert second.called


def test_unknown_return_is_reported() -> None:
    """A return that names nothing in flight, or nothing at all, is not pinned on anyone."""
    wire = Wire()
    wire.submit("a")
    assert not wire.confirms.returned("z", "312 NO_ROUTE")
    assert not wire.confirms.returned(None, "312 NO_ROUTE")
    wire.confirms.acked(1, multiple=False)
    assert wire.outcomes == {"a": "confirmed"}


def test_negative_confirm_refuses_the_message() -> None:
    """A nack is told as a refusal of that message: the connection is fine."""
    wire = Wire()
    wire.submit("a")
    wire.submit("b")
    wire.confirms.nacked(1, multiple=False)
    wire.confirms.acked(2, multiple=False)
    assert wire.outcomes == {"a": "PublicationRefused", "b": "confirmed"}


def test_second_confirm_of_a_tag_is_ignored() -> None:
    """Outcomes are told once, whatever the broker repeats."""
    wire = Wire()
    wire.submit("a")
    wire.confirms.acked(1, multiple=False)
    wire.confirms.nacked(1, multiple=False)
    wire.confirms.acked(1, multiple=True)
    assert wire.outcomes == {"a": "confirmed"}


def test_window_bounds_what_is_in_flight() -> None:
    """Beyond the window messages wait, and go out in order as places become free."""
    wire = Wire(window=2)
    for name in "abcde":
        wire.submit(name)
    assert wire.sent == ["a", "b"]
    wire.confirms.acked(1, multiple=False)
    assert wire.sent == ["a", "b", "c"]
    wire.confirms.acked(3, multiple=True)
    assert wire.sent == ["a", "b", "c", "d", "e"]


def test_window_counts_bytes_too() -> None:
    """Large bodies fill the window sooner; one that is larger than the window goes alone."""
    wire = Wire(window_bytes=100)
    wire.submit("a", 60)
    wire.submit("b", 50)
    wire.submit("huge", 500)
    wire.submit("c", 1)
    assert wire.sent == ["a"]
    wire.confirms.acked(1, multiple=False)
    assert wire.sent == ["a", "b"]
    wire.confirms.acked(2, multiple=False)
    assert wire.sent == ["a", "b", "huge"]
    wire.confirms.acked(3, multiple=False)
    assert wire.sent == ["a", "b", "huge", "c"]


def test_message_submitted_from_an_outcome_waits_its_turn() -> None:
    """Code that reacts to a confirm by publishing more does not overtake those who wait."""
    wire = Wire(window=1)
    wire.submit("a").addCallback(lambda _: wire.submit("c"))
    wire.submit("b")
    wire.confirms.acked(1, multiple=False)
    wire.confirms.acked(2, multiple=False)
    assert wire.sent == ["a", "b", "c"]


def test_lost_channel_fails_what_is_in_flight_and_what_waits() -> None:
    """Nothing stays pending after the channel is gone, and nothing more is taken."""
    wire = Wire(window=1)
    for name in "ab":
        wire.submit(name)
    wire.confirms.fail(gone)
    wire.submit("c")
    assert wire.outcomes == dict.fromkeys("abc", "BrokerUnavailable")
    assert wire.sent == ["a"]
    assert wire.confirms.in_flight == 0


def test_lost_channel_may_have_a_reason_for_each_message() -> None:
    """The one message that broke the channel hears another reason than its neighbours."""
    wire = Wire()
    for name, size in (("small", 1), ("large", 1000)):
        wire.submit(name, size)
    wire.confirms.fail(
        lambda message: PublicationRefused("large") if message.size > 100 else gone(message)
    )
    assert wire.outcomes == {"small": "BrokerUnavailable", "large": "PublicationRefused"}


def test_refused_window_still_hears_confirms() -> None:
    """While the broker takes nothing more, what is in flight may be confirmed."""
    wire = Wire(window=1)
    wire.submit("a")
    wire.submit("b")
    wire.confirms.refuse(gone)
    wire.submit("c")
    assert wire.outcomes == dict.fromkeys("bc", "BrokerUnavailable")
    wire.confirms.acked(1, multiple=False)
    wire.confirms.accept()
    wire.submit("d")
    assert wire.outcomes["a"] == "confirmed"
    assert wire.sent == ["a", "d"]


def test_message_that_cannot_be_written_uses_no_tag() -> None:
    """The broker counts what reaches it; a message that never left must not shift the count."""
    wire = Wire()

    def fail() -> None:
        raise PublicationRefused("routing key too long")

    refused = wire.confirms.submit("bad", 1, fail)
    refused.addErrback(lambda failure: failure.trap(PublicationRefused))
    wire.submit("a")
    wire.confirms.acked(1, multiple=False)
    assert refused.called
    assert wire.outcomes == {"a": "confirmed"}


def test_cancelled_message_that_waits_is_never_sent() -> None:
    """Who gives up before a place was free takes the message back."""
    wire = Wire(window=1)
    wire.submit("a")
    wire.submit("b").cancel()
    wire.submit("c")
    wire.confirms.acked(1, multiple=False)
    assert wire.sent == ["a", "c"]
    assert wire.outcomes["b"] == "CancelledError"


def test_cancelled_message_in_flight_keeps_its_place() -> None:
    """Who gives up after sending is not told any more; the window still counts the message."""
    wire = Wire(window=1)
    wire.submit("a").cancel()
    wire.submit("b")
    assert wire.sent == ["a"]
    wire.confirms.acked(1, multiple=False)
    assert wire.sent == ["a", "b"]
    assert wire.outcomes == {"a": "CancelledError"}


def test_late_messages_are_given_up_and_their_places_freed() -> None:
    """What was never confirmed is refused; a confirm that comes after all changes nothing."""
    wire = Wire(window=2)
    for name in "abc":
        wire.submit(name)
    wire.confirms.expire(0, 60)
    assert wire.outcomes == {}
    wire.confirms.expire(1, 60)
    assert wire.outcomes == {"a": "PublicationRefused"}
    assert wire.sent == ["a", "b", "c"]
    wire.confirms.acked(3, multiple=True)
    assert wire.outcomes == {"a": "PublicationRefused", "b": "confirmed", "c": "confirmed"}


def test_idle_fires_when_nothing_is_in_flight() -> None:
    """A stop waits for the last confirm, and not at all when there is none to wait for."""
    wire = Wire()
    assert wire.confirms.idle().called
    wire.submit("a")
    idle = wire.confirms.idle()
    assert not idle.called
    wire.confirms.acked(1, multiple=False)
    assert idle.called


@given(
    window=st.integers(1, 5),
    steps=st.lists(
        st.one_of(
            st.just("submit"),
            st.tuples(st.sampled_from(["ack", "nack"]), st.integers(1, 12), st.booleans()),
            st.tuples(st.just("return"), st.integers(1, 12)),
        ),
        max_size=40,
    ),
)
def test_every_message_has_exactly_one_outcome(window: int, steps: list[Any]) -> None:
    """Whatever the broker says, in any order, the window holds and outcomes are told once."""
    wire = Wire(window=window)
    submitted: list[str] = []
    for step in steps:
        if step == "submit":
            submitted.append(f"m{len(submitted) + 1}")
            wire.submit(submitted[-1])
        elif step[0] == "return":
            wire.confirms.returned(f"m{step[1]}", "312 NO_ROUTE")
        else:
            settle = wire.confirms.acked if step[0] == "ack" else wire.confirms.nacked
            settle(step[1], multiple=step[2])
        assert wire.confirms.in_flight <= window
        assert wire.sent == submitted[: len(wire.sent)]
        assert len(wire.outcomes) + wire.confirms.in_flight == len(wire.sent)
    wire.confirms.fail(gone)
    assert sorted(wire.outcomes) == sorted(submitted)


@pytest.mark.parametrize("settle", ["acked", "nacked"])
def test_returned_message_says_so_however_it_is_confirmed(settle: str) -> None:
    """The operator reads "no queue", which is what needs mending."""
    confirms = Confirms(10, 1000)
    done = confirms.submit("a", 1, lambda: None)
    confirms.returned("a", "312 NO_ROUTE, exchange edi.documents, routing key x.y.z")
    getattr(confirms, settle)(1, multiple=False)
    failures: list[Any] = []
    done.addErrback(failures.append)
    assert failures[0].check(MessageReturned)
    assert "routing key x.y.z" in str(failures[0].value)
    assert "Bind a queue" in str(failures[0].value)
