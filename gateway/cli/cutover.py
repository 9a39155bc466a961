"""`edi-gateway cutover`: what partners know of an existing site, brought here before they notice.

The new gateway shows the old site's SSH host keys, lets in who was let in there, and has the AS2
certificates of both sides. Everything of a command is done, or nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway.cli import conf_files, options
from gateway.cli.cutover_keys import authorized_keys, host_keys
from gateway.cli.cutover_keystore import keystore


def configure(parser: argparse.ArgumentParser) -> None:
    """Subcommands and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    words = "show the host keys of the old SFTP server, so that no partner is warned"
    hosts = actions.add_parser("host-keys", help=words, description=words)
    hosts.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="private host keys, such as /etc/ssh/ssh_host_rsa_key",
    )
    hosts.add_argument(
        "--replace", action="store_true", help="instead of keys of the same kind that are there"
    )
    options.add_configuration(hosts)
    words = "let a partner log in with the keys of an authorized_keys file"
    authorized = actions.add_parser("authorized-keys", help=words, description=words)
    authorized.add_argument("file", type=Path, metavar="FILE", help="authorized_keys of OpenSSH")
    authorized.add_argument("--partner", metavar="NAME", required=True, help="whose it was")
    conf_files.add_config(authorized)
    words = "bring in a keystore: certificates of partners, and ours with its key"
    store = actions.add_parser("keystore", help=words, description=words)
    store.add_argument("file", type=Path, metavar="FILE", help="PKCS#12")
    store.add_argument(
        "--password-file", type=Path, metavar="F", help="holds the password of FILE, one line"
    )
    store.add_argument(
        "--partner",
        action="append",
        default=[],
        metavar="NAME=ALIAS",
        help="the entry with this alias is this partner's; as often as there are partners",
    )
    store.add_argument("--ours", action="store_true", help="the key, with its certificate")
    conf_files.add_config(store)
    for action in (hosts, authorized, store):
        action.add_argument("--json", action="store_true", help="one JSON object per line")


def run(args: argparse.Namespace) -> int:
    """0 when it was done, or there was nothing to do; 2 when it cannot be done like this."""
    if args.action == "host-keys":
        return host_keys(args)
    if args.action == "authorized-keys":
        return authorized_keys(args)
    return keystore(args)
