"""Which flow judges when nobody said so, and when somebody did."""

from __future__ import annotations

import datetime as dt

import pytest

from gateway.core.facts import DocumentFacts
from gateway.core.flow_choice import FLOW_CHOSEN, flow_for
from gateway.errors import GatewayError
from gateway.model.flow import Chain, Flow, FlowMatch
from gateway.model.interchange import DocumentType, Syntax
from gateway.model.job import JudgeJob

FACTS = DocumentFacts(syntax=Syntax.UBL, document_type=DocumentType.INVOICE, profile="p")


def flow(name: str, *rules: str, pdf: bool = False, syntax: Syntax = Syntax.UBL) -> Flow:
    """A flow that any document fits, with one chain."""
    chain = Chain(syntax=syntax, schema="s", rules=rules, pdf=pdf)
    return Flow(name=name, chain=(chain,))


def chosen(
    *flows: Flow, asked: str | None = None, partner: str | None = None, pdf: bool = False
) -> tuple[str, str]:
    """The flow that was chosen, or why none was; and what is said of the choice."""
    job = JudgeJob(
        path="/nowhere",
        name="x.xml",
        sha256="",
        size=0,
        partner=partner,
        partner_flows=None if partner is None else tuple(each.name for each in flows),
        on=dt.date(2026, 10, 1),
        flow=asked,
    )
    found, remark = flow_for(job, FACTS, {each.name: each for each in flows}, pdf=pdf)
    name = found.name if isinstance(found, Flow) else found.rule
    if remark is not None:
        assert remark.rule == FLOW_CHOSEN
    return name, remark.message if remark else ""


def test_the_flow_with_the_most_rules_judges() -> None:
    """Of equals, the first by name; whichever order they come in."""
    plain, strict, other = flow("a", "x"), flow("z", "x", "y"), flow("y", "x", "w")

    name, message = chosen(plain, strict, other)

    assert name == "y"
    assert "a, z" in message
    assert chosen(other, strict, plain)[0] == "y"


def test_only_the_chain_for_the_document_counts() -> None:
    """One for another syntax, or for PDFs, says nothing about this document."""
    cii, pdf = flow("cii", "x", "y", "z", syntax=Syntax.CII), flow("pdf", "x", "y", pdf=True)

    assert chosen(flow("a", "x"), cii, pdf)[0] == "a"
    assert chosen(flow("a", "x"), cii, pdf, pdf=True)[0] == "pdf"


def test_one_that_fits_needs_no_words() -> None:
    """Nothing was chosen."""
    away = Flow(name="b", chain=flow("b").chain, match=FlowMatch(syntaxes=(Syntax.CII,)))

    assert chosen(flow("a", "x"), away) == ("a", "")
    assert chosen(away)[0] == "ROUTE-NO-FLOW"


def test_for_a_partner_nobody_chooses() -> None:
    """Which rules it must obey is for its operator to say, not for a rule of thumb."""
    assert chosen(flow("a"), flow("b", "x"), partner="acme") == ("ROUTE-AMBIGUOUS", "")


def test_a_flow_that_is_named_judges() -> None:
    """Without a word; one that does not exist is an error that lists the others."""
    assert chosen(flow("a"), flow("b", "x"), asked="a") == ("a", "")
    with pytest.raises(GatewayError, match="'c'") as caught:
        chosen(flow("a"), flow("b"), asked="c")
    assert "a, b" in caught.value.remedy
