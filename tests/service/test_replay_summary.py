"""What a replay of many would change, added up."""

from __future__ import annotations

from gateway.model.verdict import Finding, Judgement, Layer, Rejected, Severity, Verdict
from gateway.service.journal.replays_records import Changes, Fallen
from gateway.service.replay_differences import Difference, difference_of
from gateway.service.replay_summary import (
    KINDS,
    VARIOUS,
    Example,
    changes_of,
    kinds_of,
    summary_of,
)


def said(verdict: Verdict) -> Judgement:
    """A judgement of today."""
    return Judgement(
        document="a.xml",
        sha256="0" * 64,
        size=4,
        flow="ctc-fr-invoice",
        syntax="ubl",
        document_type="invoice",
        profile=None,
        verdict=verdict,
    )


def fallen(document: int, *rules: str, pack: str = "p 2 (was 1)") -> Difference:
    """A document that was accepted, and would be rejected for these."""
    return Difference(
        document=document,
        name=f"{document}.xml",
        before="accepted",
        after="rejected",
        new=rules,
        packs=(pack,),
        rejecting=rules,
    )


def test_only_errors_reject() -> None:
    """A new warning is a difference, and no reason to be rejected."""
    findings = tuple(
        Finding(rule=rule, layer=Layer.SCHEMATRON, severity=severity, message="m")
        for rule, severity in (("BR-1", Severity.ERROR), ("BR-2", Severity.WARNING))
    )
    found = difference_of(1, "a.xml", None, said(Rejected(findings)))
    assert found is not None
    assert (found.new, found.rejecting) == (("BR-1", "BR-2"), ("BR-1",))


def test_documents_of_one_kind_are_counted_with_their_rules() -> None:
    """By rule how many, and which was the first."""
    (changes,) = changes_of([fallen(2, "BR-1"), fallen(5, "BR-1", "BR-2")])
    assert (changes.before, changes.after, changes.documents) == ("accepted", "rejected", 2)
    assert changes.rejecting == {
        "BR-1": Fallen(documents=2, first=2),
        "BR-2": Fallen(documents=1, first=5),
    }


def test_rare_kinds_are_counted_as_one() -> None:
    """The most frequent are kept, and no document is lost from the count."""
    differences = [fallen(1, "BR-1", pack="often"), fallen(2, "BR-1", pack="often")]
    differences += [fallen(number, "BR-1", pack=f"p{number}") for number in range(3, KINDS + 5)]
    changes = changes_of(differences)
    assert len(changes) == KINDS + 1
    assert (changes[0].packs, changes[0].documents) == (("often",), 2)
    assert (changes[-1].before, changes[-1].after) == (VARIOUS, VARIOUS)
    assert sum(each.documents for each in changes) == len(differences)


def test_interchanges_are_added_up() -> None:
    """By kind, by rule with examples, by partner; what is rejected already counts for no rule."""
    mended = Changes(before="rejected", after="accepted", packs=("p 2",), documents=7)
    rows = [
        (f"i{number}", "acme", tuple(changes_of([fallen(3, "BR-1"), fallen(4, "BR-1", "BR-2")])))
        for number in range(4)
    ]
    found = summary_of([*rows, ("i9", "other", (mended,))])
    assert [(each.documents, each.after) for each in found.kinds] == [
        (8, "rejected"),
        (7, "accepted"),
    ]
    assert [(each.rule, each.documents) for each in found.rules] == [("BR-1", 8), ("BR-2", 4)]
    assert found.rules[0].examples == (Example("i0", 3), Example("i1", 3), Example("i2", 3))
    assert found.rules[1].examples[0] == Example("i0", 4)
    assert found.partners == (("acme", 8),)
    assert found.rejecting == 8


def test_kinds_of_many_interchanges() -> None:
    """As the command line prints them: the most frequent first, each once."""
    once = Changes(before="accepted", after="accepted", packs=("q 1",))
    twice = Changes(before="rejected", after="accepted", packs=(), documents=2)
    found = kinds_of([once, twice, once, once])
    assert [(each.packs, each.documents) for each in found] == [(("q 1",), 3), ((), 2)]
