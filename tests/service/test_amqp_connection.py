"""Why RabbitMQ is away, in an operator's words."""

from __future__ import annotations

import pytest
from pika import exceptions

from gateway.config.settings import Rabbitmq
from gateway.service.amqp_connection import unavailable


@pytest.mark.parametrize(
    ("closed", "what", "remedy"),
    [
        (
            exceptions.ConnectionClosedByBroker(541, "INTERNAL_ERROR"),
            "failed inside: 541 INTERNAL_ERROR.",
            "start it once more",
        ),
        (
            exceptions.ConnectionClosedByBroker(
                320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
            ),
            "ended the connection: 320 CONNECTION_FORCED - broker forced",
            "connects again by itself",
        ),
        (
            exceptions.ConnectionClosedByBroker(530, "NOT_ALLOWED - vhost invoices not found"),
            "refused virtual host '/'",
            "rabbitmq.virtual_host",
        ),
        (ConnectionRefusedError("Connection refused"), "Connection refused.", "Check that it runs"),
    ],
)
def test_each_end_of_a_connection_says_what_to_do(
    closed: Exception, what: str, remedy: str
) -> None:
    """The broker's own fault, an operator's stop, ours and nobody's are told apart."""
    error = unavailable(closed, Rabbitmq(host="mq.example", port=5672))
    assert error.what.startswith("RabbitMQ at mq.example:5672")
    assert what in error.what
    assert remedy in error.remedy
