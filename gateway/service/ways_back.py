"""The outbox's ways to a partner, by the channel an acknowledgement is addressed to.

What a partner sent comes back by the channel it uses; where that takes nothing, by another one it
has. The parts behind the ways are there once the daemon has built them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.errors import DeliveryFailed
from gateway.model.interchange import Transport
from gateway.model.partner import Partner
from gateway.service.as2 import As2Service
from gateway.service.as2.service import MDN_CHANNEL
from gateway.service.folder_watches import FolderWatches
from gateway.service.intake import InThread
from gateway.service.journal import records
from gateway.service.outbox import Send
from gateway.service.sftp_client import SftpClients
from gateway.service.sftp_server import place_in_out
from gateway.spool import Spool


class WaysBack:
    """Delivers acknowledgements and receipts to partners. `as2` None: it is switched off."""

    folders: FolderWatches
    remotes: SftpClients

    def __init__(
        self,
        *,
        state: Path,
        partners: Mapping[str, Partner],
        spool: Spool,
        in_thread: InThread,
        log: Any,
    ) -> None:
        self._state = state
        self._partners = partners
        self._spool = spool
        self._in_thread = in_thread
        self._log = log
        self.as2: As2Service | None = None

    def channels(self) -> dict[str, Send]:
        """For the outbox: destination → how to deliver there."""
        return {
            Transport.SFTP.value: self.to_out,
            Transport.SFTP_REMOTE.value: self._to_remote,
            Transport.FOLDER.value: self._to_folder,
            Transport.HTTPS.value: _ready_for_retrieval,
            Transport.WEB.value: _ready_for_retrieval,
            Transport.AS2.value: self._to_as2,
            MDN_CHANNEL: self._receipt_to_as2,
        }

    async def to_out(self, row: records.OutboxRow) -> None:
        """Into the partner's `out/` on our SFTP server. Raises `DeliveryFailed`."""
        if row.filename is None:
            raise DeliveryFailed(f"Outbox row {row.id} names no file for the partner.")
        try:
            body = row.body
            if row.payload is not None:
                body = await self._in_thread(self._spool.path(row.payload).read_bytes)
            await self._in_thread(place_in_out, self._state, row.partner, row.filename, body)
        except OSError as error:
            raise DeliveryFailed(
                f"{row.filename} could not be put in {row.partner}'s out/: {error}.",
                remedy="Check the disk and the rights of the state directory.",
            ) from error

    async def otherwise(self, row: records.OutboxRow) -> None:
        """A report for a partner that sends by AS2 and takes none: by another way it has."""
        partner = self._partners.get(row.partner)
        if partner is not None and partner.sftp is not None:
            await self.to_out(row)
        elif partner is not None and partner.folder is not None:
            await self._to_folder(row)
        elif partner is not None and partner.sftp_remote is not None:
            await self._to_remote(row)
        else:  # RabbitMQ has it, and so has GET /v1/interchanges/ID/acknowledgements
            self._log.info(
                "report_not_sent",
                partner=row.partner,
                interchange=row.interchange_id,
                flow=row.headers.get("flow"),
                remedy="Set as2.url of the partner if it wants reports.",
            )

    async def _to_folder(self, row: records.OutboxRow) -> None:
        await self.folders.deliver(row)

    async def _to_remote(self, row: records.OutboxRow) -> None:
        await self.remotes.deliver(row)

    async def _to_as2(self, row: records.OutboxRow) -> None:
        await self._as2_for(row).deliver(row)

    async def _receipt_to_as2(self, row: records.OutboxRow) -> None:
        await self._as2_for(row).deliver_receipt(row)

    def _as2_for(self, row: records.OutboxRow) -> As2Service:
        if self.as2 is None:
            raise DeliveryFailed(
                f"AS2 is switched off; {row.filename} for {row.partner} waits.",
                remedy="Set as2.id and http.enabled, and restart the gateway.",
            )
        return self.as2


async def _ready_for_retrieval(row: records.OutboxRow) -> None:
    """What the partner fetches, over HTTPS or in the console: it is delivered by lying ready."""
