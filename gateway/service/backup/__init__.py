"""Backups of a state directory, and the way back: made while the gateway runs, proven by sums."""

from gateway.service.backup.layout import Manifest, complete, newest
from gateway.service.backup.making import Made, make_backup
from gateway.service.backup.restoring import Restored, restore, verify

__all__ = [
    "Made",
    "Manifest",
    "Restored",
    "complete",
    "make_backup",
    "newest",
    "restore",
    "verify",
]
