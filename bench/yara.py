#!/usr/bin/python3
"""YARA rules in the manner of public sets over small files: khien against the
yara command, one thread, CPU seconds, medians of three.

	script/bench yara	KHIEN_BENCH_RULES=10000 for more rules

The rules are those of the tests, made by chance; both must find the same
files.  What the rules need to be compiled is left out on both sides.
"""
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile

from common import Table, begin, ratio
from scan import KHIEN, ROOT

sys.path.insert(0, str(ROOT / "tests"))
from support.yara_rules import make_set

RULES = int(os.environ.get("KHIEN_BENCH_RULES", "6000"))
# What rules of the field expect to be told, and khien does.
EXTERNALS = [word for name in ("filename", "filepath", "extension",
                               "filetype", "md5", "owner")
             for word in ("-d", name + "=")]
FILES, SIZE_MAX, ROUNDS = 4000, 60000, 3


def cpu(*command):
    """(CPU seconds, output)"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run([str(c) for c in command], capture_output=True,
                         text=True, errors="replace")
    if out.returncode not in (0, 1) or "error:" in out.stderr:
        sys.exit(f"{command[0]}: {out.stderr[:500]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime
            + after.ru_stime - before.ru_stime, out.stdout)


def small_files(folder):
    """Copies of this computer's small files, spread over /usr/share."""
    folder.mkdir()
    paths = sorted(p for p in pathlib.Path("/usr/share").rglob("*")
                   if p.is_file() and not p.is_symlink()
                   and 0 < p.stat().st_size <= SIZE_MAX)
    for i, path in enumerate(paths[::max(1, len(paths) // FILES)][:FILES]):
        (folder / f"{i}").write_bytes(path.read_bytes())
    return sum(1 for _ in folder.iterdir())


def found(out, folder):
    """The files that are named, whatever is said of them."""
    return {word.rstrip(":") for line in out.splitlines()
            for word in line.split() if str(folder) in word}


def main():
    begin()
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as name:
        folder = pathlib.Path(name)
        rules = folder / "rules"
        rules.mkdir()
        for i, (_, text) in enumerate(
                make_set(random.Random(1670), RULES, quiet=True)):
            (rules / f"{i}.yar").write_text(text)
        sources = [f"n{p.stem}:{p}" for p in sorted(rules.iterdir())]
        cpu("yarac", "-w", *EXTERNALS, *sources, folder / "all.yac")
        build, _ = cpu(KHIEN, "db", "build", "-o", folder / "set", rules)
        files = folder / "files"
        print(f"{RULES} rules: {build:.2f} CPU s to build; "
              f"{small_files(files)} files")
        (folder / "none").mkdir()
        start = [min(cpu(*command)[0] for _ in range(ROUNDS)) for command in (
            (KHIEN, "scan", "--jobs", 1, "--db", folder / "set",
             folder / "none"),
            ("yara", "-C", "-w", "-p", 1, folder / "all.yac",
             folder / "none"))]
        us = [cpu(KHIEN, "scan", "--jobs", 1, "--db", folder / "set", files)
              for _ in range(ROUNDS)]
        them = [cpu("yara", "-C", "-w", "-p", 1, folder / "all.yac", files)
                for _ in range(ROUNDS)]
        missed = found(them[0][1], files) - found(us[0][1], files)
        if missed:
            sys.exit(f"not found: {sorted(missed)[:5]}")
        mine = statistics.median(c for c, _ in us) - start[0]
        theirs = statistics.median(c for c, _ in them) - start[1]
        print(f"khien {mine:.2f} CPU s  yara {theirs:.2f} CPU s, "
              f"{len(found(them[0][1], files))} files match")
        ratio("YARA rules over small files, CPU time", "yara",
              theirs / max(mine, 0.001))
        table = Table("yara")
        table.add("YARA rules, small files, CPU s", "3x", mine, theirs)
        table.show()


if __name__ == "__main__":
    main()
