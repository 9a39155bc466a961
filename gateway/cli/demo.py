"""`edi-gateway demo`: the whole line on this machine, with sample invoices and no broker.

A gateway on free loopback ports, in a temporary state directory, with one sample partner. Real
files travel the real way: OpenSSH's `sftp` (paramiko's client where it is absent) puts them in
the partner's `in/`: invoices by themselves, a tar.gz of them, a Factur-X PDF. One more goes by
AS2, and OpenSSL verifies the receipt for it. Judges judge them, publications go to files,
acknowledgements to `out/`, and the client fetches them from there. Half of the tar.gz is faulty:
corrected and sent again, the rest of it is integrated, and what is in it twice is refused. At the
end stand the address of the web console and a login made for this run alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from gateway.cli import demo_as2, demo_console, demo_statuses, options
from gateway.cli.demo_client import Client, make_key
from gateway.cli.demo_table import Outcome, as_expected, outcomes_of, table
from gateway.config import Configuration, load
from gateway.logs import configure as configure_logs
from gateway.logs import logger
from gateway.model.as2 import As2Access
from gateway.model.partner import Acknowledgements, Partner, SftpAccess
from gateway.model.verdict import Language
from gateway.samples.sendings import Sending, by_as2, corrected, sendings
from gateway.service.journal import given_records, records

PARTNER = "demo-partner"
FLOW = "ctc-fr-invoice"
DEADLINE_SECONDS = 180.0
"""How long the samples may take, rule compilation included."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.add_argument("--once", action="store_true", help="end after showing the result")
    parser.add_argument(
        "--state-dir", type=Path, metavar="DIR", help="use and keep this directory (must be empty)"
    )
    options.add_language(parser)


def run(args: argparse.Namespace) -> int:
    """Run the demo: 0 when every verdict and the AS2 receipt are what they should be, else 1."""
    if args.state_dir is not None:
        state = args.state_dir.resolve()
        state.mkdir(parents=True, exist_ok=True)
        if any(state.iterdir()):
            print(f"{state} is not empty; the demo wants a fresh directory.", file=sys.stderr)
            return 2
        return _run_in(state, args)
    state = Path(tempfile.mkdtemp(prefix="edi-gateway-demo-"))
    try:
        return _run_in(state, args)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def _run_in(folder: Path, args: argparse.Namespace) -> int:
    from twisted.internet import defer, reactor, threads

    from gateway.daemon import Daemon

    loop: Any = reactor
    language: Language = args.lang
    state = folder / "state"
    key, public_key = make_key(folder / "partner-key")
    _log_to(folder / "daemon.log")
    keys = demo_as2.make_keys()
    daemon = Daemon(loop, demo_configuration(state, public_key, keys, language), log=logger())
    exit_code = 1

    async def session() -> None:
        nonlocal exit_code
        print("Starting a gateway: judges compile the official rules, a few seconds ...")
        await daemon.start()
        assert daemon.sftp is not None
        assert daemon.http is not None
        client = Client(
            port=daemon.sftp.port,
            user=PARTNER,
            key=key,
            host_key=(state / "keys" / "ssh_host_ed25519_key.pub").read_text().strip(),
            folder=folder,
        )
        samples = folder / "samples"
        samples.mkdir()
        by_sftp, one_by_as2, again = sendings(), by_as2(), corrected()
        for sending in (*by_sftp, again):
            (samples / sending.file).write_bytes(sending.content)
        sent = [*by_sftp, one_by_as2, again]
        count = sum(len(sending.documents) for sending in sent)
        print(
            f"{PARTNER} sends {len(by_sftp)} files with {client.name}: invoices by themselves,"
            f"\na tar.gz of them, and a Factur-X PDF; and one more by AS2, signed and encrypted,"
            f"\nfor which it wants a signed receipt. Half of the tar.gz is faulty: it comes once"
            f"\nmore, corrected. {count} invoices in all ...\n"
        )
        await threads.deferToThread(client.put, [samples / sending.file for sending in by_sftp])
        exchange = await threads.deferToThread(
            demo_as2.exchange, daemon.http.port, one_by_as2, folder / demo_as2.FOLDER, keys
        )
        await _acknowledged(loop, daemon, len(by_sftp) + exchange.taken)
        await threads.deferToThread(client.put, [samples / again.file])
        await _acknowledged(loop, daemon, len(by_sftp) + exchange.taken + 1)
        received = folder / "received"
        received.mkdir()
        await threads.deferToThread(client.get_all, received)
        outcomes = await _outcomes(daemon, sent, state, received, language)
        print(table(outcomes))
        told = demo_statuses.look(received, ("batch.tar.gz", again.file))
        print(f"\n{told.words(language)}")
        print(f"\n{demo_as2.words(exchange)}\n")
        good, said = conclusion(outcomes, count, exchange, told.good)
        print(said)
        if not good:
            print(f"The daemon's own words, last 20 lines of {folder / 'daemon.log'}:")
            print("\n".join((folder / "daemon.log").read_text().splitlines()[-20:]))
        exit_code = 0 if good else 1
        if args.once:
            print(_afterwards(folder, args.state_dir is not None))
        else:
            print(what_next(folder, client.interactive(), kept=args.state_dir is not None))
            print(await demo_console.invitation(daemon))
            await defer.Deferred()  # until Ctrl-C

    async def whole() -> None:
        try:
            await session()
        finally:
            await daemon.stop(5.0)

    def failed(failure: Any) -> None:
        if not failure.check(defer.CancelledError):
            print(f"The demo failed: {failure.value}", file=sys.stderr)
            print(f"Its log: {folder / 'daemon.log'}", file=sys.stderr)
            print(failure.getTraceback(), file=sys.stderr)

    running: list[defer.Deferred[None]] = []

    def begin() -> None:
        running.append(defer.Deferred.fromCoroutine(whole()))
        running[0].addErrback(failed)
        running[0].addBoth(lambda _: loop.stop() if loop.running else None)

    def interrupt(*_: object) -> None:
        loop.callFromThread(running[0].cancel)

    loop.callWhenRunning(begin)
    loop.callWhenRunning(signal.signal, signal.SIGINT, interrupt)
    loop.callWhenRunning(signal.signal, signal.SIGTERM, interrupt)
    loop.run()
    return exit_code


def conclusion(
    outcomes: Sequence[Outcome],
    count: int,
    exchange: demo_as2.Exchange,
    told: bool,
) -> tuple[bool, str]:
    """Whether all `count` invoices and their answers came out as they should, and the words."""
    judged = as_expected(outcomes, count)
    said = [
        "Every sample got the verdict it should."
        if judged
        else "NOT every sample got the verdict it should: see 'expected' above.",
        "The AS2 receipt vouches for exactly what was sent."
        if exchange.good
        else "The AS2 receipt is NOT as it should be: see above.",
    ]
    if not told:
        said.append("The partner was NOT told of the tar.gz as it should be: see above.")
    return judged and exchange.good and told, "\n".join(said)


def demo_configuration(
    state: Path, public_key: str, keys: demo_as2.Keys, language: Language
) -> Configuration:
    """The built-in configuration, on free loopback ports, with the sample partner."""
    base = load()
    settings = msgspec.structs.replace(
        base.settings,
        sftp=msgspec.structs.replace(base.settings.sftp, listen="127.0.0.1", port=0, processes=1),
        http=msgspec.structs.replace(base.settings.http, enabled=True, listen="127.0.0.1", port=0),
        management=msgspec.structs.replace(base.settings.management, enabled=True, port=0),
        as2=msgspec.structs.replace(base.settings.as2, id=demo_as2.HUB_ID, processes=1),
        judges=msgspec.structs.replace(
            base.settings.judges, processes=min(2, len(os.sched_getaffinity(0)))
        ),
        intake=msgspec.structs.replace(base.settings.intake, min_free_mb=50),
        legal=msgspec.structs.replace(base.settings.legal, name="Passerelle de démonstration"),
    )
    partner = Partner(
        name=PARTNER,
        language=language,
        flows=(FLOW,),
        sftp=SftpAccess(authorized_keys=(public_key,)),
        as2=As2Access(id=demo_as2.PARTNER_ID),
        acknowledgements=Acknowledgements(cdar="single"),
    )
    return dataclasses.replace(
        base,
        settings=settings,
        state=state,
        partners={PARTNER: partner},
        identities=(keys.hub,),
        certificates={PARTNER: (keys.partner.certificate,)},
    )


def _log_to(file: Path) -> None:
    """Send the log, that of child processes included, to a file; keep the terminal for people."""
    terminal = os.dup(2)
    log = file.open("w")
    os.dup2(log.fileno(), 2)
    sys.stderr = os.fdopen(terminal, "w")
    configure_logs("info", log)


async def _acknowledged(loop: Any, daemon: Any, count: int) -> None:
    """Wait, for a bounded time, until every interchange has been answered."""
    from twisted.internet import task

    deadline = loop.seconds() + DEADLINE_SECONDS
    while loop.seconds() < deadline:
        rows = await daemon.journal.read("demo", records.list_interchanges)
        if sum(row.state.value in ("acknowledged", "quarantined") for row in rows) >= count:
            waiting = await daemon.journal.read("demo", records.counts)
            owed = await daemon.journal.read("demo", given_records.owed_number)
            if not waiting.outbox and not owed:
                return
        await task.deferLater(loop, 0.1)
    raise TimeoutError(f"Not every sample was answered within {DEADLINE_SECONDS:.0f} s.")


async def _outcomes(
    daemon: Any, sent: list[Sending], state: Path, received: Path, language: Language
) -> list[Outcome]:
    def look(conn: Any) -> list[Any]:
        return [
            (row, records.documents_of(conn, row.id), records.outbox_of(conn, row.id))
            for row in records.list_interchanges(conn)
        ]

    seen = await daemon.journal.read("demo", look)
    found = {row.name: (documents, outbox) for row, documents, outbox in seen}
    return [
        outcome
        for sending in sent
        for outcome in outcomes_of(
            sending, *found.get(sending.file, ([], [])), state, received, language
        )
    ]


def _afterwards(folder: Path, kept: bool) -> str:
    if kept:
        return f"\nEverything is kept in {folder}: state/publications, received, as2, daemon.log."
    return (
        "\nThat was `--once`: its directory is gone, the files named above with it. To keep them:"
        "\nmake demo ARGS='--once --state-dir DIR'. Without `--once` the gateway stays up, so that"
        "\nyou can look at everything and send invoices of your own: make demo"
    )


def what_next(folder: Path, session: str, *, kept: bool) -> str:
    """Where to look and what to try, in commands that work as they are; `session` opens SFTP."""
    state, as2 = folder / "state", folder / demo_as2.FOLDER
    program = _program()
    verifying = demo_as2.verify_by_hand(as2)
    command = f"{program} {{}} --state-dir {shlex.quote(str(state))}"
    words = [
        "",
        "Where to look",
        f"  published messages    {state / 'publications'}",
        f"  acknowledgements      {folder / 'received'} (fetched from the partner's out/)",
        f"  the AS2 receipt       {as2 / demo_as2.RECEIPT}",
        f"  the daemon's log      {folder / 'daemon.log'}",
        "What to try next, from another terminal",
        f"  send your own         {session}",
        "                        then: put my-invoice.xml in/   and: ls out",
        f"  what is going on      {command.format('status')}",
        f"  what came in          {command.format('interchanges')}",
        f"  one in full           {command.format('show ID')}",
        f"  judge without sending {program} validate --flow {FLOW} my-invoice.xml",
        *([f"  verify the receipt    {verifying}"] if verifying else []),
        f"Ctrl-C ends the demo; {folder} {'stays' if kept else 'is removed then'}.",
    ]
    return "\n".join(words)


def _program() -> str:
    """How to call edi-gateway in another terminal: by path where its name alone does not do."""
    if shutil.which("edi-gateway"):
        return "edi-gateway"
    beside = Path(sys.executable).with_name("edi-gateway")
    if beside.is_file():
        return shlex.quote(str(beside))
    return f"{shlex.quote(sys.executable)} -m gateway"
