"""Whether a state directory is well: journal and spool agree, nothing is stuck, all is private."""

from gateway.service.doctor.folder_checks import folder_troubles
from gateway.service.doctor.journal_checks import journal_troubles
from gateway.service.doctor.mending import Mender, mend_folders, mend_stopped
from gateway.service.doctor.payload_checks import payload_troubles
from gateway.service.doctor.troubles import Trouble

__all__ = [
    "Mender",
    "Trouble",
    "folder_troubles",
    "journal_troubles",
    "mend_folders",
    "mend_stopped",
    "payload_troubles",
]
