#!/usr/bin/python3
"""What must not change a verdict: how many workers there are, in which order
files come and under which names, in which pieces a file is read and where in
them something stands, what the cache remembers, whether all signatures are
asked for, whether the set grew.  Prints TAP.

	properties.py --khien PROGRAM [--seed N] [--files N]
"""
import argparse
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parent / "diff"))
import programs  # noqa: E402
import signed  # noqa: E402
from formats import WRAPPERS  # noqa: E402
from support.command import EICAR, same  # noqa: E402

BINARY = bytes.fromhex("89ff0000feff")
NEEDLES = [b"needle-one", b"Needle-Two", b"NEEDLE three"]
BLOCKED = signed.Cert("Blocked", purpose=["code"])
tests = []


def test(function):
    tests.append(function)
    return function


def leaf(rng, hashed):
    """(bytes, whether they are infected)."""
    kind = rng.choice(("clean", "clean", "needle", "needles", "eicar",
                       "hash", "text", "signed"))
    noise = rng.randbytes(rng.randint(0, 3000))
    if kind == "needle":
        return BINARY + noise + rng.choice(NEEDLES) + b"\1\2", True
    if kind == "needles":
        return BINARY + b"\1".join(NEEDLES) + noise, True
    if kind == "eicar":
        return EICAR, True
    if kind == "hash":
        hashed.append(BINARY + noise + b"hashed")
        return hashed[-1], True
    if kind == "signed":
        return signed.sign(programs.pe(None, [noise or b"x"]).data, BLOCKED,
                           [BLOCKED]), True
    if kind == "text":
        return b"An ordinary text of no harm.\n" * rng.randint(1, 99), False
    return BINARY + noise, False


class Tree:
    """Files in archives in archives, and sets that know some of them."""

    def __init__(self, program, folder, seed, count):
        self.program, self.folder = program, folder
        self.rng = random.Random(seed)
        self.infected, self.hashed = {}, []
        (folder / "tree").mkdir()
        for i in range(count):
            data, bad = leaf(self.rng, self.hashed)
            kinds = [self.rng.choice(list(WRAPPERS))
                     for _ in range(self.rng.choice((0, 1, 1, 2, 3)))]
            for kind in kinds:
                data = WRAPPERS[kind](data)
            if self.rng.random() < 0.1:  # torn: perhaps found, perhaps not
                data, bad = data[:self.rng.randint(0, len(data))], None
            name = "%03d.%s" % (i, ".".join(kinds) or "bin")
            sub = folder / "tree" / ("d%d" % (i % 5))
            sub.mkdir(exist_ok=True)
            (sub / name).write_bytes(data)
            self.infected[name] = bad
        self.plain = self.make_sets()

    def make_sets(self):
        bodies = ["N%d:0:*:%s\n" % (i, n.hex()) for i, n in
                  enumerate(NEEDLES)]
        hashes = ["%s:%d:H%d\n" % (hashlib.sha256(d).hexdigest(), len(d), i)
                  for i, d in enumerate(self.hashed)]
        for folder, parts in (("all", (bodies, hashes)),
                              ("base", (bodies[:1], hashes[:1])),
                              ("more", (bodies[1:], hashes[1:]))):
            place = self.folder / folder
            place.mkdir()
            (place / "a.ndb").write_text("".join(parts[0]))
            (place / "a.hsb").write_text("".join(parts[1]))
            if folder != "base":
                (place / "a.crb").write_text(BLOCKED.line("C", 0) + "\n")
        self.khien("db", "build", "-o", "all.set", "all")
        self.khien("db", "build", "-o", "base.set", "base")
        self.khien("db", "build", "--base", "base.set", "-o", "grown.set",
                   "more")
        return self.scan("tree")

    def khien(self, *args):
        run = subprocess.run([self.program, *args], cwd=self.folder,
                             capture_output=True, text=True, timeout=300)
        if run.returncode not in (0, 1):
            raise AssertionError("%s: exit %d: %s" % (args, run.returncode,
                                                      run.stderr))
        return run.stdout

    def scan(self, *paths, db="all.set", options=()):
        """{file name: (outcome, name, reason, inner)}."""
        rows = {}
        for line in self.khien("scan", "--json", "--db", db, *options,
                               *paths).splitlines():
            row = json.loads(line)
            if row["outcome"] != "summary":
                rows[os.path.basename(row["path"])] = row
        return rows

    def paths(self):
        return sorted(str(p.relative_to(self.folder))
                      for p in (self.folder / "tree").rglob("*")
                      if p.is_file())


KEYS = ("outcome", "name", "reason", "inner", "size", "source")


def verdicts(rows, keys=KEYS):
    return {name: tuple(row.get(k) for k in keys)
            for name, row in rows.items()}


def same_verdicts(got, want, keys=KEYS):
    got, want = verdicts(got, keys), verdicts(want, keys)
    same(sorted(got), sorted(want))
    same([(n, got[n]) for n in got if got[n] != want[n]],
         [(n, want[n]) for n in got if got[n] != want[n]])


@test
def what_was_hidden_is_found(tree):
    wrong = {n for n, bad in tree.infected.items() if bad is not None and
             (tree.plain[n]["outcome"] == "infected") != bad}
    same(wrong, set())


@test
def nothing_whole_is_unscannable(tree):
    same([(n, row["reason"]) for n, row in tree.plain.items()
          if row["outcome"] != "infected" and row.get("reason") and
          tree.infected[n] is not None], [])


@test
def the_number_of_workers_changes_nothing(tree):
    for jobs in ("1", "2", "5", "16"):
        same_verdicts(tree.scan("tree", options=("--jobs", jobs)),
                      tree.plain)


@test
def the_order_of_files_changes_nothing(tree):
    paths = tree.paths()
    same_verdicts(tree.scan(*reversed(paths)), tree.plain)
    tree.rng.shuffle(paths)
    same_verdicts(tree.scan(*paths, options=("--jobs", "1")), tree.plain)


@test
def company_changes_nothing(tree):
    for path in tree.rng.sample(tree.paths(), 12):
        name = os.path.basename(path)
        same_verdicts(tree.scan(path), {name: tree.plain[name]})


@test
def names_change_nothing(tree):
    """Nor what of a file is on the disk: copies are sparse."""
    renamed = {}
    (tree.folder / "copy").mkdir()
    for i, path in enumerate(tree.paths()):
        name = "%d%s" % (i, tree.rng.choice((".txt", ".exe", "", ".zip")))
        subprocess.run(["cp", "--sparse=always", path, "copy/" + name],
                       cwd=tree.folder, check=True)
        renamed[name] = tree.plain[os.path.basename(path)]
    same_verdicts(tree.scan("copy"), renamed)


EDGES = (4096, 1 << 16, 1 << 18, (1 << 20) - 9, 1 << 20, 3 << 20)
PIECES = ("gz", "zip", "stored", "tar", "xz", "bz2", "zst", "iso", "pdf")


@test
def where_pieces_end_changes_nothing(tree):
    """Files are read whole or mapped; what is packed comes in pieces."""
    folder = tree.folder / "pieces"
    folder.mkdir()
    want = {}
    for i in range(60):
        needle, edge = tree.rng.choice(NEEDLES), tree.rng.choice(EDGES)
        at = edge * tree.rng.randint(1, max(1, (3 << 20) // edge)) \
            - tree.rng.randint(0, len(needle))
        hit = tree.rng.random() < 0.8
        data = BINARY + tree.rng.randbytes(at - len(BINARY)) \
            + (needle if hit else needle[:-1]) + b"\1" \
            + tree.rng.randbytes(tree.rng.choice((0, 7, 1 << 16)))
        kind = tree.rng.choice((None, None, *PIECES))
        name = "%d-%d.%s" % (i, at, kind)
        (folder / name).write_bytes(WRAPPERS[kind](data) if kind else data)
        want[name] = (
            "infected" if hit else "clean",
            "N%d" % NEEDLES.index(needle) if hit else None)
    got = tree.scan("pieces")
    same({n: (r["outcome"], r.get("name") or None) for n, r in got.items()},
         want)


@test
def asking_for_all_changes_no_outcome(tree):
    every = tree.scan("tree", options=("--all",))
    same_verdicts(every, tree.plain, ("outcome", "size"))
    for name, row in tree.plain.items():
        if row["outcome"] == "infected":
            names = [every[name]["name"],
                     *every[name].get("also", "").split("\n")]
            same((name, row["name"] in names), (name, True))


@test
def a_set_that_grew_is_as_good(tree):
    same_verdicts(tree.scan("tree", db="grown.set"), tree.plain,
                  ("outcome", "name", "reason", "inner"))


@test
def the_cache_hides_nothing(tree):
    options = ("--cache", "cache")
    left = {n: row for n, row in tree.plain.items()
            if row["outcome"] != "clean"}
    time.sleep(2.1)  # what changed just now may change again unseen
    same_verdicts(tree.scan("tree", options=options), tree.plain)  # cold
    same_verdicts(tree.scan("tree", options=options), left)  # warm
    touched = {}
    for path in tree.rng.sample(tree.paths(), 20):
        os.utime(tree.folder / path)
        name = os.path.basename(path)
        touched[name] = tree.plain[name]
    same_verdicts(tree.scan("tree", options=options), {**left, **touched})
    time.sleep(2.1)
    for name in [n for n in tree.plain if n not in left][:3]:
        path = next(p for p in tree.paths() if p.endswith("/" + name))
        data = (tree.folder / path).read_bytes()
        with open(tree.folder / path, "r+b") as f:  # in place
            f.write((BINARY + NEEDLES[0]).ljust(len(data), b"\1"))
        rows = tree.scan("tree", options=options)
        same((name, rows[name]["outcome"]), (name, "infected"))
        (tree.folder / path).write_bytes(data)


@test
def a_cache_of_an_older_set_hides_nothing(tree):
    options = ("--cache", "old")
    tree.scan("tree", db="base.set", options=options)
    rows = tree.scan("tree", db="grown.set", options=options)
    want = {n: row for n, row in tree.plain.items()
            if row["outcome"] != "clean"}
    same_verdicts({n: row for n, row in rows.items()
                   if row["outcome"] != "clean"}, want,
                  ("outcome", "name", "reason"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--khien", required=True)
    parser.add_argument("--files", type=int, default=150)
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    os.environ.pop("KHIEN_WORKER", None)
    os.environ["LC_ALL"] = "C.UTF-8"
    print("# seed", args.seed)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(os.path.abspath(args.khien), pathlib.Path(folder),
                    args.seed, args.files)
        for number, function in enumerate(tests, 1):
            name = function.__name__.replace("_", " ")
            try:
                function(tree)
                print("ok %d - %s" % (number, name))
            except (AssertionError, subprocess.SubprocessError) as e:
                bad += 1
                print("not ok %d - %s\n# %s" % (number, name, e))
    print("1..%d" % len(tests))
    return 1 if bad else 0


sys.exit(main())
