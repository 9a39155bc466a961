"""docs/configuration.md and conf/gateway.toml say what the code does: all of it, with defaults.

A setting that is not in both, with its comment, fails here; so does an example in the document
that the gateway would not take, or an error message it would not give.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from gateway import config, resources
from gateway.config.settings import Settings
from gateway.config.strict import convert
from gateway.model.flow import FlowFile
from gateway.model.partner import Partner

DOCUMENT = Path(__file__).parent.parent / "docs" / "configuration.md"
ROW = re.compile(r"^\| `([a-z0-9_.]+)` \|(.*?)\| (.*) \|$", re.MULTILINE)


def leaves(info: inspect.Type, path: str = "") -> Iterator[tuple[str, inspect.Type]]:
    """Every key below a struct, by dotted path; a list of tables counts as its table."""
    if isinstance(info, inspect.StructType):
        for field in info.fields:
            yield from leaves(field.type, f"{path}.{field.encode_name}".lstrip("."))
    elif isinstance(info, inspect.UnionType):
        yield from leaves(
            next(kind for kind in info.types if not isinstance(kind, inspect.NoneType)), path
        )
    elif isinstance(info, inspect.VarTupleType) and isinstance(info.item_type, inspect.StructType):
        yield from leaves(info.item_type, path)
    else:
        yield path, info


def allowed(info: inspect.Type) -> str:
    """What a setting may be, in the words of the document."""
    match info:
        case inspect.Metadata(type=inner):
            return allowed(inner)
        case inspect.BoolType():
            return "`true`, `false`"
        case inspect.LiteralType(values=values):
            return ", ".join(f'`"{value}"`' for value in values)
        case inspect.StrType(min_length=least):
            return "text, not empty" if least else "text"
        case inspect.VarTupleType(item_type=inspect.StrType()):
            return "list of texts"
        case inspect.IntType(ge=low, le=high):
            return f"{low} or more" if high is None else f"{low} to {high}"
        case inspect.FloatType(gt=None, ge=low, le=high):
            return f"{low:g} to {high:g} s"
        case inspect.FloatType(gt=low, le=high):
            return f"above {low:g}, to {high:g} s"
    raise AssertionError(info)


def allowed_of() -> dict[str, str]:
    """What every setting may be."""
    return {path: allowed(info) for path, info in leaves(inspect.type_info(Settings))}


def flat(table: dict[str, Any], path: str = "") -> dict[str, Any]:
    """A TOML table's values by dotted path."""
    out: dict[str, Any] = {}
    for key, value in table.items():
        here = f"{path}.{key}".lstrip(".")
        out |= flat(value, here) if isinstance(value, dict) else {here: value}
    return out


DEFAULTS = flat(msgspec.json.decode(msgspec.json.encode(Settings())))


def chapter(title: str) -> str:
    """One `##` chapter of the document."""
    return DOCUMENT.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_settings_file_is_the_defaults() -> None:
    """conf/gateway.toml holds every setting, each at its default, and nothing else."""
    text = config.builtin_file().read_text()
    assert flat(tomllib.loads(text)) == DEFAULTS
    value, faults = convert(tomllib.loads(text), Settings, file=config.builtin_file())
    assert faults == ()
    assert value == Settings()


@pytest.mark.parametrize(
    "file",
    ["conf/gateway.toml", "conf/partners/example.toml", "flows/ctc-fr-invoice.toml"],
)
def test_every_key_has_a_comment_above_it(file: str) -> None:
    """An operator needs no second document open. `[[chain]]` is explained once, at its head."""
    folder, rest = file.split("/", 1)
    lines = (resources.data_folder(folder) / rest).read_text().split("\n[[chain]]")[0].splitlines()
    for above, line in itertools.pairwise(lines):
        if re.match(r"(# )?[a-z0-9_]+ = ", line):
            assert above.startswith("#"), f"{line} has no comment"


def test_the_document_has_every_setting_with_default_and_bounds() -> None:
    """One row for each setting, none for a setting that is not there."""
    rows = {row[1]: (row[2], row[3]) for row in ROW.finditer(chapter("Settings"))}
    assert set(rows) == set(DEFAULTS)
    expected = allowed_of()
    for key, (default, rest) in rows.items():
        assert tomllib.loads(f"v = {default.strip(' `')}")["v"] == DEFAULTS[key], key
        bounds, _, meaning = rest.partition(" | ")
        assert bounds == expected[key], key
        assert meaning, key


@pytest.mark.parametrize(("struct", "title"), [(Partner, "Partners"), (FlowFile, "Flows")])
def test_the_document_has_every_key_of_partners_and_flows(
    struct: type[msgspec.Struct], title: str
) -> None:
    """One row for each key, none for a key that is not there."""
    rows = [row[1] for row in ROW.finditer(chapter(title))]
    assert sorted(rows) == sorted(path for path, _ in leaves(inspect.type_info(struct)))


def test_the_example_partner_shows_every_key() -> None:
    """The file to copy has each key, live or commented out."""
    text = (resources.data_folder("conf") / "partners" / "example.toml").read_text()
    keys = {key.split(".")[-1] for key, _ in leaves(inspect.type_info(Partner))}
    assert keys == set(re.findall(r"^(?:# )?([a-z0-9_]+) = ", text, re.MULTILINE))


def test_the_first_flow_shows_every_key() -> None:
    """The flow file that explains them has each key, live or commented out."""
    text = (resources.data_folder("flows") / "ctc-fr-invoice.toml").read_text()
    keys = {key.split(".")[-1] for key, _ in leaves(inspect.type_info(FlowFile))}
    assert keys == set(re.findall(r"^(?:# )?([a-z0-9_]+) = ", text, re.MULTILINE))


def test_examples_in_the_document_are_taken() -> None:
    """Every TOML example has only keys that exist, with values of the right type."""
    examples = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(examples) >= 5
    for example in examples:
        for text in re.split(r"^# flows/.*$", example, flags=re.MULTILINE):
            table = tomllib.loads(text)
            struct: type[msgspec.Struct] = Settings
            if table.keys() & {"match", "chain"}:
                struct = FlowFile
            elif "name" in table:
                struct = Partner
            _, faults = convert(table, struct, file=DOCUMENT)
            missing = "Missing, and there is no default."
            assert [fault for fault in faults if fault.what != missing] == [], text


def test_the_overlap_in_the_document_is_the_one_reported(tmp_path: Path) -> None:
    """The worked example, run: the same error, word for word, and its way out works."""
    (tmp_path / "partners").mkdir()
    (tmp_path / "flows").mkdir()
    for file in resources.data_folder("flows").glob("*.toml"):
        (tmp_path / "flows" / file.name).write_text(file.read_text())
    section = chapter("Flows")
    partner = re.search(r"```toml\n(name = \"acme\"\n.*?)```", section, re.DOTALL)
    told = re.search(r"```\n(/etc/edi-gateway/partners/.*?)```", section, re.DOTALL)
    assert partner
    assert told
    (tmp_path / "partners" / "acme.toml").write_text(partner[1])
    (tmp_path / "gateway.toml").write_text('[paths]\nflows = "flows"\n')
    (fault,) = config.read(tmp_path / "gateway.toml").faults
    assert str(fault).replace(str(tmp_path), "/etc/edi-gateway").split() == told[1].split()

    for name, code in re.findall(
        r"# flows/([a-z0-9-]+)\.toml\n\[match\]\ninterface_codes = \[\"(\w+)\"\]", section
    ):
        file = tmp_path / "flows" / f"{name}.toml"
        text = file.read_text()
        assert config.read(tmp_path / "gateway.toml").faults
        file.write_text(text.replace("[match]", f'[match]\ninterface_codes = ["{code}"]'))
    assert config.read(tmp_path / "gateway.toml").faults == ()


def test_the_misspelt_key_in_the_document_is_reported_so(tmp_path: Path) -> None:
    """The first example of a fault is what `check` says."""
    told = re.search(r"```\nFAULT +configuration\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert told
    (tmp_path / "partners").mkdir()
    (tmp_path / "gateway.toml").write_text("[sftp]\nprot = 2222\n")
    (fault,) = config.read(tmp_path / "gateway.toml").faults
    assert str(fault).replace(str(tmp_path), "/etc/edi-gateway").split() == told[1].split()
