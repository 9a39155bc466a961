"""AS2 without the network: a request → the message in it; what became of it → its receipt.

h11 is the model: bytes and files in, values out. No socket is opened and no clock is read here;
whoever calls brings the headers, the body as a file, a folder to work in, the keys and the time.

headers        a request by its header fields: who, to whom, which receipt → `As2Request`
opening        the message taken out of its wrappings → `Opened` or `Refused`: the table of layers
layers         the step for each layer
mic            which bytes the receipt vouches for, and by which hash
mdn, mdn_text  what became of it → the receipt, and what it says to people
dispositions   the words of RFC 4130 §7.5 for what can go wrong
mdn_reading    a receipt for a message of ours → what it says
packing        a file of ours → a message
signing        multipart/signed, for both

fields         the grammar of header fields
mime           entities and multiparts, found where they lie in a file
streams        bytes from file to file, counted and hashed
cms            signed, enveloped and compressed data
"""

from gateway.core.as2.dispositions import DISPOSITIONS, Disposition, disposition, parse_disposition
from gateway.core.as2.headers import (
    As2Request,
    HeaderFault,
    digest_called,
    format_as2_name,
    parse_as2_name,
    read_request,
)
from gateway.core.as2.mdn import build_mdn
from gateway.core.as2.mdn_reading import (
    MAX_MDN_BYTES,
    MdnFault,
    is_mdn,
    may_be_signed_mdn,
    read_mdn,
)
from gateway.core.as2.mdn_text import mdn_text
from gateway.core.as2.opening import open_message
from gateway.core.as2.packing import pack

__all__ = [
    "DISPOSITIONS",
    "MAX_MDN_BYTES",
    "As2Request",
    "Disposition",
    "HeaderFault",
    "MdnFault",
    "build_mdn",
    "digest_called",
    "disposition",
    "format_as2_name",
    "is_mdn",
    "may_be_signed_mdn",
    "mdn_text",
    "open_message",
    "pack",
    "parse_as2_name",
    "parse_disposition",
    "read_mdn",
    "read_request",
]
