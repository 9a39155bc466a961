"""What went wrong under a request to a partner's server, in words for an operator."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Final

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.web.client import RequestTransmissionFailed, ResponseNeverReceived

from gateway.config.strict import Complaint

_WAY: Final = "Check the URL in the partner's file, the way there, and the server's certificate."
_SSL: Final = (
    (
        "certificate verify failed",
        "its TLS certificate has expired, or is of an authority we do not trust: {trusted}",
        "Ask the partner which authority issued it, and put that one into as2.tls_ca_file.",
    ),
    (
        "protocol version",
        "it offers no TLS 1.2 or newer",
        "Ask the partner to switch it on: older versions are not used.",
    ),
    (
        "unsupported protocol",
        "it offers no TLS 1.2 or newer",
        "Ask the partner to switch it on: older versions are not used.",
    ),
    (
        "wrong version number",
        "it does not speak TLS",
        "Check the port of the URL, and whether it should begin with http://.",
    ),
    (
        "certificate required",
        "it asks for a client certificate, and we have none to show",
        "Ask the partner for a URL that needs none: AS2 messages are signed.",
    ),
)
"""(part of OpenSSL's reason, what it means, what to do)"""
_OTHER_HOST: Final = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH (OpenSSL, x509_vfy.h)."""


def what_failed(error: BaseException, host: str, ca_file: str) -> Complaint:
    """Why there was no answer, as the end of a sentence; and the remedy.

    `host` is that of the URL, `ca_file` names the authorities that were trusted; "": the system's.
    """
    for cause in _causes(error):
        if isinstance(cause, VerificationError) or _is_of_another_host(cause):
            what = f"its TLS certificate is for another host name than {host}"
            return Complaint(
                what, "Correct the URL, or ask the partner for a certificate of this name."
            )
        if isinstance(cause, SSL.Error):
            reasons = " ".join(str(part) for each in cause.args for part in each)
        elif isinstance(cause, ssl.SSLError):  # of Python's own TLS, where nothing is posted
            reasons = str(cause).lower().replace("_", " ")
        else:
            continue
        for part, what, remedy in _SSL:
            if part in reasons:
                trusted = ca_file or "those of this system"
                return Complaint(what.format(trusted=trusted), remedy)
    causes = "; ".join(str(each) or type(each).__name__ for each in _causes(error))
    return Complaint(causes, _WAY)


def _is_of_another_host(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in _OTHER_HOST


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What is inside Twisted's wrappings."""
    if isinstance(error, RequestTransmissionFailed | ResponseNeverReceived) and error.reasons:
        for reason in error.reasons:
            yield reason.value
    else:
        yield error
