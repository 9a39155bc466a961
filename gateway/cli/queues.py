"""`edi-gateway queues`: what waits for which destination, what is held, what is dead.

Reads the journal only; with `--broker` the running gateway is asked for the broker's own queues.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path

import msgspec
from tabulate import tabulate

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.service.broker_queues import BrokerQueues, Known
from gateway.service.journal import open_reader
from gateway.service.journal.delivery_records import Circuit, Hold, holds_in_force, open_circuits
from gateway.service.journal.queue_records import Queue, queues

_HEADERS = ("destination", "partner", "waiting", "held", "in turn", "dead", "oldest", "attempts")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument(
        "--broker",
        action="store_true",
        help="also what waits in the broker's own queues; the running gateway is asked",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line")


def run(args: argparse.Namespace) -> int:
    """0, or 1 when something is dead: it needs a human."""
    path = options.journal_path(args)
    broker = _broker_queues(path.parent) if args.broker else None
    with open_reader(path).connect() as conn:
        found = queues(conn, committed=committed_flows(args))
        circuits = open_circuits(conn)
        holds = holds_in_force(conn)
    now = dt.datetime.now(dt.UTC)
    if args.json:
        _print_json(found, circuits, holds)
        if broker is not None:
            print(json.dumps({"kind": "broker", **msgspec.to_builtins(broker)}))
    else:
        _print(found, circuits, holds, now)
        for line in broker_lines(broker) if broker is not None else ():
            print(f"\n{line}")
    return 1 if any(queue.dead for queue in found) else 0


def _broker_queues(state: Path) -> BrokerQueues:
    """What the running gateway knows of them. Raises what `ask` does."""
    answer = ask(state, "broker-queues", tells="edi-gateway queues --broker", seconds=30.0)
    return msgspec.convert({k: v for k, v in answer.items() if k != "ok"}, BrokerQueues)


def broker_lines(found: BrokerQueues) -> list[str]:
    """The broker's own queues, or why nothing is known of them, for people."""
    if found.known is not Known.ANSWERED:
        said = f" It said: {options.shorten(found.error, 300)}" if found.error else ""
        return [f"{_UNKNOWN[found.known]}{said}"]
    cells = [
        (
            each.queue,
            "?" if each.messages is None else str(each.messages),
            "?" if each.consumers is None else str(each.consumers),
            options.shorten(each.error, 120),
        )
        for each in found.queues
    ]
    headers = ("at the broker", "messages", "consumers", "")
    return [tabulate(cells, headers, disable_numparse=True)]


_UNKNOWN = {
    Known.FILES: "There is no broker: results are files (rabbitmq.host is empty).",
    Known.AWAY: "The broker is away.",
    Known.BLOCKED: "The broker is short of memory or disk, and tells nothing now.",
    Known.ASKED: "The broker has not answered yet.",
    Known.SILENT: "The broker did not say what waits there.",
}


def committed_flows(args: argparse.Namespace) -> list[str]:
    """Flows whose acknowledgements do not wait for their results, if settings are to be read."""
    if args.state_dir is not None:
        return []
    flows = options.configuration(args).flows.values()
    return [flow.name for flow in flows if flow.acknowledge_when == "committed"]


def _print_json(found: list[Queue], circuits: list[Circuit], holds: list[Hold]) -> None:
    away = {(circuit.destination, circuit.partner): circuit for circuit in circuits}
    for queue in found:
        circuit = away.pop((queue.destination, queue.partner), None)
        said = msgspec.to_builtins(queue)
        said["away"] = None if circuit is None else msgspec.to_builtins(circuit)
        print(json.dumps({"kind": "queue", **said}))
    for circuit in away.values():
        print(json.dumps({"kind": "away", **msgspec.to_builtins(circuit)}))
    for hold in holds:
        print(json.dumps({"kind": "hold", **msgspec.to_builtins(hold)}))


def _print(
    found: list[Queue], circuits: list[Circuit], holds: list[Hold], now: dt.datetime
) -> None:
    if found:
        print(tabulate([_row(queue, now) for queue in found], _HEADERS, disable_numparse=True))
    else:
        print("Nothing waits.")
    for queue in found:
        if queue.last_error:
            where = " ".join(filter(None, (queue.destination, queue.partner)))
            again = ""
            if queue.next_attempt_at is not None and queue.next_attempt_at > now:
                again = f" (next attempt in {options.age(queue.next_attempt_at, now)})"
            print(f"\n{where}: {options.shorten(queue.last_error, 500)}{again}")
    for line in circuit_lines(circuits, now) + hold_lines(holds, now):
        print(f"\n{line}")
    dead = sum(queue.dead for queue in found)
    if dead:
        print(
            f"\n{dead} dead: refused so often that they are not tried any more. Once the cause is"
            " mended: edi-gateway resend --dead, or resend ID"
        )


def circuit_lines(circuits: list[Circuit], now: dt.datetime) -> list[str]:
    """What does not answer, for people."""
    return [
        f"{' '.join(filter(None, (each.destination, each.partner)))} has not answered for"
        f" {options.age(now, each.opened_at)} ({each.failures} failures in a row); one message at a"
        f" time is tried: {options.shorten(each.error, 300)}"
        for each in circuits
    ]


def hold_lines(holds: list[Hold], now: dt.datetime) -> list[str]:
    """What is held, for people."""
    return [
        f"Held by {options.printable(hold.placed_by)} for {options.age(now, hold.placed_at)}:"
        f" {hold.subject} ({options.printable(hold.reason)})"
        for hold in holds
    ]


def _row(queue: Queue, now: dt.datetime) -> tuple[str, ...]:
    return (
        queue.destination,
        queue.partner,
        str(queue.waiting),
        str(queue.held),
        str(queue.before_turn),
        str(queue.dead),
        f"{options.age(now, queue.oldest)} ago",
        str(queue.attempts),
    )
