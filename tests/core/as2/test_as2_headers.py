"""Header fields as products write them, and what they are taken for."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.as2 import (
    HeaderFault,
    format_as2_name,
    parse_as2_name,
    read_request,
)
from gateway.core.as2.fields import (
    FieldError,
    attachment,
    content_type,
    file_name,
    find,
    format_fields,
    parse_fields,
    parse_value,
    split,
)
from gateway.core.as2.headers import As2Request
from gateway.model.as2 import Digest, Failure, Headers, MdnMode
from tests.core.as2.parties import header_fields, request_of

OPTIONS = "Disposition-Notification-Options"


def asking(options: str | None, **more: str) -> As2Request:
    """A request for a receipt with these options."""
    fields = {"Disposition_Notification_To": "supplier"} | more
    if options is not None:
        fields["Disposition_Notification_Options"] = options
    return request_of(header_fields("text/xml", **fields))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("supplier", "supplier"),
        ('"My Company"', "My Company"),
        (r'"a\"b\\c"', r'a"b\c'),
        ("My Company", "My Company"),
        ('"supplier"', "supplier"),
        ("a" * 128, "a" * 128),
        ("3015981600108;00", "3015981600108;00"),
    ],
)
def test_as2_names(written: str, name: str) -> None:
    """RFC 4130 §6.2, and the senders that forget the quotes."""
    assert parse_as2_name(written) == name
    assert parse_as2_name(format_as2_name(name)) == name


@pytest.mark.parametrize(
    "written",
    ["", " ", '""', '" "', "a" * 129, "é", "a\tb", '"open', r'"a\n"', 'a"b', "a\\b", '"a"b'],
)
def test_what_is_no_as2_name(written: str) -> None:
    """Nothing, too much, anything but printable ASCII, and quotes that do not close."""
    with pytest.raises(FieldError):
        parse_as2_name(written)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=128))
def test_every_as2_name_survives(name: str) -> None:
    """What is written is read, whatever quotes it needs."""
    if name.strip():
        assert parse_as2_name(format_as2_name(name)) == name


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("AS2-From", "", "missing"),
        ("AS2-To", None, "missing"),
        ("AS2-To", "é", "ASCII"),
        ("Message-ID", None, "missing"),
        ("Message-ID", "<" + "a" * 1000 + ">", "998"),
        ("Message-ID", "<a\x00b>", "ASCII"),
        ("AS2-Version", "2.0", "1.0"),
        ("AS2-Version", "one", "1.0"),
    ],
)
def test_requests_that_cannot_be_answered(field: str, value: str | None, word: str) -> None:
    """Without a name, a partner or a Message-ID there is no MDN to make."""
    headers = tuple(each for each in header_fields("text/xml") if each[0] != field)
    if value is not None:
        headers += ((field, value),)
    fault = read_request(headers)
    assert isinstance(fault, HeaderFault)
    assert fault.field == field
    assert word in str(fault)


@pytest.mark.parametrize("field", ["AS2-From", "Message-ID", "Content-Type"])
def test_a_field_with_two_values_is_no_request(field: str) -> None:
    """Who reads it behind us might take the other one; the same value twice is no harm."""
    headers = header_fields("text/xml")
    value = dict(headers)[field]
    assert isinstance(read_request((*headers, (field.lower(), value))), As2Request)
    fault = read_request((*headers, (field.lower(), "other")))
    assert isinstance(fault, HeaderFault)
    assert fault.field == field


@pytest.mark.parametrize(
    "headers",
    [
        tuple((f"X-{number}", "") for number in range(10_000)),
        (("X", "a" * 100_000),),
        tuple(("X" * 1000, "a" * 1000) for number in range(100)),
    ],
)
def test_header_bombs(headers: Headers) -> None:
    """Neither many fields nor long ones are looked at any further."""
    assert isinstance(read_request((*header_fields("text/xml"), *headers)), HeaderFault)


def test_what_need_not_be_there() -> None:
    """No version, no Content-Type, no brackets around the Message-ID, names in odd case."""
    request = request_of((("as2-FROM", "a"), ("AS2-to", "b"), ("message-id", "1 2@x")))
    assert (request.as2_from, request.as2_to, request.message_id) == ("a", "b", "1 2@x")
    assert (request.as2_version, request.content_type) == ("1.0", "application/octet-stream")
    assert request.mdn.mode is MdnMode.NONE


@pytest.mark.parametrize(
    ("options", "signed", "digests", "names"),
    [
        (None, False, (), ()),
        (
            "signed-receipt-protocol=optional, pkcs7-signature; "
            "signed-receipt-micalg=optional, sha1, md5",
            True,
            (Digest.SHA1,),
            ("sha1",),
        ),
        (
            "Signed-Receipt-Protocol=required,PKCS7-Signature;signed-receipt-micalg=required,"
            "SHA256,sha-512",
            True,
            (Digest.SHA256, Digest.SHA512),
            ("SHA256", "sha-512"),
        ),
        (
            'signed-receipt-protocol="optional, pkcs7-signature" ; '
            'signed-receipt-micalg = optional , "sha-384"',
            True,
            (Digest.SHA384,),
            ("sha-384",),
        ),
        (
            "signed-receipt-protocol=pkcs7-signature; signed-receipt-micalg=sha-256",
            True,
            (Digest.SHA256,),
            ("sha-256",),
        ),
        ("signed-receipt-protocol=optional, pgp-signature", False, (), ()),
        ("signed-receipt-micalg=optional, md5", False, (), ()),
        ("x-new=optional, yes;;", False, (), ()),
        ("", False, (), ()),
    ],
)
def test_options(
    options: str | None, signed: bool, digests: tuple[Digest, ...], names: tuple[str, ...]
) -> None:
    """RFC 4130 §7.3, in the spellings that travel; what is unknown and optional is left aside."""
    request = asking(options)
    assert request.mdn.mode is MdnMode.SYNC
    assert (request.mdn.signed, request.mdn.digests, request.mic_names) == (signed, digests, names)
    assert request.refusal is None


@pytest.mark.parametrize(
    ("options", "failure"),
    [
        ("signed-receipt-protocol=required, pgp-signature", Failure.UNSUPPORTED_FORMAT),
        ("signed-receipt-micalg=required, md5, rsa-md5", Failure.UNSUPPORTED_MIC),
        ("signed-receipt-micalg=required", Failure.UNSUPPORTED_MIC),
        ("x-new=required, yes", Failure.UNSUPPORTED_FORMAT),
    ],
)
def test_required_options_that_cannot_be_met(options: str, failure: Failure) -> None:
    """The request is good, its answer is a receipt that says `failed` (RFC 4130 §7.5.3)."""
    request = asking(options)
    assert request.refusal is not None
    assert request.refusal.failure is failure


def test_where_the_receipt_goes() -> None:
    """Asynchronous receipts need both fields, and a URL that a receipt can be posted to."""
    url = "https://supplier.example:8080/mdn?x=1"
    request = asking(None, Receipt_Delivery_Option=url)
    assert (request.mdn.mode, request.mdn.url) == (MdnMode.ASYNC, url)
    alone = request_of(header_fields("text/xml", Receipt_Delivery_Option=url))
    assert alone.mdn.mode is MdnMode.NONE
    for bad in ("mailto:a@b", "ftp://x/", "https://a b/", "https://", "http://" + "a" * 3000):
        fault = read_request(
            header_fields("text/xml", Disposition_Notification_To="x", Receipt_Delivery_Option=bad)
        )
        assert isinstance(fault, HeaderFault)
        assert fault.field == "Receipt-Delivery-Option"


@pytest.mark.parametrize(
    ("text", "value", "parameters"),
    [
        ("text/xml", "text/xml", {}),
        ("Text/XML; Charset=UTF-8", "text/xml", {"charset": "UTF-8"}),
        ('a/b; x="c;d"; y=e', "a/b", {"x": "c;d", "y": "e"}),
        (r'a/b; x="\"q\\"', "a/b", {"x": '"q\\'}),
        ("a/b (a comment; with (nested) \\) ones); x=1 (more)", "a/b", {"x": "1"}),
        ("a/b; name=fa(1).xml", "a/b", {"name": "fa(1).xml"}),
        ("a/b; boundary=----=_Part_1.2:3", "a/b", {"boundary": "----=_Part_1.2:3"}),
        ("a/b; x*=utf-8''%e2%82%ac%20rates", "a/b", {"x": "€ rates"}),
        ("a/b; x*=iso-8859-1'fr'%e9t%e9", "a/b", {"x": "été"}),
        ("a/b; x*0=one; x*1=two; x*3=lost", "a/b", {"x": "onetwo"}),
        ("a/b; x*0*=utf-8''%c3; x*1*=%a9; x*2=e", "a/b", {"x": "ée"}),
        ("a/b; x=plain; x*=utf-8''better", "a/b", {"x": "better"}),
        ("a/b; x*=zlib''%78", "a/b", {"x": "x"}),
        ("a/b;;; novalue; x=", "a/b", {"x": ""}),
    ],
)
def test_parameters(text: str, value: str, parameters: dict[str, str]) -> None:
    """RFC 2045 §5.1 and RFC 2231, and what is written instead."""
    assert parse_value(text) == (value, parameters)


@pytest.mark.parametrize(
    "text",
    ['a/b; x="open', "a/b (open", "a/b; x=1; x=2", "a/b; x*0=1; x*0=2", "a/b" + ";x=1" * 200],
)
def test_parameters_with_two_meanings(text: str) -> None:
    """What is not closed, said twice or without end is not guessed at."""
    with pytest.raises(FieldError):
        parse_value(text)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="fa-1.xml"', "fa-1.xml"),
        ("attachment; filename=fa 1.xml", "fa 1.xml"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        (r'attachment; filename="C:\\x\\fa.xml"', "fa.xml"),
        ("attachment; filename*=UTF-8''%2e%2e%2ffa%0d%0a.xml", "fa.xml"),
        ('attachment; filename="=?utf-8?B?w6l0w6kueG1s?="', "été.xml"),
        ('attachment; filename="=?utf-8?B?!!!?="', None),
        ('attachment; filename="Ã©tÃ©.xml"', "été.xml"),
        ('attachment; filename="été.xml"', "été.xml"),
        ('attachment; filename="a\u202egnp.xml"', "agnp.xml"),
        ('attachment; filename="' + "é" * 400 + '"', "é" * 127),
        ('attachment; filename=".."', None),
        ('attachment; filename="/"', None),
        ("attachment", None),
        ('attachment; filename="open', None),
    ],
)
def test_file_names(disposition: str, name: str | None) -> None:
    """The sender's word: decoded, the last part of a path, without what cannot be seen."""
    assert file_name((("Content-Disposition", disposition),)) == name


def test_the_name_of_the_content_type_stands_in() -> None:
    """Products that write no Content-Disposition put the name beside the type."""
    assert file_name((("Content-Type", "text/xml; name=a.xml"),)) == "a.xml"
    assert file_name(()) is None


@given(st.text(max_size=40))
def test_every_name_of_ours_is_one_field(name: str) -> None:
    """Whatever a file is called, its field is one line, and is read back as the harmless name."""
    written = attachment(name)
    format_fields([("Content-Disposition", written)])
    read = file_name((("Content-Disposition", written),))
    assert read == file_name((("Content-Disposition", attachment(read)),))
    assert read is None or "/" not in read


def test_a_header_section() -> None:
    """Folded lines, odd case, white space around, either line end, UTF-8 or latin-1."""
    block = b"a: 1\r\nB-c :  two \r\n\tand\r\n  more\r\nd:\xc3\xa9\ne:\xe9\r\n"
    fields = parse_fields(block)
    assert fields == (("a", "1"), ("B-c", "two and more"), ("d", "é"), ("e", "é"))
    assert find(fields, "b-C") == "two and more"
    assert find(fields, "x") is None


@pytest.mark.parametrize("block", [b"no colon\r\n", b": x\r\n", b"a b: x\r\n", b"a:\r\n" * 1000])
def test_what_is_no_header_section(block: bytes) -> None:
    """A line without a name, and lines without end."""
    with pytest.raises(FieldError):
        parse_fields(block)


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_an_error(block: bytes) -> None:
    """Whatever stands where header fields should: fields, or FieldError."""
    try:
        headers = parse_fields(block)
        content_type(headers)
        file_name(headers)
    except FieldError:
        pass


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [name for name, _ in header_fields("")]
                + [OPTIONS, "Disposition-Notification-To", "Receipt-Delivery-Option", "Subject"]
            ),
            st.text(),
        )
    )
)
def test_any_values_are_a_request_or_a_fault(fields: list[tuple[str, str]]) -> None:
    """Whatever the header fields say, no exception leaves."""
    assert isinstance(read_request(tuple(fields)), As2Request | HeaderFault)


@pytest.mark.parametrize(
    "text", ["(" * 60_000, '"' + "\\" * 60_000, "a*0=" * 15_000, "=?" * 30_000]
)
def test_long_fields_take_no_time(text: str) -> None:
    """Reading is linear: the longest field that is let in is read at once."""
    began = time.process_time()
    for read in (lambda: split(text, ";"), lambda: file_name((("Content-Disposition", text),))):
        with contextlib.suppress(FieldError):
            read()
    assert time.process_time() - began < 2
