"""The extension terms, written as UBL and as CII by somebody else's code, read by ours.

As in `test_mapping_independent`, `factur-x` makes both from one dict. Left out are those it has in
one syntax only, or not where the official rules look for them: EXT-FR-FE-162, -163 and -184.
"""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

from facturx.generate_xml import generate_cii_xml, generate_ubl_xml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.mapping_documents import content, mapping, read
from tests.core.test_mapping_independent import (
    ADDRESS,
    CODE,
    DATE,
    NUMBER,
    TEXT,
    Terms,
    as_party,
    party,
    some,
    with_all,
)
from tests.core.writing_documents import stated

LEVEL = "extended-ctc-fr"
PARTIES = {f"EXT-FR-FE-BG-0{number}" for number in range(1, 6)}

PARTY = party(seller=False).map(
    lambda made: {key: value for key, value in made.items() if key != "contacts"}
)
"""Of this profile, `factur-x` writes neither contacts nor roles."""
DELIVER_TO = st.tuples(
    st.fixed_dictionaries({"name": TEXT}),
    ADDRESS,
    st.fixed_dictionaries({"identifiers": st.dictionaries(st.just("0088"), TEXT, min_size=1)})
    | st.just(dict[str, Any]()),
).map(lambda parts: parts[0] | parts[1] | parts[2])


def all_of(kinds: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Terms]:
    """Everything, or nothing: what UBL only has together."""
    return st.fixed_dictionaries(kinds) | st.just(dict[str, Any]())


def merged(*parts: st.SearchStrategy[Terms]) -> st.SearchStrategy[Terms]:
    """One dict of several."""
    return st.tuples(*parts).map(lambda made: {k: v for part in made for k, v in part.items()})


def ext(*numbers: int, of: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    """The same strategy for several terms."""
    return {f"EXT-FR-FE-{number:02d}": of for number in numbers}


LINE = merged(
    st.fixed_dictionaries(
        {"BT-126": TEXT, "BT-129": NUMBER, "BT-130": CODE, "BT-131": NUMBER, "BT-146": NUMBER}
        | {"BT-151": CODE, "BT-153": TEXT}
    ),
    all_of({"BT-132": TEXT, **ext(135, 144, 145, of=TEXT), **ext(200, of=DATE)}),
    all_of(ext(140, 141, of=TEXT)),
    all_of({**ext(136, 137, 139, of=TEXT), **ext(138, of=DATE)}),
    all_of(ext(193, 194, of=TEXT)),
    all_of({"EXT-FR-FE-BG-10": DELIVER_TO}),
    some(
        **{
            "BT-127-00": st.lists(
                with_all({"BT-127": TEXT}, all_of(ext(183, of=st.sampled_from(["AAI", "PMT"])))),
                min_size=1,
                max_size=2,
            ),
            "BT-147-00": with_all(
                {"BT-147": NUMBER}, some(**ext(195, of=TEXT), **ext(196, of=CODE))
            ).map(lambda discount: [discount]),
            "BG-32": st.lists(
                with_all(
                    {"BT-160": TEXT, **ext(160, of=NUMBER), **ext(161, of=CODE)},
                    some(**ext(159, of=CODE)),
                ),
                min_size=1,
                max_size=2,
            ),
            "EXT-FR-FE-BG-12": PARTY,
            **ext(158, of=DATE),
            **ext(178, of=TEXT),
            **ext(179, of=CODE),
            **ext(181, 182, of=NUMBER),
        }
    ),
)
INVOICES = merged(
    st.fixed_dictionaries(
        {
            "BT-1": st.just("F-1"),
            "BT-2": DATE,
            "BT-3": st.just("380"),
            "BT-5": st.just("EUR"),
            "BT-6": st.just("CHF"),
            "BT-23": st.just("S1"),
            "BT-81": st.just("49"),
            "BT-91": st.just("FR1420041010050500013M02606"),
            "BG-4": PARTY,
            "BG-7": PARTY,
            **{f"BT-{number}": NUMBER for number in (106, 109, 110, 111, 112, 115)},
            "BG-23": st.just([{"BT-116": "1.00", "BT-117": "0.20", "BT-118": "S"}]),
            "BG-25": st.lists(LINE, min_size=1, max_size=2),
        }
    ),
    all_of({"BT-12": TEXT, **ext(1, of=TEXT), **ext(199, of=DATE)}),
    all_of({"BT-13": TEXT, **ext(197, of=DATE)}),
    all_of({"BT-16": TEXT, **ext(198, of=DATE)}),
    all_of(ext(185, 186, of=TEXT)),
    some(**dict.fromkeys(PARTIES, PARTY)),
    some(
        **{
            "BG-3": st.lists(
                with_all({"BT-25": TEXT}, some(**ext(2, of=CODE))), min_size=1, max_size=2
            )
        }
    ),
)


def expected(source: Terms, group: str | None = None) -> Terms:
    """The canonical form of the dict, put together by id."""
    table = mapping().table
    out: Terms = {}
    for key, entry in {**table.terms, **table.groups}.items():
        if entry.group != group:
            continue
        value = source.get(key)
        name = entry.property_name
        if value is None and key in table.terms:
            continue
        if key == "EXT-FR-FE-BG-06":
            if one := expected(source, key):
                out[name] = [one]
        elif key in table.terms:
            out[name] = value.isoformat() if isinstance(value, dt.date) else value
        elif isinstance(value, list):
            out[name] = [expected(one, key) for one in value]
        elif isinstance(value, dict):
            out[name] = _party(key, value)
        elif nested := expected(_flat(source), key):
            out[name] = nested
    return out


def _flat(source: Terms) -> Terms:
    """Their dict has a list for the one discount."""
    (discount,) = source.get("BT-147-00") or [{}]
    return {**source, **discount}


def _party(key: str, value: Terms) -> Terms:
    made = as_party(value)
    if key == "EXT-FR-FE-BG-10" and "identifiers" in made:
        made["location_identifiers"] = made.pop("identifiers")
    return made


@settings(max_examples=60, deadline=None)
@given(INVOICES)
def test_dict_ubl_and_cii_agree_on_the_extension(terms: Terms) -> None:
    """What went in as EXT-FR-FE-n comes out at its property, whichever way it travelled."""
    wanted = stated(expected(terms))
    wanted["process_control"]["specification_identifier"] = (
        "urn:cen.eu:en16931:2017#conformant#urn.cpro.gouv.fr:1p0:extended-ctc-fr"
    )
    for write in (generate_ubl_xml, generate_cii_xml):
        data = write(copy.deepcopy(terms), level=LEVEL, check_xsd=False, check_schematron=False)
        result = read(data)
        assert result.findings == ()
        assert result.invoice.source.unmapped == ()
        assert content(result) == wanted
