"""The long comparison of the model with real switches: ``make trace-check``.

    PYTHONPATH=tests python -m agreement [--clouds 50] [--flows 1000] [--seed 0]

Status 1 when something differs; each difference is printed with what the real switch says.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from agreement.checking import Tally, check_switches
from agreement.switches import switches


def main() -> int:
    """Compares clouds until enough flows are, at least as many clouds as wished."""
    parser = argparse.ArgumentParser(prog="agreement", description=__doc__.splitlines()[0])
    parser.add_argument("--clouds", type=int, default=50, help="at least so many random clouds")
    parser.add_argument("--flows", type=int, default=1000, help="at least so many random packets in all")
    parser.add_argument("--seed", type=int, default=0, help="of the first cloud; the next has the next")
    wished = parser.parse_args()
    total, clouds = Tally(), 0
    with tempfile.TemporaryDirectory(prefix="ngt") as name, switches(Path(name)) as real:
        while clouds < wished.clouds or total.flows < wished.flows:
            found = check_switches(wished.seed + clouds, -(-wished.flows // wished.clouds), Path(name), real)
            for mismatch in found.mismatches:
                print(mismatch, flush=True)
            total.add(found)
            clouds += 1
    print(f"{clouds} clouds from seed {wished.seed}: {total}")
    return 1 if total.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
