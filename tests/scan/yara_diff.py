#!/usr/bin/python3
"""Random YARA rules and objects: the engine's matches are those of libyara
with all rules in one scanner, and of the yara command if it is installed.

	yara_diff.py --program build/tests/scan/rules_list [--seed N]
"""
import argparse
import collections
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] /
                       "support"))
import yara_rules  # noqa: E402


def write(rng, args, folder):
    """The rules, and the paths of objects: made for them, and of the
    system."""
    rules, sources, paths = [], [], []
    for i, (some, text) in enumerate(yara_rules.make_set(rng, args.rules)):
        sources.append(folder / ("f%d.yar" % i))
        sources[-1].write_text(text)
        rules += some
    for i in range(args.objects):
        data = b"".join(r.object() for r in
                        rng.sample(rules, rng.choice((1, 1, 2, 5))))
        if rng.random() < 0.2:
            data = data[:rng.randint(0, 40)]
        if rng.random() < 0.1:
            data = bytes(rng.randint(0, 30000)) + data
        if rng.random() < 0.05:
            data += rng.randbytes(rng.randint(0, 200000))
        paths.append(folder / ("o%d" % i))
        paths[-1].write_bytes(data)
    system = [p for top in ("/usr/bin", "/usr/share/doc", "/usr/share/python3")
              for p in pathlib.Path(top).rglob("*")
              if p.is_file() and p.stat().st_size < 2 << 20]
    paths += rng.sample(system, min(args.system, len(system)))
    return rules, [str(s) for s in sources], [str(p) for p in paths]


def lines(command, given):
    run = subprocess.run(command, input="\n".join(given) + "\n",
                         capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit("Bail out! %s: %s" % (command[:3], run.stderr))
    return collections.Counter(run.stdout.splitlines())


def by_command(folder, sources, paths):
    """The same from the yara command, with a namespace for each file."""
    if shutil.which("yara") is None:
        return None
    names = folder / "list"
    names.write_text("\n".join(paths) + "\n")
    command = ["yara", "-w", "-e", "--scan-list"]
    for name in ("filename", "filepath", "extension", "filetype", "owner"):
        command += ["-d", name + "="]
    run = subprocess.run(
        command + ["%s:%s" % (pathlib.Path(s).name, s) for s in sources] +
        [str(names)], capture_output=True, text=True)
    return collections.Counter(run.stdout.splitlines())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--rules", type=int, default=600)
    parser.add_argument("--objects", type=int, default=400)
    parser.add_argument("--system", type=int, default=40)
    parser.add_argument("--keep", help="write everything to this folder")
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    print("# seed", args.seed)
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(args.keep or name)
        folder.mkdir(exist_ok=True)
        rules, sources, paths = write(rng, args, folder)
        blob = str(folder / "set")
        lines([args.program, "build", blob] + sources, [])
        ours = lines([args.program, "scan", blob], paths)
        first = lines([args.program, "scan", blob, "first"], paths)
        want = lines([args.program, "whole"] + sources, paths)
        peer = by_command(folder, sources, paths)
    plain = collections.Counter(l.replace(":", " ", 1).split(" ", 1)[1]
                                for l in want.elements())
    checks = [
        ("the same matches as libyara", want, ours),
        ("the first match is one of them",
         collections.Counter({p: 1 for p in
                              (l.split(" ", 1)[1] for l in want)}),
         collections.Counter(l.split(" ", 1)[1] for l in first)),
    ]
    bad = len([l for l in first if l not in want])
    if peer is not None:
        checks.append(("the same matches as yara",
                       collections.Counter(peer.keys() and {
                           l: n for l, n in peer.items()}),
                       collections.Counter(
                           {l: n for l, n in ours.items()})))
    failed = 0
    for i, (what, left, right) in enumerate(checks, 1):
        lost, more = left - right, right - left
        for line in list(lost)[:5]:
            print("# lost:", line)
        for line in list(more)[:5]:
            print("# more:", line)
        ok = not lost and not more and bad == 0
        failed += not ok
        print("%s %d - %s" % ("ok" if ok else "not ok", i, what))
    found = {l.split(" ")[0] for l in want}
    print("# %d matches of %d rules in %d objects"
          % (sum(want.values()), len(found), len(paths)))
    enough = len(found) > len(rules) // 5
    print("%s %d - many rules match something"
          % ("ok" if enough else "not ok", len(checks) + 1))
    print("1..%d" % (len(checks) + 1))
    return 0 if failed == 0 and enough else 1


sys.exit(main())
