"""What can be wrong with a CMS message. Always the other side's bytes or keys, never our machine.

`str(error)` is a sentence for an operator's log. It never holds keys, plain text or anything that
tells one kind of wrong key or padding from another.
"""

from __future__ import annotations


class CmsError(ValueError):
    """The bytes cannot be taken, or they were made with keys that do not fit."""


class NotCms(CmsError):
    """Malformed, cut off, another content type than asked for, or beyond the limits."""


class DecryptionFailed(CmsError):
    """Not for any of our keys; or the key, the padding or the authentication tag does not fit."""


class AuthenticationFailed(CmsError):
    """Signed by nobody we know, or with a certificate outside its validity."""


class IntegrityFailed(CmsError):
    """The content or the signature is not what was signed."""


class DecompressionFailed(CmsError):
    """The compressed bytes are damaged, or they unpack to more than is allowed."""


class NotAllowed(CmsError):
    """An algorithm that is unknown here, or that may not be used with this partner."""
