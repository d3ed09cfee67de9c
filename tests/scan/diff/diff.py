#!/usr/bin/python3
"""Khiên and clamscan on the same signatures and files.

	diff.py --khien PROGRAM [--seed N] [--cases N] [--keep FOLDER] [FAMILY...]

First the exact cases (exact.py), then each family of random ones.  Of all
pairs of a file and a signature both must say the same.  Prints TAP; the seed
is printed, and with it a failure can be had again.  What differs is reduced
to the shortest file and the fewest lines that differ, and kept in FOLDER if
one is given.
"""
import argparse
import pathlib
import random
import sys

import bodies
import documents
import exact
import icons
import lines
import logic
import mails
import objects
import signers
from harness import Batch, Both, Broken, write

BATCH = 150
SHOWN = 5  # differences of a family that are reduced
FAMILIES = {f.__name__: f for room in (bodies, logic, objects, signers, mails,
                                       icons, lines, documents)
            for f in room.FAMILIES}
ALONE = {f.__name__: f for f in (*lines.ALONE, *icons.ALONE)}
# In one run clamscan takes no more of these, or reads what is left of others,
# see docs/dev/clamscan.md.
SMALL = {"macros": 1, "formulas": 1, "types": 40, "icons": 50}


def show(both, batch, pair, side, keep):
    """A difference, as small as it gets."""
    reduced = both.reduce(batch, pair)
    if reduced is None:
        print("# %s %s only there with others: %s"
              % (side, pair[1], batch.files()[pair[0]][:64].hex()))
        return
    rows, data = reduced
    for ext, line in rows:
        print("# %s: .%s %s" % (side, ext, line))
    print("#   on %d bytes: %s" % (len(data), data[:160].hex()))
    if keep:
        folder = pathlib.Path(keep) / pair[1]
        write(folder, rows, {"file": data})


def compare(both, batch, keep, shown):
    """(pairs found, how many differ) of one batch."""
    pairs, theirs, _ = both.compare(batch)
    for pair in pairs[:max(SHOWN - shown, 0)]:
        show(both, batch, pair, "only clamscan" if pair in theirs
             else "only khien", keep)
    return len(theirs), len(pairs)


def run_family(both, name, args, number):
    rng = random.Random("%d %s" % (args.seed, name))
    step = SMALL.get(name, BATCH)
    found = bad = 0
    for first in range(0, args.cases, step):
        n = min(step, args.cases - first)
        batch = Batch([FAMILIES[name](rng, "sig%d" % (first + i))
                       for i in range(n)])
        try:
            hits, differ = compare(both, batch, args.keep, bad)
        except Broken as e:
            print("# " + str(e).replace("\n", "\n# "))
            hits, differ = 0, 1
        found += hits
        bad += differ
    ok = bad == 0 and found > args.cases // 25
    print("%s %d - %s: %d cases, %d found, %d differ"
          % ("ok" if ok else "not ok", number, name, args.cases, found, bad),
          flush=True)
    return ok


def run_alone(both, name, args, number):
    """Cases that cannot share a run."""
    rng = random.Random("%d %s" % (args.seed, name))
    found = named = bad = 0
    for i in range(args.cases):
        case = ALONE[name](rng, "sig%d" % i)
        theirs, ours, problems = both.run(case.lines,
                                          Batch([case]).files())
        found += bool(theirs)
        if theirs is None or theirs == ours:
            continue
        named += bool(problems)
        bad += not problems
        print("# %s: .%s %s" % ("named here" if problems else
                                "clamscan %s, khien %s" % (theirs, ours),
                                *case.lines[0]))
    ok = bad == 0 and named <= 8 + args.cases // 10
    print("%s %d - %s: %d cases, %d found, %d named here, %d differ"
          % ("ok" if ok else "not ok", number, name, args.cases, found, named,
             bad), flush=True)
    return ok


def run_one(both, name, args, number):
    if name == "exact":
        return exact.run(both, number)
    return (run_alone if name in ALONE else run_family)(
        both, name, args, number)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--khien", required=True)
    parser.add_argument("--cases", type=int, default=100,
                        help="of each family")
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--keep")
    parser.add_argument("families", nargs="*")
    args = parser.parse_args()
    print("# seed", args.seed)
    names = args.families or ["exact", *FAMILIES, *ALONE]
    good = True
    both = Both(args.khien)
    for number, name in enumerate(names, 1):
        good &= run_one(both, name, args, number)
    print("1..%d" % len(names))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
