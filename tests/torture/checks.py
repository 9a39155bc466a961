"""That nothing was lost and nothing doubled: what was sent, against what is found."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping

import msgspec
from lxml import etree

from gateway.model.publication import Exchange
from tests.torture.evidence import Evidence, SeenDocument, SeenInterchange, SeenMessage
from tests.torture.load import Document, Parcel

_REPORT = "{urn:edi-gateway:interchange-report:1}"
_SHOWN = 20


class Faults(msgspec.Struct):
    """What is wrong, as sentences."""

    lost: list[str] = []
    doubled: list[str] = []
    wrong: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)

    def __str__(self) -> str:
        lines = []
        for kind, found in (("lost", self.lost), ("doubled", self.doubled), ("wrong", self.wrong)):
            lines += [f"{kind}: {sentence}" for sentence in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"{kind}: and {len(found) - _SHOWN} more")
        return "\n".join(lines)


def faults(
    parcels: Mapping[tuple[str, str], Parcel],
    received: set[tuple[str, str]],
    evidence: Evidence,
) -> Faults:
    """Everything that is wrong. `received`: files whose senders were told so."""
    found = Faults()
    by_key = _interchanges(parcels, received, evidence, found)
    _documents(parcels, by_key, evidence, found)
    _outbox(evidence, found)
    _order(evidence, found)
    _results(parcels, by_key, evidence, found)
    _reports(parcels, by_key, evidence, found)
    found.wrong += evidence.leftovers
    return found


def _interchanges(
    parcels: Mapping[tuple[str, str], Parcel],
    received: set[tuple[str, str]],
    evidence: Evidence,
    found: Faults,
) -> dict[tuple[str, str], SeenInterchange]:
    """Each file is one interchange, acknowledged once, its bytes in the spool."""
    by_key: dict[tuple[str, str], SeenInterchange] = {}
    for each in evidence.interchanges:
        key = each.name, each.sha256
        if key not in parcels:
            found.doubled.append(f"nobody sent {each.name} ({each.sha256[:12]}, {each.id})")
        elif key in by_key:
            found.doubled.append(f"{each.name} is two interchanges, {by_key[key].id} and {each.id}")
        by_key[key] = each
        if each.state != "acknowledged":
            found.lost.append(f"{each.name} ({each.id}) stands at {each.state}")
        times = evidence.steps.get((each.id, 0), []).count("acknowledged")
        if times > 1:
            found.doubled.append(f"{each.name} ({each.id}) was acknowledged {times} times")
        if not evidence.payloads.get(each.sha256, False):
            found.lost.append(f"the bytes of {each.name} are not, or not whole, in the spool")
    for key in parcels:
        if key in received and key not in by_key:
            found.lost.append(f"{key[0]} was called received and is no interchange")
        if key not in received:
            found.wrong.append(f"{key[0]} was never called received")
    return by_key


def _documents(
    parcels: Mapping[tuple[str, str], Parcel],
    by_key: Mapping[tuple[str, str], SeenInterchange],
    evidence: Evidence,
    found: Faults,
) -> None:
    """Each document has its verdict, for its rule, and was published once."""
    inside: dict[str, list[SeenDocument]] = defaultdict(list)
    for document in evidence.documents:
        inside[document.interchange].append(document)
    for key, parcel in parcels.items():
        if key not in by_key:
            continue
        seen = inside[by_key[key].id]
        _compare_names(parcel, [each.name for each in seen], "documents", found)
        expected = {document.name: document for document in parcel.documents}
        for each in seen:
            if each.name in expected:
                _document(parcel, expected[each.name], each, evidence, found)


def _document(
    parcel: Parcel, expected: Document, seen: SeenDocument, evidence: Evidence, found: Faults
) -> None:
    what = f"{expected.name} of {parcel.name}"
    if seen.state != "published":
        found.lost.append(f"{what} stands at {seen.state}")
    rules = (expected.rule,) if expected.rule else ()
    if (seen.verdict, seen.rules) != (expected.verdict, rules):
        found.wrong.append(
            f"{what} is {seen.verdict} for {seen.rules}, not {expected.verdict} for {rules}"
        )
    states = Counter(evidence.steps.get((seen.interchange, seen.ordinal), []))
    ends = states["accepted"] + states["rejected"]
    if ends > 1 or states["published"] > 1:
        found.doubled.append(f"{what} came to its end more than once: {dict(states)}")


def _compare_names(parcel: Parcel, seen: list[str], what: str, found: Faults) -> None:
    expected = Counter(document.name for document in parcel.documents)
    actual = Counter(seen)
    if missing := expected - actual:
        found.lost.append(f"{parcel.name} lacks among its {what} {sorted(missing)}")
    if extra := actual - expected:
        found.doubled.append(f"{parcel.name} has too often among its {what} {sorted(extra)}")


def _outbox(evidence: Evidence, found: Faults) -> None:
    """Every message the journal wrote was sent, and the consumer got exactly those."""
    known = set()
    for row in evidence.outbox:
        if row.state != "delivered":
            found.lost.append(f"a {row.kind} message of {row.interchange} is {row.state}")
        if _is_file(row):
            continue
        known.add(row.id)
        message = evidence.taken.get(row.id)
        if message is None:
            found.lost.append(f"the {row.kind} message {row.id} never reached the consumer")
        elif (message.exchange, message.routing_key, message.body) != (
            *(row.exchange, row.routing_key, row.body),
        ):
            found.wrong.append(f"message {row.id} is not what the journal holds")
    for id_ in evidence.taken.keys() - known:
        found.doubled.append(f"the consumer got {id_}, which the journal does not know")
    for id_ in evidence.altered:
        found.wrong.append(f"message {id_} came again with another content")


def _order(evidence: Evidence, found: Faults) -> None:
    """No final acknowledgement left before every result it speaks of was confirmed."""
    last: dict[str, dt.datetime] = {}
    final = _final_reports(evidence)
    for row in evidence.outbox:
        if row.kind == "document" and row.delivered_at is not None:
            known = last.get(row.interchange, row.delivered_at)
            last[row.interchange] = max(known, row.delivered_at)
    for row in evidence.outbox:
        result = last.get(row.interchange)
        if row.kind != "report" or row.delivered_at is None or result is None:
            continue
        if row.delivered_at < result and _stem(row) in {"", final.get(row.interchange)}:
            found.wrong.append(
                f"the report of {row.interchange} to {row.destination} left"
                f" {result - row.delivered_at} before its last result was confirmed"
            )


def _final_reports(evidence: Evidence) -> dict[str, str]:
    """Interchange → the stem of its last report. One before it was provisional."""
    reports = (row for row in evidence.outbox if row.kind == "report" and row.filename)
    return {row.interchange: _stem(row) for row in reports}


def _stem(row: SeenMessage) -> str:
    """The name of a report, whatever its form."""
    return (row.filename or "").rpartition(".")[0]


def _is_file(row: SeenMessage) -> bool:
    """Whether it goes into the partner's out/, not to the broker."""
    return row.destination != "broker"


def _results(
    parcels: Mapping[tuple[str, str], Parcel],
    by_key: Mapping[tuple[str, str], SeenInterchange],
    evidence: Evidence,
    found: Faults,
) -> None:
    """By what was sent, whatever the journal says: one result for each document."""
    expected: Counter[tuple[str, str, str]] = Counter()
    for key, parcel in parcels.items():
        if key in by_key:
            for each in parcel.documents:
                expected[by_key[key].id, each.verdict, each.number] += 1
    actual: Counter[tuple[str, str, str]] = Counter()
    for message in evidence.taken.values():
        if message.exchange == Exchange.DOCUMENTS.value:
            verdict = message.routing_key.rpartition(".")[2]
            number = _number(msgspec.json.decode(message.body))
            actual[message.correlation_id, verdict, number] += 1
    for result in expected - actual:
        found.lost.append(f"no result says {result[1]} of {result[2]} in {result[0]}")
    for result in actual - expected:
        found.doubled.append(f"a result too many says {result[1]} of {result[2]} in {result[0]}")


def _number(body: dict[str, str]) -> str:
    """The invoice's number. A document that broke its schema has only its name."""
    return body.get("invoice_number") or body["document"].removesuffix(".xml")


def _reports(
    parcels: Mapping[tuple[str, str], Parcel],
    by_key: Mapping[tuple[str, str], SeenInterchange],
    evidence: Evidence,
    found: Faults,
) -> None:
    """In out/ lies one final report about each interchange, and it names each document.

    Whoever asks by HTTP is given the last report: a provisional one before it is not missed.
    """
    about: dict[str, list[etree._Element]] = defaultdict(list)
    for name, content in evidence.out.items():
        try:
            root = etree.fromstring(content)
        except etree.XMLSyntaxError as error:
            found.wrong.append(f"{name} in out/ is not well-formed: {error}")
            continue
        if root.findtext(f"{_REPORT}Interchange/{_REPORT}Provisional") == "false":
            about[root.findtext(f"{_REPORT}Interchange/{_REPORT}Id") or ""].append(root)
    final = _final_reports(evidence)
    files = {row.filename: row.body for row in evidence.outbox if row.filename and _is_file(row)}
    replaced = {
        row.filename
        for row in evidence.outbox
        if row.destination == "https" and _stem(row) != final.get(row.interchange)
    }
    for name in evidence.out.keys() - files.keys():
        found.doubled.append(f"{name} in out/ is nothing the journal wrote")
    for name, body in files.items():
        if evidence.out.get(name) != body and name not in replaced:
            found.lost.append(f"{name} does not lie in out/ as the journal wrote it")
    ids = {by_key[key].id: parcels[key] for key in by_key if key in parcels}
    for id_, parcel in ids.items():
        reports = about.pop(id_, [])
        if not reports:
            found.lost.append(f"no final report about {parcel.name} ({id_}) lies in out/")
        elif len(reports) > 1:
            found.doubled.append(f"{len(reports)} final reports about {parcel.name} ({id_})")
        for report in reports:
            _report(parcel, report, found)
    for id_ in about:
        found.doubled.append(f"a report in out/ is about {id_!r}, which nobody sent")


def _report(parcel: Parcel, report: etree._Element, found: Faults) -> None:
    named = list(report.iter(f"{_REPORT}Document"))
    _compare_names(
        parcel, [each.findtext(f"{_REPORT}Name") or "" for each in named], "report's names", found
    )
    expected = {document.name: document.verdict for document in parcel.documents}
    for each in named:
        name = each.findtext(f"{_REPORT}Name") or ""
        if expected.get(name, each.get("verdict")) != each.get("verdict"):
            found.wrong.append(f"the report calls {name} of {parcel.name} {each.get('verdict')}")
