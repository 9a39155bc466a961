"""Kill the gateway again and again under load, and count what was lost or doubled: nothing.

    python -m bench.torture [--kills 25] [--rounds 1] [--broker 1] [--seed N] [--json]

Partners send invoices and archives by SFTP (OpenSSH's client), HTTP, AS2 (OpenSSL's messages), in a
folder and on a server of theirs (OpenSSH's), a consumer drains a real RabbitMQ, and
at random moments `kill -9` hits the whole gateway, one judge or one SFTP process. In each round one
more kill comes before and one after everything that makes a promise: each fsync, rename, commit,
reply, publish and confirm (`gateway/faults.py`); instead of each operation the disk fails once; and
for some seconds it is full. With the broker everything goes wrong that can: it is stopped, killed,
short of memory, its connection cut or held, its confirms lost, a queue deleted. Senders vanish in
the middle of a file and before the answer. In the end every file whose sender was told "received"
must have come to its one end, and the account must balance: see `tests/torture`. The last line is
one JSON object; with `--json` it is the only one. Exit code 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
from pathlib import Path

from tests.broker import Broker
from tests.torture.kills import BROKER, DISK_ERRORS, OTHER_PLACES, SFTP_PLACES, Kill, Torture
from tests.torture.outcome import Outcome
from tests.torture.run import run

HANGUPS = 0.1
"""The share of deliveries whose sender vanishes."""


KILLS = (Kill.GATEWAY, Kill.JUDGE, Kill.SFTP, Kill.POINT)
"""Those of all that goes wrong that end a process of the gateway's."""


def main() -> int:
    """Torture, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=25, help="how often (default 25)")
    parser.add_argument(
        "--rounds", type=int, default=1, help="kills at each fault point, before and after it"
    )
    parser.add_argument(
        "--broker", type=int, default=1, help="how often each thing goes wrong with the broker"
    )
    parser.add_argument("--seed", type=int, help="repeats a run's choices (default: a new one)")
    parser.add_argument("--senders", type=int, default=4, help="partners' programs (default 4)")
    parser.add_argument("--judges", type=int, default=2, help="judge processes (default 2)")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    args = parser.parse_args()
    torture = Torture(
        kills=args.kills,
        seed=secrets.randbelow(1_000_000) if args.seed is None else args.seed,
        senders=args.senders,
        judges=args.judges,
        places=(SFTP_PLACES + OTHER_PLACES + DISK_ERRORS) * args.rounds,
        others=(Kill.FULL,) * args.rounds + BROKER * args.broker,
        hangups=HANGUPS,
        routes=True,
    )
    talk = sys.stderr if args.json else sys.stdout
    print(f"seed {torture.seed}", file=talk, flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-torture-") as folder:
        broker = Broker(Path(folder) / "broker")
        try:
            broker.start()
            outcome = run(
                Path(folder), broker, torture, lambda line: print(line, file=talk, flush=True)
            )
        finally:
            broker.close()
    print(outcome, outcome.account, sep="\n", file=talk)
    if outcome.faults:
        print(outcome.faults, file=talk)
    print(json.dumps(figures(outcome)))
    return 1 if outcome.faults else 0


def figures(outcome: Outcome) -> dict[str, int]:
    """What others read of it."""
    return {
        "kills": sum(outcome.kills[kind] for kind in outcome.kills if kind in KILLS),
        "faults": sum(outcome.kills.values()),
        "hangups": sum(outcome.hangups.values()),
        "sent": outcome.sent,
        "lost": len(outcome.faults.lost),
        "doubled": len(outcome.faults.doubled),
        "wrong": len(outcome.faults.wrong),
        "documents": outcome.documents,
        "resent": outcome.resends,
        "messages": outcome.messages,
        "redelivered": outcome.redelivered,
        "undetermined": sum(outcome.account.undetermined.values()),
        "seed": outcome.seed,
    }


if __name__ == "__main__":
    sys.exit(main())
