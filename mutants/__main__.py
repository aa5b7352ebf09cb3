"""``python -m mutants [TEXT]``: apply each mutation in turn, run the tests that must notice it, and count.

With a text only the mutations whose file or name holds it are tried.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutants.mutation import Mutation, mutations
from mutants.trial import Trials

LEAST_SHARE = 0.97
# By the exit code of pytest; "breaks" is a module that cannot be imported any more.
_OUTCOMES: dict[int | None, str] = {0: "SURVIVES", 1: "dies", 2: "breaks"}


def main(arguments: Sequence[str]) -> int:
    """Try the mutations and report; 1 if too few of them die, or one survives for which the list has no reason."""
    text = " ".join(arguments)
    chosen = [each for each in mutations() if text in f"{each.file}: {each.name}"]
    files = sorted({name for each in chosen for name in each.tests})
    os.environ["OMP_NUM_THREADS"] = "1"
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        trials = Trials(Path(folder), workers)
        codes = pool.map(lambda name: trials.exit_code([name]), files)
        broken = [name for name, code in zip(files, codes, strict=True) if code != 0]
        if broken:
            print(f"expected tests that pass without a mutation, found failing {', '.join(broken)}: mend them")
            return 1
        survived = list(pool.map(lambda each: _survives(trials, each), chosen))
    return _report([each for each, lives in zip(chosen, survived, strict=True) if lives], len(chosen))


def _survives(trials: Trials, mutation: Mutation) -> bool:
    code = trials.exit_code(mutation.tests, mutation)
    print(f"{_OUTCOMES.get(code, 'NO TIME'):<9}{mutation.file}: {mutation.name}", flush=True)
    return code == 0


def _report(survivors: Sequence[Mutation], count: int) -> int:
    for each in survivors:
        print(f"survives: {each.file}: {each.name}: {each.accepted or 'no test notices it'}")
    share = 1 - len(survivors) / max(count, 1)
    print(f"{count - len(survivors)} of {count} mutations die ({100 * share:.1f} %)")
    return 0 if share >= LEAST_SHARE and all(each.accepted for each in survivors) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
