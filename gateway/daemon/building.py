"""Parts that take more than a line to build: the judges, and both ways to the broker."""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING, Any

from gateway.config import Configuration
from gateway.config.rule_files import rule_files
from gateway.service.amqp import AmqpPublisher
from gateway.service.amqp_consumer import RequestConsumer
from gateway.service.amqp_depths import Depths
from gateway.service.amqp_topology import queue_names
from gateway.service.judges import judge_boot, judging_budget
from gateway.service.partner_trial import PartnerTrial
from gateway.service.publications import FilePublisher
from gateway.service.replaceable_workers import ReplaceableWorkers
from gateway.service.status_requests import StatusRequests
from gateway.service.workers import WorkerPool

if TYPE_CHECKING:
    from gateway.daemon.parts import Parts


def judges_of(reactor: Any, configuration: Configuration, *, log: Any) -> ReplaceableWorkers:
    """The judges: one for each core, unless the settings say how many."""
    judges = configuration.settings.judges

    def pool(boot: bytes) -> WorkerPool:
        return WorkerPool(
            reactor,
            command=[sys.executable, "-m", "gateway.worker"],
            boot=boot,
            size=judges.processes or len(os.sched_getaffinity(0)),
            boot_limit=judges.boot_limit_seconds,
            budget=judging_budget(judges),
            log=log,
        )

    return ReplaceableWorkers(
        pool, judge_boot(configuration), log=log, files=rule_files(configuration)
    )


def broker_of(
    parts: Parts, reactor: Any, configuration: Configuration, *, log: Any
) -> AmqpPublisher | FilePublisher:
    """Where results go: RabbitMQ, or files where none is configured."""
    rabbitmq = configuration.settings.rabbitmq
    if not rabbitmq.host:
        return FilePublisher(reactor, parts.state / "publications")
    return AmqpPublisher(
        reactor,
        rabbitmq,
        password=configuration.rabbitmq_password,
        log=log,
        rng=random.Random(),  # noqa: S311  # spreads reconnects, hides nothing
        tests=parts.roster.any_test,
    )


def depths_of(parts: Parts, reactor: Any, configuration: Configuration) -> Depths:
    """How much waits in the broker's own queues."""
    broker, queue = parts.broker, configuration.settings.rabbitmq.requests_queue
    return Depths(
        reactor,
        broker if isinstance(broker, AmqpPublisher) else None,
        lambda: queue_names(tests=parts.roster.any_test(), requests_queue=queue),
    )


def partner_trial_of(
    parts: Parts, reactor: Any, configuration: Configuration, *, log: Any
) -> PartnerTrial:
    """Trials of a partner, by the files this gateway reads."""
    check = [sys.executable, "-m", "gateway", "partner", "check", "--json"]
    command = [*check, "--config", str(configuration.file)]
    return PartnerTrial(reactor, command, partners=parts.roster, log=log)


def requests_of(
    parts: Parts, reactor: Any, configuration: Configuration, *, log: Any
) -> RequestConsumer:
    """Statuses that a back office asks for by the broker."""
    settings = configuration.settings
    return RequestConsumer(
        reactor,
        settings.rabbitmq,
        password=configuration.rabbitmq_password,
        requests=StatusRequests(
            journal=parts.journal,
            spool=parts.spool,
            in_thread=parts.in_thread,
            checking=parts.judges,
            partners=parts.roster,
            we=settings.legal,
            inline_bytes=settings.outbox.inline_bytes,
            outbox_written=parts.outbox.wake,
            log=log,
        ),
        log=log,
        rng=random.Random(),  # noqa: S311  # spreads reconnects, hides nothing
    )
