"""What a receipt says about a message: one table between our failures and the words of the RFC.

A Disposition field (RFC 3798 §3.2.6) reads

    automatic-action/MDN-sent-automatically; processed/Error: decryption-failed
    mode                                     type      kind   description

The mode is always that of a machine (RFC 4130 §7.5.1). The rest has four shapes, and the difference
matters to the sender's software, which decides by it whether to send again:

processed            §7.5.2  The message was received, decrypted and verified; we have it. It is
                             no verdict on what is in it.
failed/Failure: …    §7.5.3  The *receipt* was asked for in a way we cannot answer: `unsupported
                             format`, `unsupported MIC-algorithms`. Never for anything else.
processed/Error: …   §7.5.4  The message was understood as a message, but could not be used: wrong
                             key, wrong signature, damaged, too weak. Nothing was taken in.
processed/Warning: … §7.5.5  Taken, with a remark. Others send it; we do not.

`decryption-failed`, `authentication-failed`, `integrity-check-failed` and
`unexpected-processing-error` are words of §7.5.4, `decompression-failed` is one of RFC 5402 §5;
`insufficient-message-security` is registered beside them and what every product knows. Capitals are
those of the RFC's examples. They are read in any case: products write
`processed/error:decryption-failed`, `Processed/Error: Decryption-Failed` and worse.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from gateway.model.as2 import Failure

MODE: Final = "automatic-action/MDN-sent-automatically"

DISPOSITIONS: Final[dict[Failure | None, str]] = {
    None: "processed",
    Failure.DECRYPTION: "processed/Error: decryption-failed",
    Failure.AUTHENTICATION: "processed/Error: authentication-failed",
    Failure.INTEGRITY: "processed/Error: integrity-check-failed",
    Failure.DECOMPRESSION: "processed/Error: decompression-failed",
    Failure.SECURITY: "processed/Error: insufficient-message-security",
    Failure.UNEXPECTED: "processed/Error: unexpected-processing-error",
    Failure.UNSUPPORTED_FORMAT: "failed/Failure: unsupported format",
    Failure.UNSUPPORTED_MIC: "failed/Failure: unsupported MIC-algorithms",
}
"""What happened (None: all is well) → type and modifier."""

_DISPOSITION = re.compile(
    r"(?:[^;]*;)?\s*(?P<type>[a-z-]+)\s*(?:/\s*(?P<kind>[a-z-]+)\s*(?::\s*(?P<description>.*))?)?\Z",
    re.IGNORECASE | re.DOTALL,
)


class Disposition(NamedTuple):
    """A Disposition field, read. `kind` is "", "error", "failure" or "warning"."""

    type: str
    kind: str
    description: str

    @property
    def processed(self) -> bool:
        """Whether the message was taken: `processed`, at most with a warning (RFC 4130 §7.5.5)."""
        return self.type == "processed" and self.kind in {"", "warning"}


def disposition(failure: Failure | None) -> str:
    """The Disposition field of a receipt of ours (RFC 4130 §7.4.3)."""
    return f"{MODE}; {DISPOSITIONS[failure]}"


def parse_disposition(text: str) -> Disposition | None:
    """What a Disposition field says, in any case and spacing; None when it says nothing."""
    match = _DISPOSITION.match(text.strip())
    if match is None:
        return None
    return Disposition(
        match["type"].lower(), (match["kind"] or "").lower(), (match["description"] or "").strip()
    )
