r"""Text from others as a terminal may show it: nothing in it that a terminal obeys.

ESC and the C1 controls move the cursor or worse, a carriage return writes over what stands there,
bidirectional controls (Unicode TR36 §2.6) show a name in another order than it has. Each becomes
`\uXXXX`: seen as such by people, and inside a JSON string the same character as before.
"""

from __future__ import annotations

import re
from typing import IO, Any, Final

_OBEYED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls but for tab and newline, line separators, what is invisible or reorders, surrogates."""


def harmless(text: str) -> str:
    """`text` with what a terminal would obey written out."""
    return text if text.isascii() and text.isprintable() else _OBEYED.sub(_written_out, text)


class HarmlessStream:
    """A text stream on which nothing else can be written. The rest is the stream's own.

    `plain` is that stream, for who moves the cursor on purpose.
    """

    def __init__(self, stream: IO[str]) -> None:
        self.plain = stream

    def write(self, text: str) -> int:
        """Write it, harmlessly."""
        self.plain.write(harmless(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x10000:
        return f"\\u{number:04x}"
    high, low = divmod(number - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
