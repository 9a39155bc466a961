"""Every parser that meets bytes of others, in one table."""

from __future__ import annotations

from typing import Final

from tests.fuzz import (
    targets_as2,
    targets_cms,
    targets_configuration,
    targets_containers,
    targets_documents,
    targets_service,
)
from tests.fuzz.target import Target

TARGETS: Final[tuple[Target, ...]] = (
    *targets_documents.TARGETS,
    *targets_containers.TARGETS,
    *targets_as2.TARGETS,
    *targets_cms.TARGETS,
    *targets_service.TARGETS,
    *targets_configuration.TARGETS,
)
