"""`edi-gateway show ID --svrl DIR`: what each rule pack says of the documents, in SVRL.

The running gateway makes the reports, of the bytes it keeps, by the versions that judged.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.errors import ConfigurationError, GatewayError
from gateway.service.journal import records
from gateway.service.svrl_reports import file_word, packs_of

SECONDS = 3600.0
"""How long one report may take: its archive may have to be unpacked first."""


def write(state: Path, documents: Sequence[records.DocumentRow], folder: Path) -> int:
    """Write `INTERCHANGE-ORDINAL.PACK.svrl.xml` and print the paths: 0; 3 when one cannot be had.

    Raises `ConfigurationError` when no gateway runs, or nothing can be written there.
    """
    code = 0
    for document in documents:
        for pack in packs_of(document):
            stem = f"{document.interchange_id}-{document.ordinal}"
            target = folder / f"{stem}.{file_word(pack.pack)}.svrl.xml"
            try:
                made = ask(
                    state,
                    "svrl",
                    tells="its log",
                    seconds=SECONDS,
                    interchange=document.interchange_id,
                    document=document.ordinal,
                    pack=pack.sha256,
                )
            except ConfigurationError:
                raise
            except GatewayError as error:
                print(f"{stem} {pack.pack}: {options.printable(str(error))}", file=sys.stderr)
                code = 3
                continue
            _copy(Path(made["path"]), target)
            print(options.printable(str(target)), flush=True)
    if not any(packs_of(document) for document in documents):
        print("No rule pack has judged any of these documents.", file=sys.stderr)
        return 3
    return code


def _copy(report: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(report, target)
    except OSError as error:
        raise ConfigurationError(
            f"{target}: the SVRL report cannot be written: {error.strerror or error}.",
            remedy="Name a folder you may write to with --svrl.",
        ) from error
