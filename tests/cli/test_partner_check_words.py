"""`edi-gateway partner check` in French: every step there can be, and the option itself."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.cli import as2_rehearsal, as2_rehearsal_words, certificate_probe, check, partner_check
from gateway.cli.main import main
from gateway.cli.probes import Outcome, Result
from gateway.model.as2 import Compression, Failure, Refused
from gateway.model.verdict import Language, Text
from gateway.service.console import partner_page
from tests.config.as2_folder import PARTNER, SETTINGS, As2Folder
from tests.config.certificates import certificate

TEXTS: list[Text] = [
    *partner_check.WORDS.values(),
    *certificate_probe.WORDS.values(),
    *as2_rehearsal_words.WORDS.values(),
    *as2_rehearsal_words.COMPRESSED.values(),
    *(text for wrong in as2_rehearsal_words.WRONG for text in wrong),
]
SAME = {"configuration", "as2", "ok"}
"""Words that are the same in both languages."""

Patch = pytest.MonkeyPatch


def sound(folder: As2Folder, _patch: Patch) -> None:
    """Nothing is wrong, and messages are compressed before they are signed."""
    folder.partner(f'{PARTNER}[as2.send]\ncompress = "before-signing"\n')


def plain(folder: As2Folder, _patch: Patch) -> None:
    """Our messages are neither signed nor encrypted, and compressed."""
    send = '[as2.send]\nsign = "none"\nencrypt = "none"\ncompress = "after-signing"\n'
    folder.partner(PARTNER + send)


def no_flow(folder: As2Folder, _patch: Patch) -> None:
    """The partner is not switched on yet, and may send by no flow."""
    folder.partner("enabled = false\n" + PARTNER.replace('"ctc-fr-invoice"', ""))


def disabled(folder: As2Folder, _patch: Patch) -> None:
    """Nobody can send as it."""
    folder.partner(f"enabled = false\n{PARTNER}")


def no_channel(folder: As2Folder, _patch: Patch) -> None:
    """It has no way to us."""
    folder.partner(PARTNER.split("[as2]")[0])


def faulty(folder: As2Folder, _patch: Patch) -> None:
    """Its file has a fault, so AS2 is not rehearsed."""
    folder.partner(PARTNER.replace("acme.pem", "none.pem"))


def no_name(folder: As2Folder, _patch: Patch) -> None:
    """We have no AS2 name and no certificate."""
    folder.settings(SETTINGS.split("[as2]")[0])


def expired(folder: As2Folder, _patch: Patch) -> None:
    """Our certificate is over, and so are our receipts."""
    folder.identity("ours.pem", certificate("ours", days=(-400, -1)))


def unmade(_folder: As2Folder, patch: Patch) -> None:
    """No message can be made."""

    def fail(*_args: object, **_options: object) -> None:
        raise ValueError("no such cipher")

    patch.setattr("gateway.core.as2.pack", fail)


def refused(_folder: As2Folder, patch: Patch) -> None:
    """No message is taken."""
    answer = Refused(failure=Failure.SECURITY, why="In the message: too weak.")
    patch.setattr("gateway.core.as2.open_message", lambda *_args, **_options: answer)


def differs(_folder: As2Folder, patch: Patch) -> None:
    """The receipt vouches for something else."""
    from gateway.core.as2 import read_mdn
    from gateway.core.as2.mdn_reading import MdnFault

    def other(*args: Any, **options: Any) -> Any:
        said = read_mdn(*args, **options)
        assert not isinstance(said, MdnFault)
        return replace(said, mic=None)

    patch.setattr("gateway.core.as2.read_mdn", other)


SCENES: tuple[Callable[[As2Folder, Patch], None], ...] = (
    *(sound, plain, no_flow, disabled, no_channel, faulty, no_name, expired),
    *(unmade, refused, differs),
)


def steps(folder: As2Folder, language: Language) -> list[Outcome]:
    """The steps of a trial."""
    now = dt.datetime.now(dt.UTC)
    return [*partner_check.outcomes(folder.reading(), "acme", now, language)]


def place(step: Outcome) -> tuple[str, str] | None:
    """Where something is wrong."""
    return (step.fault.file, step.fault.key) if step.fault else None


def ours(step: Outcome) -> Iterator[str]:
    """What the check itself says in a step; not what the loader says of a file."""
    if step.check == "as2" and step.result is not Result.SKIPPED:
        yield step.subject
    if step.detail:
        yield step.detail
    if step.fault and step.check not in ("configuration", "folder"):
        yield step.fault.what
        yield step.fault.remedy


Trials = dict[tuple[str, Language], list[Outcome]]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    """The steps of every scene, in both languages."""
    found: Trials = {}
    for scene in SCENES:
        folder = As2Folder(tmp_path_factory.mktemp(scene.__name__))
        with pytest.MonkeyPatch.context() as patch:
            scene(folder, patch)
            for language in Language:
                found[scene.__name__, language] = steps(folder, language)
    return found


@pytest.mark.parametrize("name", [scene.__name__ for scene in SCENES])
def test_each_step_has_both_languages(trials: Trials, name: str) -> None:
    """The same steps with the same outcome, no sentence of which is the same."""
    english, french = trials[name, Language.EN], trials[name, Language.FR]
    assert english
    for one, other in zip(english, french, strict=True):
        assert (one.check, one.result) == (other.check, other.result)
        assert place(one) == place(other)
        for en, fr in zip(ours(one), ours(other), strict=True):
            assert en != fr
        assert one.check in partner_page._CHECKS
        assert one.check in check.WORDS


@pytest.mark.parametrize("language", Language)
def test_the_scenes_say_all_there_is(trials: Trials, language: Language) -> None:
    """Each entry of each table is told in some scene, with nothing left to fill in."""
    said = [
        words
        for (_, spoken), found in trials.items()
        if spoken is language
        for step in found
        for words in (step.subject, *ours(step))
    ]
    text = "\n".join(said)
    assert "{" not in text
    for each in TEXTS:
        pieces = re.split(r"\{[^}]*\}", each.to(language))
        assert re.search(".+".join(map(re.escape, pieces)), text), each


def test_the_tables_are_complete() -> None:
    """Both languages, which differ, and name the same things."""
    for each in TEXTS:
        assert each.en != each.fr
        names = [sorted(re.findall(r"\{(\w+)", words)) for words in (each.en, each.fr)]
        assert names[0] == names[1]
    assert {*as2_rehearsal_words.COMPRESSED} == {*Compression} - {Compression.NONE}
    assert {*Result} <= {*check.WORDS}
    for name, word in check.WORDS.items():
        assert (word.en == word.fr) is (name in SAME)


@pytest.mark.parametrize(
    "module",
    [partner_check, as2_rehearsal, as2_rehearsal_words, certificate_probe],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_no_sentence_stands_outside_the_tables(module: ModuleType) -> None:
    """Whoever adds a step adds its words in both languages; what is raised is no step."""

    def sentences(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and re.search("[a-z]{2} [a-z]", node.value):
                yield node.value
            return
        # Keys of a table, what is raised, and docstrings are no words of a step; entries of
        # a table are what it is made for.
        if isinstance(node, ast.Subscript | ast.Raise):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Text":
            return
        for child in node.values if isinstance(node, ast.Dict) else ast.iter_child_nodes(node):
            yield from sentences(child)

    assert module.__file__
    found = [*sentences(ast.parse(Path(module.__file__).read_text("utf-8")))]
    assert found == []


def test_the_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text and JSON in French; the codes of JSON stay; another language is refused."""
    folder = As2Folder(tmp_path)
    folder.partner(f"enabled = false\n{PARTNER}")
    words = ["partner", "check", "acme", "--config", str(folder.file)]
    assert main([*words, "--lang", "fr"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^avis +partenaire ", out, re.M)
    assert re.search(r"^ok +certificat +acme acme.pem: jours restants : 300, jusqu'au ", out, re.M)
    assert "→ Mettez enabled = true quand tout le reste est prêt." in out
    assert out.endswith("\nErreurs : 0, avis : 1.\n")
    assert main([*words, "--lang", "fr", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["check"] for line in lines} == {
        "configuration", "partner", "certificate", "as2", "summary",
    }  # fmt: skip
    assert {line["result"] for line in lines} == {"ok", "notice"}
    exchanges = [line["subject"] for line in lines if line["check"] == "as2"]
    assert exchanges[0].startswith("ACME vers GATEWAY, signé sha-256 pkcs1, ")
    with pytest.raises(SystemExit):
        main([*words, "--lang", "de"])


@pytest.mark.parametrize(("environment", "said"), [("fr_FR.UTF-8", "Erreurs"), ("C", "no faults")])
def test_the_language_of_the_environment(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    said: str,
) -> None:
    """Without the option, as in the other commands that have it."""
    monkeypatch.setenv("LC_ALL", environment)
    assert main(["partner", "check", "acme", "--config", str(As2Folder(tmp_path).file)]) == 0
    assert said in capsys.readouterr().out.splitlines()[-1]
