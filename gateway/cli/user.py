"""`edi-gateway user`: who may log in to the console.

All but `list` ask the running daemon, or write the journal while none runs. Only a hash of the
password leaves this process.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from tabulate import tabulate

from gateway.cli import options
from gateway.cli.desk import open_desk
from gateway.errors import ConfigurationError
from gateway.service.console import passwords
from gateway.service.console.users import Role, Users
from gateway.service.control import Handler
from gateway.service.journal import open_reader
from gateway.service.journal.direct import DirectJournal
from gateway.service.journal.user_records import all_users

_MOST_BYTES = 4096
_ROLES = [role.word for role in Role]


def configure(parser: argparse.ArgumentParser) -> None:
    """Subcommands and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    words = "who may log in, with which role"
    listing = actions.add_parser("list", help=words, description=words)
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    words = "let somebody log in"
    # Not to be shortened: `--password SECRET` would be taken for `--password-file`.
    add = actions.add_parser("add", help=words, description=words, allow_abbrev=False)
    add.add_argument(
        "--role",
        choices=_ROLES,
        default=Role.VIEWER.word,
        help="viewer looks, operator acts on what waits, administrator does everything"
        " (default: viewer)",
    )
    add.add_argument(
        "--partner",
        default="",
        metavar="P",
        help="a login of this partner's own: it sees what is the partner's and nothing else;"
        " as operator it may send files as well",
    )
    words = "give somebody another password; whoever is logged in by that name is logged out"
    password = actions.add_parser("password", help=words, description=words, allow_abbrev=False)
    words = "give somebody another role; whoever is logged in by that name is logged out"
    role = actions.add_parser("role", help=words, description=words)
    words = "end every session of somebody, who may log in again"
    logout = actions.add_parser("logout", help=words, description=words)
    words = "let somebody log in no more, and log them out; the last administrator stays"
    remove = actions.add_parser("remove", help=words, description=words)
    for action in (add, password, role, logout, remove):
        action.add_argument("name", metavar="NAME", help="lower-case letters, digits, . _ @ -")
        action.add_argument("--json", action="store_true", help="one JSON object")
    role.add_argument("role", metavar="ROLE", choices=_ROLES, help=", ".join(_ROLES))
    for action in (add, password):
        action.add_argument(
            "--password-file",
            type=Path,
            metavar="FILE",
            help="take the password from this file, one line; - is standard input"
            " (default: it is asked for)",
        )
    for action in (listing, add, password, role, logout, remove):
        options.add_configuration(action)


def run(args: argparse.Namespace) -> int:
    """0 when it is done; 2 for a password that will not do, 3 for nobody of that name."""
    if args.action == "list":
        return _list(args)
    arguments: dict[str, Any] = {"name": args.name}
    if args.action in ("add", "password"):
        password = _password(args.password_file)
        passwords.check(password, args.name)
        arguments["password_hash"] = passwords.hashed(password)
    if args.action == "add":
        arguments |= {"role": args.role, "partner": args.partner}
    elif args.action == "role":
        arguments["role"] = args.role
    state = options.journal_path(args).parent
    known = None if args.state_dir is not None else options.configuration(args).partners

    def build(journal: DirectJournal) -> Mapping[str, Handler]:
        silent = structlog.wrap_logger(structlog.testing.ReturnLogger(), processors=[])
        return Users(journal, partners=known, ended=lambda _: 0, log=silent).handlers()

    with open_desk(state, build, tells="edi-gateway user list") as desk:
        answer = desk.ask(f"user.{args.action}", **arguments)
    if args.json:
        print(json.dumps(answer))
    else:
        print(_WORDS[args.action].format_map(answer))
    return 0


_WORDS = {
    "add": "{name} may log in now.",
    "password": "{name} has another password; whoever was logged in by that name is logged out.",
    "role": "{name} is {role} now; whoever was logged in by that name is logged out.",
    "logout": "{name} is logged out ({sessions} sessions), and may log in again.",
    "remove": "{name} may not log in any more.",
}


def _list(args: argparse.Namespace) -> int:
    with open_reader(options.journal_path(args)).connect() as conn:
        rows = all_users(conn)
    if args.json:
        for row in rows:
            shown = {
                "name": row.name,
                "role": row.role,
                "partner": row.partner or None,
                "created_at": row.created_at.isoformat(),
                "changed_at": row.changed_at.isoformat(),
            }
            print(json.dumps(shown))
    elif rows:
        cells = [
            (row.name, row.role, row.partner, f"{row.changed_at:%Y-%m-%d %H:%M}") for row in rows
        ]
        headers = ("name", "role", "partner", "password of (UTC)")
        print(tabulate(cells, headers=headers, disable_numparse=True))
    else:
        print("Nobody may log in. The first: edi-gateway user add NAME --role administrator")
    return 0


def _password(file: Path | None) -> str:
    """From the file, or asked for twice. Raises `ConfigurationError`."""
    if file is None:
        if not sys.stdin.isatty():
            raise ConfigurationError(
                "A password is asked for on a terminal, and there is none.",
                remedy="Use --password-file FILE, or --password-file - for standard input.",
            )
        first = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != first:
            raise ConfigurationError("The two passwords differ.", remedy="Begin again.")
        return first
    try:
        if str(file) == "-":
            text = sys.stdin.buffer.read(_MOST_BYTES)
        else:
            with file.open("rb") as stream:
                text = stream.read(_MOST_BYTES)
        return text.decode().partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"No password can be read from {file}: {error}.",
            remedy="One line of UTF-8, readable by you alone.",
        ) from error
