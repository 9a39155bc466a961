"""docs/guides/partner.md and partner-fr.md: what they tell works, and is the same in both."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.core.explain import definitions
from gateway.samples import sample_bytes
from tests.broker import free_port
from tests.docs.walkthrough import ROOT, Shell, blocks_of

GUIDES = ROOT / "docs" / "guides"
ENGLISH = (GUIDES / "partner.md").read_text(encoding="utf-8")
FRENCH = (GUIDES / "partner-fr.md").read_text(encoding="utf-8")
SAMPLE = sample_bytes("ubl-invoice.xml").decode()
HISTORY = {"DOUBLON", "ENVELOPE-REUSED", "PAYLOAD-REPEATED"}
"""Of what was sent before: tests/service/test_repeats.py and others make them."""
OPERATOR = """
```sh
export PATH="$PWD/edi-gateway/.venv/bin:$PATH"
mkdir -p site/partners
cat > site/gateway.toml <<'END'
[paths]
state = "state"
[sftp]
port = 2222
[http]
enabled = true
port = 8080
END
export EDI_GATEWAY_CONFIG="$PWD/site/gateway.toml"
ssh-keygen -q -t ed25519 -N "" -f edi_key
edi-gateway partner add acme --flow ctc-fr-invoice --sftp-key edi_key.pub --lang en
export TOKEN=0123456789abcdef0123456789abcdef
printf '\\n[http]\\ntoken_sha256 = ["%s"]\\n' "$(printf %s "$TOKEN" | sha256sum | cut -c1-64)" \
    >> site/partners/acme.toml
edi-gateway run 2> gateway.log &
until grep -qs '"event": "ready"' gateway.log; do sleep 1; done
cp edi-gateway/gateway/samples/ubl-invoice.xml invoice.xml
cp edi-gateway/gateway/samples/ubl-credit-note.xml invoice-2.xml
```
"""
CLOSING = """
```sh
edi-gateway interchanges
```

```
…
… acme invoice-2.xml …acknowledged …accepted…
… acme invoice.xml …acknowledged …accepted…
…
```
"""


def refusals(page: str) -> list[list[str]]:
    """The rules of each row of the table of refusals."""
    (table,) = re.findall(r"^## (?:Ten|Dix) .*?\n(.*?)(?=^## )", page, re.M | re.S)
    rows = re.findall(r"^\| ([A-Z][A-Z0-9, -]+) \|", table, re.M)
    return [row.split(", ") for row in rows]


def without(pattern: str) -> str:
    """The sample without what the pattern finds first."""
    return re.sub(pattern, "", SAMPLE, count=1, flags=re.S)


def instead(old: str, new: str) -> str:
    """The sample with other words in one place."""
    assert old in SAMPLE
    return SAMPLE.replace(old, new)


def wrong_invoices() -> dict[str, bytes]:
    """Invoices with one mistake each, as new senders make them."""
    texts = {
        "total": instead(">4538.61<", ">4583.61<"),
        "lines": instead(">3864.00<", ">3846.00<"),
        "vat": instead(">717.40<", ">717.50<"),
        "note": without(r"<cbc:Note>#PMD#.*?</cbc:Note>"),
        "seller-address": without(r'<cbc:EndpointID schemeID="0225">000123455.*?ID>'),
        "buyer-address": without(r"(?<=CustomerParty>\n    <cac:Party>\n)\s*<cbc:EndpointID.*?ID>"),
        "siren": instead('schemeID="0002">000123455<', 'schemeID="0002">00012345<'),
        "buyer-siren": instead('"0002">000471102<', '"0002">00047110<'),
        "number": instead("<cbc:ID>FA-2026-00187<", f"<cbc:ID>FA 2026#00187 {30 * 'x'}<"),
        "framework": instead("<cbc:ProfileID>M1<", "<cbc:ProfileID>Z9<"),
        "date": instead("<cbc:IssueDate>2026-03-12", "<cbc:IssueDate>12/03/2026"),
        "ampersand": instead("Ateliers du Ponant", "Ateliers & Ponant"),
        "cut-off": SAMPLE[: len(SAMPLE) // 2],
        "profile": instead("urn:cen.eu:en16931:2017<", "urn:example.org:2024<"),
    }
    assert [name for name, text in texts.items() if text == SAMPLE] == []
    return {name: text.encode() for name, text in texts.items()} | {
        "letters": SAMPLE.encode("latin-1", "replace")
    }


def test_both_languages_say_the_same() -> None:
    """The same commands, the same rules in the same order, ten of them, the same headings."""
    assert [block.commands for block in blocks_of(ENGLISH)] == [
        block.commands for block in blocks_of(FRENCH)
    ]
    assert refusals(ENGLISH) == refusals(FRENCH)
    assert len(refusals(ENGLISH)) == 10
    levels = [re.findall(r"^#+", page, re.M) for page in (ENGLISH, FRENCH)]
    assert levels[0] == levels[1]
    rows = [len(re.findall(r"^\|", page, re.M)) for page in (ENGLISH, FRENCH)]
    assert rows[0] == rows[1]


def test_every_refusal_happens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each rule of the table is found by judging an invoice with that mistake."""
    files = []
    for name, content in wrong_invoices().items():
        files.append(tmp_path / f"{name}.xml")
        files[-1].write_bytes(content)
    assert main(["validate", "--flow", "ctc-fr-invoice", "--json", *map(str, files)]) == 1
    found = set()
    for line in capsys.readouterr().out.splitlines():
        said = json.loads(line)
        assert said["verdict"] == "rejected", said["file"]
        found |= {finding["rule"] for finding in said["findings"]}
    named = {rule for row in refusals(ENGLISH) for rule in row}
    assert named >= HISTORY
    assert set(definitions()) >= HISTORY
    assert [
        rule
        for rule in named - HISTORY
        if not any(each == rule or each.startswith(f"{rule}_") for each in found)
    ] == []


@pytest.mark.ssh
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_work(tmp_path: Path) -> None:
    """By SFTP with a rename, and over HTTP with a token: both are received and accepted."""
    sftp, http = free_port(), free_port()
    here = {
        "sftp -P 2222": f"sftp -o StrictHostKeyChecking=accept-new"
        f" -o UserKnownHostsFile={tmp_path}/known -P {sftp}",
        "port = 2222": f"port = {sftp}",
        "port = 8080": f"port = {http}",
        "https://edi.example.com": f"http://127.0.0.1:{http}",
        "edi.example.com": "127.0.0.1",
    }
    with Shell(tmp_path / "reader", here) as shell:
        for page in (OPERATOR, ENGLISH, CLOSING):
            assert list(shell.follow(page))
