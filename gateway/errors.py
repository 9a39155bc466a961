"""Every failure of our own, with its disposition.

Bad partner data is never an exception that leaves the core: it is a finding. An exception says
that the gateway, its configuration or its surroundings failed. Each class states whose fault it
is and whether trying again can help; its message is written for the operator who reads it: what
happened, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Disposition(StrEnum):
    """What the line does with a document or a connection after this failure."""

    RETRY = "retry"
    """Passing trouble: try again by itself, with back-off."""
    QUARANTINE = "quarantine"
    """Trying again does not help: keep the bytes, tell an operator."""
    REFUSE = "refuse"
    """Tell the partner "not received": nothing was promised, the partner still owns the file."""
    STOP = "stop"
    """The daemon (or command) cannot start or go on."""


class GatewayError(Exception):
    """Base of every failure of our own.

    `remedy` is what the operator can do, in one sentence.
    """

    disposition = Disposition.QUARANTINE

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".strip()


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong in the configuration: in which file, at which key, what, and the way out.

    `key` is a path as TOML writes it (`sftp.port`, `chain[1].rules[0]`), or "" when the whole
    file is meant. `what` never repeats a value that could be a secret.
    """

    file: str
    key: str = ""
    what: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else self.file
        return f"{place}\n    {self.what}\n    → {self.remedy}"


class ConfigurationError(GatewayError):
    """A setting, flow, partner or rule pack that cannot be used. Carries every fault found."""

    disposition = Disposition.STOP

    def __init__(self, what: str, *, remedy: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(what, remedy=remedy)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n\n".join([super().__str__(), *map(str, self.faults)])


class AddressUnavailable(GatewayError):
    """An address to listen on is somebody else's now, or not one of this machine yet.

    The gateway does not start, but it may when it is started again: the address comes with the
    network, and an outgoing connection gives the port back.
    """

    disposition = Disposition.STOP


class RulePackError(GatewayError):
    """A rule pack is missing, altered, does not compile or failed to run."""

    disposition = Disposition.QUARANTINE


class WorkerDied(GatewayError):
    """A worker process ended while it held this job."""

    disposition = Disposition.RETRY


class WorkerTimeout(GatewayError):
    """A worker process exceeded its time limit for this job and was killed."""

    disposition = Disposition.RETRY


class WorkerUnprepared(GatewayError):
    """A worker process ended while it compiled what jobs need: no fault of the job it held."""

    disposition = Disposition.RETRY


class WorkersBroken(GatewayError):
    """Workers fail while they start, so respawning was stopped; no job can run."""

    disposition = Disposition.STOP


class WorkersStopped(WorkersBroken):
    """The workers are being stopped with the gateway: the job was not run, and nothing is wrong."""

    disposition = Disposition.RETRY


class CryptoFailed(GatewayError):
    """Something of our own kept an AS2 message from being opened or made: a key, a certificate."""

    disposition = Disposition.RETRY


class ScratchFull(GatewayError):
    """Unpacking an archive would take more of the disk than it may."""

    disposition = Disposition.RETRY


class AntivirusUnavailable(GatewayError):
    """The virus scanner could not be asked, or did not look at the whole of a payload."""

    disposition = Disposition.RETRY


class SpoolError(GatewayError):
    """A payload could not be made durable, or is no longer what its name says."""

    disposition = Disposition.REFUSE


class SpoolHeld(SpoolError):
    """Nothing can be removed from the spool now: somebody copies what is in it."""

    disposition = Disposition.RETRY


class BackupFailed(GatewayError):
    """A backup could not be made, or is not one to restore from."""

    disposition = Disposition.STOP


class JournalError(GatewayError):
    """The journal could not be read or written."""

    disposition = Disposition.REFUSE


class StateInUse(ConfigurationError, JournalError):
    """Another gateway runs on this state directory: one of the two is set up wrongly."""

    disposition = Disposition.STOP


class IntakeRefused(GatewayError):
    """Intake takes nothing now (stopping, disk full, journal away)."""

    disposition = Disposition.REFUSE


class FolderUnusable(GatewayError):
    """Our user may not read or move what another program puts into a watched folder."""

    disposition = Disposition.RETRY


class BrokerUnavailable(GatewayError):
    """The broker is away, or refused the publication: it stays in the outbox."""

    disposition = Disposition.RETRY


class MessageReturned(GatewayError):
    """The broker has no queue for this message: it stays in the outbox, visible."""

    disposition = Disposition.RETRY


class PublicationRefused(GatewayError):
    """The broker takes other messages but not this one (its queue is full, say)."""

    disposition = Disposition.RETRY


class PublicationImpossible(PublicationRefused):
    """No broker set up like this one would take this message: it is too large, say."""


class DeliveryFailed(GatewayError):
    """An acknowledgement could not be handed to the partner's channel."""

    disposition = Disposition.RETRY


class DeliveryRefused(DeliveryFailed):
    """The partner's side has read this very message and says no to it: it answers, though."""


class DestinationAway(DeliveryFailed):
    """Nothing was sent: it is known already that the partner's side does not answer."""


class DeliveryAwaited(DeliveryFailed):
    """The partner has the message and owes a receipt: nothing went wrong, `seconds` are allowed."""

    def __init__(
        self,
        what: str,
        *,
        seconds: float,
        remedy: str = "Nothing to do: without a receipt it is sent again.",
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.seconds = seconds


class DeliveryUnderWay(DeliveryAwaited):
    """It takes long and goes on by itself: what comes of it is not known yet."""


class DeliveryPutOff(DeliveryAwaited):
    """Nothing was sent: others to the same partner have to end before."""


class DuplicateMessage(GatewayError):
    """A Message-ID that stands for other content already, from a partner who may not do that."""

    disposition = Disposition.REFUSE
