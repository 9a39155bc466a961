"""conf/prometheus and conf/grafana: checked by Prometheus' own tool, and against our metrics.

A rule over a metric that is not there never fires and never complains: so each name and label they
use must be one that docs/metrics.md has, which other tests hold against a real gateway.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.documented_metrics import documented

ROOT: Final = Path(__file__).parent.parent
CONF: Final = ROOT / "conf"
RULES: Final = CONF / "prometheus" / "edi-gateway.rules.yml"
DASHBOARD: Final = CONF / "grafana" / "edi-gateway.json"
CASES: Final = ROOT / "tests" / "prometheus" / "edi-gateway.test.yml"

OF_PROMETHEUS: Final = {"job", "instance", "le"}
"""Labels that Prometheus gives."""
WORDS: Final = {"by", "without", "on", "ignoring", "and", "or", "unless", "bool", "offset"}
HISTOGRAM: Final = re.compile(r"_(bucket|sum|count)$")


def promtool(*words: str | Path, cwd: Path = ROOT) -> str:
    """What it printed; it must be content."""
    done = subprocess.run(
        ["promtool", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    """Every rule of the file."""
    read = yaml.safe_load(RULES.read_text())
    return [rule for group in read["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Every panel that shows something."""
    shown = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in shown if panel["type"] != "row"]


def dashboard_expressions() -> dict[str, str]:
    """Title → expression, with what Grafana puts in for its variables."""
    read = json.loads(DASHBOARD.read_text())
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels()
        for target in panel["targets"]
    }
    for note in read["annotations"]["list"]:
        found[note["name"]] = note["expr"]
    put_in = {
        "$__rate_interval": "5m",
        "$job": "edi-gateway",
        "$instance": ".*",
        "$environment": "production",
    }
    for title, expression in found.items():
        for name, value in put_in.items():
            expression = expression.replace(name, value)
        assert "$" not in expression, title
        found[title] = expression
    return found


def test_the_rules_are_sound() -> None:
    """To promtool, with the piece of configuration that names them."""
    assert "SUCCESS" in promtool("check", "rules", "--lint-fatal", RULES)
    assert "SUCCESS" in promtool("check", "config", CONF / "prometheus" / "prometheus.yml")


def test_the_rules_do_what_they_say() -> None:
    """Their unit tests pass: each alert is raised in time, and not before."""
    assert "SUCCESS" in promtool("test", "rules", CASES.name, cwd=CASES.parent)


def test_every_alert_is_raised_in_a_unit_test() -> None:
    """And not raised in one; every recorded series is compared."""
    cases = yaml.safe_load(CASES.read_text())["tests"]
    tried = [each for case in cases for each in case.get("alert_rule_test", ())]
    raised = {each["alertname"] for each in tried if each["exp_alerts"]}
    assert raised == {rule["alert"] for rule in rules() if "alert" in rule}
    quiet = {each["alertname"] for each in tried if not each["exp_alerts"]}
    at_once = {"EdiGatewayDeadMessages", "EdiGatewayCertificateExpires"}
    assert raised - quiet == at_once  # whose quiet series stand beside those that raise them
    asked = " ".join(each["expr"] for case in cases for each in case.get("promql_expr_test", ()))
    for rule in rules():
        if "record" in rule and not re.search(r"[\w:]*ratio1h", rule["record"]):
            assert rule["record"] in asked


def test_every_alert_has_words_for_people() -> None:
    """What happened and what to do, how bad it is, and no link."""
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert set(rule["annotations"]) == {"summary", "remedy"}
            words = " ".join(rule["annotations"].values())
            assert "://" not in words
            assert len(rule["annotations"]["remedy"]) > 20


# ---- what PromQL speaks of


def without_strings(expression: str) -> str:
    """String literals emptied."""
    return re.sub(r'"(\\.|[^"\\])*"', '""', expression)


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric that is asked for, with the labels in its braces."""
    text = without_strings(expression)
    text = re.sub(r"\[[^\]]*\]", "", text)
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    for found in re.finditer(r"(?<![\w.])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\}|\()?", text):
        name, after = found.groups()
        if after == "(" or name in WORDS:
            continue
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", after or ""))


def grouped(expression: str) -> set[str]:
    """Labels that results are grouped or joined by."""
    found = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", without_strings(expression))
    return {label.strip() for each in found for label in each.split(",")}


def labels_by_name() -> dict[str, set[str]]:
    """What series have: ours, what the rules record, and Prometheus' own `up`."""
    known = {"up": set[str]()}
    for each in documented():
        names = [each.name]
        if each.type == "histogram":
            names = [each.name + ending for ending in ("_bucket", "_sum", "_count")]
        known |= {name: set(each.labels) for name in names}
    for rule in rules():
        if "record" in rule:
            known[rule["record"]] = grouped(rule["expr"]) - {"le"}
    return known


def expressions() -> dict[str, str]:
    """All of them, by where they stand."""
    out = {f"rule {rule.get('alert', rule.get('record'))}": rule["expr"] for rule in rules()}
    return out | {f"panel {title}": each for title, each in dashboard_expressions().items()}


@pytest.mark.parametrize("where", sorted(expressions()))
def test_what_is_asked_for_exists(where: str) -> None:
    """Names, labels in braces, labels to group by."""
    known = labels_by_name()
    expression = expressions()[where]
    asked = list(selectors(expression))
    assert asked
    there = set(OF_PROMETHEUS)
    for name, labels in asked:
        assert name in known, name
        assert labels <= known[name] | OF_PROMETHEUS, (name, labels)
        there |= known[name]
    assert grouped(expression) <= there
    if "le" in grouped(expression):
        assert all(name.endswith("_bucket") for name, _ in asked)


def test_the_reader_of_expressions_sees_all() -> None:
    """Else what it does not see would never be missed."""
    expression = 'sum by (a, le) (rate(x_total{b="{y}", c=~"z"}[5m])) / on (a) (w > 2e9) or v:r5m'
    assert list(selectors(expression)) == [
        ("x_total", {"b", "c"}),
        ("w", set()),
        ("v:r5m", set()),
    ]
    assert grouped(expression) == {"a", "le"}


# ---- the dashboard


def test_its_expressions_are_promql(tmp_path: Path) -> None:
    """Read by promtool, as if they were rules."""
    rules_ = [
        {"record": f"panel:{number}:x", "expr": expression}
        for number, expression in enumerate(dashboard_expressions().values())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules_}]}))
    assert f"{len(rules_)} rules found" in promtool("check", "rules", file)


def test_what_waits_for_its_receipt_did_not_fail() -> None:
    """AS2 partners who send their receipts later would look as if nothing reached them."""
    assert '!~"delivered|awaited"' in dashboard_expressions()["Attempts to deliver that failed A"]


def test_panels_stand_side_by_side() -> None:
    """Numbered once, in 24 columns, none over another; each has a title and one data source."""
    read = json.loads(DASHBOARD.read_text())
    every = read["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    taken: set[tuple[int, int]] = set()
    for panel in every:
        place = panel["gridPos"]
        assert 0 <= place["x"] <= place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    titles = [panel["title"] for panel in panels()]
    assert len(set(titles)) == len(titles)
    sources = {panel["datasource"]["uid"] for panel in panels()}
    assert sources == {"${datasource}"}
    assert {each["name"] for each in read["templating"]["list"]} == {
        *("datasource", "job", "instance", "environment"),
    }


def test_what_operators_watch_is_on_it() -> None:
    """Each metric whose rise needs somebody is in a panel."""
    text = " ".join(dashboard_expressions().values())
    for name in (
        *("broker_available", "destination_away", "quarantined_interchanges", "outbox_messages"),
        *("acknowledgements_late", "sla_missed_interchanges", "disk_free_bytes", "workers"),
        *("unfinished_oldest_seconds", "outbox_oldest_seconds", "documents_total", "mdns_missing"),
        *("rejections_total", "stage_seconds_bucket", "certificate_expiry_days", "alerts"),
    ):
        assert f"edi_gateway_{name}" in text, name
