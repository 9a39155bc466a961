"""Known vulnerabilities in the versions of requirements.lock: what `make audit` runs.

pip-audit asks a database of advisories about each of them. What it finds fails the audit, unless
`audit-accepted.toml` says why we live with it:

    [[accepted]]
    id = "PYSEC-2026-1"             # or an alias, such as its CVE
    package = "lxml"
    reason = "Only its XSLT is concerned, which we do not use."
    until = 2027-03-01              # a decision to be looked at again

pip-audit ends with "no known vulnerabilities" also when it got no answer. So it is asked first
about a version that is known to be vulnerable; and a package that it could not look up is not
passed over.

Exit code 0: nothing is known against us. 1: something is. 2: that could not be found out.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PIP_AUDIT = Path(sys.executable).with_name("pip-audit")
KNOWN = "urllib3==1.24"
"""Vulnerable since 2019 (CVE-2019-11324): whoever finds nothing here sees nothing."""
SERVICES = ("pypi", "osv")
SECONDS = 600.0


class NotAudited(Exception):
    """Whether there are vulnerabilities is not known; says why."""


class Accepted(NamedTuple):
    """A vulnerability we live with, until a day."""

    id: str
    package: str
    reason: str
    until: dt.date


class Found(NamedTuple):
    """A known vulnerability in a version of ours."""

    package: str
    version: str
    names: tuple[str, ...]
    mended_in: tuple[str, ...]
    text: str

    def is_accepted(self, accepted: Accepted) -> bool:
        """Whether this is the one that is spoken of."""
        return self.package == accepted.package.lower() and accepted.id in self.names

    def __str__(self) -> str:
        name, *aliases = self.names
        known = f" ({', '.join(aliases)})" if aliases else ""
        way_out = f"Mended in {', '.join(self.mended_in)}." if self.mended_in else "Not mended yet."
        first = self.text.strip().partition("\n")[0][:300]
        return f"{self.package} {self.version}: {name}{known}. {way_out}\n    {first}"


def main(words: list[str] | None = None) -> int:
    """See above for what it gives."""
    parser = argparse.ArgumentParser(description="Known vulnerabilities in requirements.lock.")
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements.lock")
    parser.add_argument("--accepted", type=Path, default=ROOT / "audit-accepted.toml")
    parser.add_argument("--pip-audit", type=Path, default=PIP_AUDIT)
    options = parser.parse_args(words)
    try:
        accepted = read_accepted(options.accepted)
        service = service_that_sees(options.pip_audit)
        answer = ask(options.pip_audit, service, options.lock)
        check_complete(answer, options.lock)
    except NotAudited as error:
        print(f"Not audited: {error}", file=sys.stderr)
        return 2
    return report(list(findings(answer)), accepted, dt.datetime.now(dt.UTC).date())


def read_accepted(file: Path) -> list[Accepted]:
    """What we live with. One without a reason or a day is not accepted."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        return [_accepted(each) for each in table.get("accepted", [])]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise NotAudited(
            f"{file} cannot be used: {error}. Each [[accepted]] needs id, package and reason, which"
            " are texts, and until, a day such as 2027-03-01."
        ) from None


def _accepted(table: dict[str, Any]) -> Accepted:
    made = Accepted(**table)
    texts: tuple[object, ...] = (made.id, made.package, made.reason)
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError("id, package or reason says nothing")
    if type(made.until) is not dt.date:
        raise ValueError("until is no day")
    return made


def service_that_sees(pip_audit: Path) -> str:
    """The first database that knows of the vulnerability everybody knows of."""
    why = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "known.txt"
        file.write_text(f"{KNOWN}\n", encoding="utf-8")
        for service in SERVICES:
            try:
                answer = ask(pip_audit, service, file)
                check_complete(answer, file)
                if any(findings(answer)):
                    return service
                why.append(f"{service}: it knows nothing against {KNOWN}")
            except NotAudited as error:
                why.append(f"{service}: {error}")
    raise NotAudited(
        "no database of advisories answers from here. It needs https://pypi.org or"
        " https://api.osv.dev; a mirror of packages has no advisories.\n  " + "\n  ".join(why)
    )


def ask(pip_audit: Path, service: str, lock: Path) -> list[dict[str, Any]]:
    """What pip-audit says of each version of a file; nothing is installed or resolved for it."""
    try:
        done = subprocess.run(
            [
                *(str(pip_audit), "--requirement", str(lock), "--no-deps", "--disable-pip"),
                *("--vulnerability-service", service, "--format", "json"),
                *("--progress-spinner", "off", "--aliases", "on", "--desc", "on"),
            ],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout)["dependencies"]
    except OSError as error:
        raise NotAudited(
            f"{pip_audit} cannot be started: {error.strerror}. Run make audit."
        ) from None
    except subprocess.TimeoutExpired:
        raise NotAudited(f"pip-audit had not ended after {SECONDS:g} s.") from None
    except (ValueError, KeyError, TypeError):
        last = done.stderr.strip().rpartition("\n")[2][:500]
        raise NotAudited(f"pip-audit ended with {done.returncode}: {last}") from None
    return list(answer)


def check_complete(answer: list[dict[str, Any]], lock: Path) -> None:
    """Every version of the lock must have been looked up."""
    skipped = [f"{each['name']}: {each['skip_reason']}" for each in answer if "skip_reason" in each]
    lines = (line.partition("#")[0].strip() for line in lock.read_text("utf-8").splitlines())
    wanted = {_canonical(line.partition("==")[0]) for line in lines if line}
    missing = wanted - {_canonical(each["name"]) for each in answer}
    if skipped or missing:
        told = [*skipped, *(f"{name}: not in the answer" for name in sorted(missing))]
        raise NotAudited(f"{len(told)} of {len(wanted)} packages:\n  " + "\n  ".join(told))


def _canonical(name: str) -> str:
    """A package's name as the index has it (PEP 503)."""
    return name.strip().lower().replace("_", "-").replace(".", "-")


def findings(answer: list[dict[str, Any]]) -> Iterator[Found]:
    """Every vulnerability in what pip-audit said."""
    for each in answer:
        for known in each.get("vulns", ()):
            yield Found(
                package=each["name"].lower(),
                version=each["version"],
                names=(known["id"], *known.get("aliases", ())),
                mended_in=tuple(known.get("fix_versions", ())),
                text=known.get("description") or "",
            )


def report(found: list[Found], accepted: list[Accepted], today: dt.date) -> int:
    """Print all of it; 1 if something is not accepted."""
    faults = 0
    for each in found:
        reasons = [one for one in accepted if each.is_accepted(one) and one.until >= today]
        faults += not reasons
        print(each)
        for one in reasons:
            print(f"    Accepted until {one.until}: {one.reason}")
    for one in accepted:
        if not any(each.is_accepted(one) for each in found):
            print(f"{one.package}: {one.id} is accepted and not found any more: take it out.")
        elif one.until < today:
            print(f"{one.package}: {one.id} was accepted until {one.until}: decide again.")
    print(f"{len(found)} known vulnerabilities, {faults} of them not accepted.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
