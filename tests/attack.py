"""Attacks the package for some minutes: ``python tests/attack.py --minutes 10``.

Ends with exit code 0 and a table of what was tried, or with 1 and what was found.
Each fault can be had again: ``python tests/attack.py --again KIND SEED``.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

if not __package__:  # beside this file stands ``signal``, which is no standard library
    sys.path[0] = str(Path(__file__).parents[1])

from tests.support.attacks import damage, environments, fuzz, kills, servers
from tests.support.attacks.tally import Attempt, Fault, Tally, fault_of

ATTACKS: dict[str, Callable[[random.Random, float], Tally]] = {
    "fuzz": fuzz.attack,
    "kills": kills.attack,
    "servers": servers.attack,
    "damage": damage.attack,
    "environments": environments.attack,
}
ATTEMPTS: dict[str, Attempt] = {
    **fuzz.ATTEMPTS,
    **kills.ATTEMPTS,
    **servers.ATTEMPTS,
    **damage.ATTEMPTS,
    **environments.ATTEMPTS,
}


def table(tally: Tally) -> str:
    """Returns what was tried, one line per kind."""
    lines = [f"{'':32}{'attempts':>9}{'refusals':>9}{'faults':>7}{'seconds':>8}"]
    found = [fault.kind for fault in tally.faults]
    lines += [
        f"{kind:32}{count:9,}{tally.refusals[kind]:9,}{found.count(kind):7,}"
        f"{tally.seconds[kind]:8.0f}"
        for kind, count in tally.attempts.items()
    ]
    return "\n".join(lines)


def told(fault: Fault) -> str:
    """Returns what was found, in two lines."""
    again = f'python tests/attack.py --again "{fault.kind}" {fault.seed}'
    return f"{fault.kind}, seed {fault.seed}: {fault.what}\n    {again}"


def main(arguments: list[str] | None = None) -> int:
    """Attacks; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=[*ATTACKS], default=[*ATTACKS])
    parser.add_argument("--again", nargs=2, metavar=("KIND", "SEED"))
    options = parser.parse_args(arguments)
    if options.again:
        kind, seed = options.again
        try:
            ATTEMPTS[kind](random.Random(int(seed)))
        except Exception:
            traceback.print_exc()
        return int(bool(fault_of(ATTEMPTS[kind], int(seed))))
    faults: list[Fault] = []
    for number, name in enumerate(options.only):
        share = 60.0 * options.minutes / len(options.only)
        randomness = random.Random(f"{options.seed} {name}")
        tally = ATTACKS[name](randomness, time.monotonic() + share)
        faults += tally.faults
        print(table(tally) if number == 0 else table(tally).partition("\n")[2])
        for fault in tally.faults:
            print(told(fault), flush=True)
    print(f"{len(faults)} faults" if faults else "no faults")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
