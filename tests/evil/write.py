"""`python -m tests.evil.write [WORD…]`: write the pairs as the gateway answers now, for review.

Only the cases whose name holds one of the words, or all. The tests never do this: whoever ran it
reads `git diff tests/evil` and judges whether every word that changed is right.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.evil.cases import all_cases, answers
from tests.evil.pairs import expected, told, write


def main(words: list[str]) -> int:
    """Write the pairs that are missing or say something else; 1 when a case is undetermined."""
    cases = [case for case in all_cases() if not words or any(word in case.name for word in words)]
    undetermined = 0
    with tempfile.TemporaryDirectory() as scratch:
        for case, said in answers(cases, Path(scratch)).items():
            documents = told(said, case.file_name)
            if not documents or any(one["verdict"] == "undetermined" for one in documents):
                print(f"{case.name}: not determined, no pair written")
                undetermined += 1
            elif not case.pair.exists() or expected(case.pair) != documents:
                write(case.pair, documents)
                print(f"{case.pair} written")
    return 1 if undetermined else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
