"""Random invoices, written as UBL and as CII by somebody else's code, read by ours.

`factur-x` builds both syntaxes from one dict of business terms. It knows nothing of our table, so
agreement of three sides (the dict, what we read from its UBL, what we read from its CII) cannot
be a mistake made twice.
"""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import jsonschema
import msgspec
from facturx.generate_xml import generate_cii_xml, generate_ubl_xml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.mapping.schema import canonical_schema
from gateway.model.invoice import canonical_json
from tests.core.mapping_documents import content, mapping, read

Terms = dict[str, Any]

TEXT = (
    st.text(
        st.characters(categories=["L", "N", "P", "S", "Zs"], include_characters="\n"),
        min_size=1,
        max_size=20,
    )
    .map(lambda text: text.strip(" \t\r\n").lstrip("#"))
    .filter(lambda text: text.strip(" \t\r\n") == text != "")
)
CODE = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=4)
NUMBER = st.decimals(-(10**9), 10**9, places=2).map(str)
DATE = st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31))
SCHEME = st.sampled_from([None, "0002", "0009", "0088", "0224"])
"""No SEPA: in UBL that scheme makes an identifier BT-90."""


def some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Terms]:
    """Any selection of these keys; `BT_10` stands for BT-10."""
    spelt = {key.replace("_", "-") if key.isupper() else key: one for key, one in optional.items()}
    return st.fixed_dictionaries({}, optional=spelt)


def with_all(
    must: dict[str, st.SearchStrategy[Any]], may: st.SearchStrategy[Terms]
) -> st.SearchStrategy[Terms]:
    """All of the first, some of the second."""
    return st.tuples(st.fixed_dictionaries(must), may).map(lambda pair: {**pair[0], **pair[1]})


ADDRESS = with_all(
    {"country_code": st.sampled_from(["FR", "DE", "BE"])},
    some(
        addr_l1=TEXT,
        addr_l2=TEXT,
        addr_l3=TEXT,
        city=TEXT,
        postcode=TEXT,
        country_subdivision=TEXT,
    ),
)
CONTACT = some(name=TEXT, phone=TEXT, email=TEXT).filter(bool)


def party(*, seller: bool) -> st.SearchStrategy[Terms]:
    """A party as factur-x describes it."""
    own = {"tax_identifier": TEXT, "legal_info": TEXT} if seller else {}
    main = some(
        identifiers=st.dictionaries(SCHEME, TEXT, min_size=1, max_size=3),
        biz_name=TEXT,
        vat_identifier=TEXT,
        contacts=CONTACT.map(lambda contact: [contact]),
        **own,
    )
    address = st.fixed_dictionaries({"einvoicing_addr": TEXT, "einvoicing_addr_schemeid": CODE})
    legal = st.fixed_dictionaries({"legal_identifier": TEXT, "legal_identifier_schemeid": CODE})
    nothing = st.just(dict[str, Any]())
    return st.tuples(
        st.fixed_dictionaries({"name": TEXT}), ADDRESS, main, address | nothing, legal | nothing
    ).map(lambda parts: {key: value for part in parts for key, value in part.items()})


ALLOWANCE = with_all(
    {"amount": NUMBER}, some(base_amount=NUMBER, rate=NUMBER, reason=TEXT, reason_code=CODE)
)
ALLOWANCE_WITH_VAT = with_all(
    {"amount": NUMBER, "vat_category_code": CODE},
    some(base_amount=NUMBER, rate=NUMBER, reason=TEXT, reason_code=CODE, vat_rate=NUMBER),
)
LINE = with_all(
    {"BT-126": TEXT, "BT-129": NUMBER, "BT-130": CODE, "BT-131": NUMBER, "BT-146": NUMBER}
    | {"BT-151": CODE, "BT-153": TEXT},
    some(
        BT_132=TEXT,
        BT_133=TEXT,
        BT_134=DATE,
        BT_149=NUMBER,
        BT_152=NUMBER,
        BT_154=TEXT,
        BT_155=TEXT,
        BT_156=TEXT,
        BT_159=CODE,
        BG_27=st.lists(ALLOWANCE, min_size=1, max_size=2),
        BG_28=st.lists(ALLOWANCE, min_size=1, max_size=2),
        BG_32=st.lists(
            st.fixed_dictionaries({"BT-160": TEXT, "BT-161": TEXT}), min_size=1, max_size=2
        ),
    ),
)
VAT = with_all(
    {"BT-116": NUMBER, "BT-117": NUMBER, "BT-118": CODE},
    some(BT_119=NUMBER, BT_120=TEXT, BT_121=CODE),
)
INVOICES = with_all(
    {
        "BT-1": TEXT,
        "BT-2": DATE,
        "BT-3": st.sampled_from(["380", "381", "389"]),
        "BT-5": st.just("EUR"),
        "BT-24": st.just("urn:cen.eu:en16931:2017"),
        "BG-4": party(seller=True),
        "BG-7": party(seller=False),
        **{f"BT-{number}": NUMBER for number in (106, 109, 110, 112, 115)},
        "BG-23": st.lists(VAT, min_size=1, max_size=3),
        "BG-25": st.lists(LINE, min_size=1, max_size=3),
    },
    some(
        BT_10=TEXT,
        BT_11=TEXT,
        BT_12=TEXT,
        BT_13=TEXT,
        BT_15=TEXT,
        BT_16=TEXT,
        BT_19=TEXT,
        BT_20=TEXT,
        BT_23=TEXT,
        BT_72=DATE,
        BT_73=DATE,
        BT_107=NUMBER,
        BT_108=NUMBER,
        BT_113=NUMBER,
        BT_114=NUMBER,
        BG_1=st.lists(
            with_all({"BT-22": TEXT}, some(BT_21=st.sampled_from(["AAI", "PMT"]))),
            min_size=1,
            max_size=2,
        ),
        BG_3=st.lists(with_all({"BT-25": TEXT}, some(BT_26=DATE)), min_size=1, max_size=2),
        BG_20=st.lists(ALLOWANCE_WITH_VAT, min_size=1, max_size=2),
        BG_21=st.lists(ALLOWANCE_WITH_VAT, min_size=1, max_size=2),
    ),
)

_PARTY = {
    "name": "name",
    "biz_name": "trading_name",
    "vat_identifier": "vat_identifier",
    "tax_identifier": "tax_registration_identifier",
    "legal_info": "additional_legal_information",
}
_ADDRESS = {
    "addr_l1": "address_line_1",
    "addr_l2": "address_line_2",
    "addr_l3": "address_line_3",
    "city": "city",
    "postcode": "post_code",
    "country_subdivision": "country_subdivision",
    "country_code": "country_code",
}
_CONTACT = {"name": "contact_point", "phone": "telephone_number", "email": "email_address"}
_ALLOWANCE = {
    "amount": "amount",
    "base_amount": "base_amount",
    "rate": "percentage",
    "vat_category_code": "vat_category_code",
    "vat_rate": "vat_rate",
    "reason": "reason",
    "reason_code": "reason_code",
}


def _renamed(source: Terms, names: dict[str, str]) -> Terms:
    return {name: source[key] for key, name in names.items() if key in source}


def _identified(value: str, scheme: str | None) -> Terms:
    return {"value": value} if scheme is None else {"value": value, "scheme": scheme}


def as_party(source: Terms) -> Terms:
    out = _renamed(source, _PARTY)
    if "identifiers" in source:
        ordered = sorted(source["identifiers"].items(), key=lambda item: item[0] is not None)
        out["identifiers"] = [_identified(value, scheme) for scheme, value in ordered]
    for theirs, ours in (
        ("legal_identifier", "legal_registration_identifier"),
        ("einvoicing_addr", "electronic_address"),
    ):
        if theirs in source:
            out[ours] = _identified(source[theirs], source[f"{theirs}_schemeid"])
    if "contacts" in source:
        out["contact"] = _renamed(source["contacts"][0], _CONTACT)
    out["postal_address"] = _renamed(source, _ADDRESS)
    return out


def expected(source: Terms, group: str | None = None) -> Terms:
    """The canonical form of a dict of business terms, put together by BT id."""
    table = mapping().table
    out: Terms = {}
    for key, entry in {**table.terms, **table.groups}.items():
        if entry.group != group:
            continue
        if key in ("BG-4", "BG-7"):
            out[entry.property_name] = as_party(source[key])
        elif key in ("BG-20", "BG-21", "BG-27", "BG-28"):
            if key in source:
                out[entry.property_name] = [_renamed(one, _ALLOWANCE) for one in source[key]]
        elif key in table.terms:
            if key in source:
                value = source[key]
                out[entry.property_name] = (
                    value.isoformat() if isinstance(value, dt.date) else value
                )
        elif entry.repeats:
            if key in source:
                out[entry.property_name] = [expected(one, key) for one in source[key]]
        elif nested := expected(source, key):  # their dict is flat where the standard nests once
            out[entry.property_name] = nested
    if "BT-149" in source and group == "BG-29":  # their dict has one unit of measure for both
        out["item_price_base_quantity_unit_of_measure_code"] = source["BT-130"]
    return out


@settings(max_examples=60, deadline=None)
@given(INVOICES)
def test_dict_ubl_and_cii_agree_term_by_term(terms: Terms) -> None:
    """What went in as BT-n comes out at BT-n's property, whichever way it travelled."""
    writers = (generate_ubl_xml, generate_cii_xml)
    ubl, cii = (
        read(write(copy.deepcopy(terms), level="en16931", check_xsd=False, check_schematron=False))
        for write in writers
    )
    assert ubl.findings == ()
    assert cii.findings == ()
    assert content(ubl) == expected(terms)
    assert content(cii) == expected(terms)
    jsonschema.validate(
        msgspec.json.decode(canonical_json(ubl.invoice)),
        canonical_schema(mapping().table),
        jsonschema.Draft202012Validator,
    )
