#!/usr/bin/python3
"""The engine against clamd with a set of real-world composition: hashes of
files and sections, bodies, logical signatures with three to six bodies each.

	script/bench engine	KHIEN_BENCH_SCALE=1 for all 8.7 million: minutes

By default 3 % of that.  CPU seconds of one thread, without verdict caches,
medians of three; what starting costs is measured apart.  Literals are random
bytes, so that nothing on a clean computer matches; real sets share literals
with clean files, which costs both something.
"""
import hashlib
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from common import begin, ratio
from scan import KHIEN, TICK, cpu_of, sample

SCALE = float(os.environ.get("KHIEN_BENCH_SCALE", "0.03"))
ROUNDS = 3
RANDOM_BYTES = 90_000_000
# file: lines at scale 1, as the published sizes of the official set say
LINES = {"main.hdb": 82211, "main.hsb": 4045000, "main.mdb": 4159000,
         "main.ndb": 95258, "main.ldb": 308889}
TARGETS = ((1, 88), (2, 6), (0, 3), (3, 1), (7, 1), (6, 1))
SIZES = (512, 1024, 2048, 4096, 8192, 20480, 61440, 131072, 262144)


def literal(rng):
    low, high = rng.choices(((5, 7), (7, 16), (16, 26), (26, 104)),
                            (25, 25, 25, 25))[0]
    return rng.randbytes(rng.randint(low, high))


def body(rng, least):
    data = literal(rng)
    data += rng.randbytes(max(0, least - len(data)))
    text = data.hex()
    if rng.random() < 0.2 and len(data) >= 8:
        at = rng.randrange(4, len(data) - 3) * 2
        text = text[:at] + "{%d-%d}" % (rng.randint(0, 5),
                                        rng.randint(6, 80)) + text[at:]
    return text


def target(rng):
    return rng.choices([t for t, _ in TARGETS], [w for _, w in TARGETS])[0]


def line(kind, rng, i):
    name = "%s.%s.%s-%d-0" % (
        rng.choice(("Win", "Doc", "Pdf", "Unix")),
        rng.choice(("Trojan", "Worm", "Packed")),
        rng.choice(("Agent", "Zusy", "Razy", "Upatre")), 1000000 + i)
    if kind == "hdb":
        return "%s:%d:%s" % (rng.randbytes(16).hex(),
                             10 ** rng.uniform(3, 6.8), name)
    if kind == "hsb":
        return "%s:%d:%s:73" % (rng.randbytes(16).hex(),
                                10 ** rng.uniform(3, 6.8), name)
    if kind == "mdb":
        return "%d:%s:%s" % (rng.choice(SIZES), rng.randbytes(16).hex(), name)
    if kind == "ndb":
        return "%s:%d:*:%s" % (name, target(rng), body(rng, 16))
    count = rng.choices((1, 2, 3, 5, 6), (3, 3, 45, 45, 4))[0]
    subs = [body(rng, 16 if count < 3 else 8 if n == 0 else 0)
            for n in range(count)]
    return "%s;Engine:51-255,Target:%d;%s;%s" % (
        name, target(rng), "&".join(map(str, range(count))), ";".join(subs))


def make_set(folder, canary):
    rng = random.Random(1670)
    total = 0
    for name, lines in LINES.items():
        count = max(1, int(lines * SCALE))
        with open(folder / name, "w") as out:
            if name == "main.hdb":
                out.write("%s:%d:Bench.Canary\n" % (
                    hashlib.md5(canary).hexdigest(), len(canary)))
            for i in range(count):
                out.write(line(name.split(".")[1], rng, i) + "\n")
        total += count
    return total


class Clamd:
    def __init__(self, folder, signatures):
        conf = folder / "clamd.conf"
        conf.write_text(
            f"LocalSocket {folder}/clamd.sock\nDatabaseDirectory {signatures}\n"
            f"Foreground yes\nUser root\nMaxThreads 1\nDisableCache yes\n"
            f"MaxFileSize 256M\nMaxScanSize 1024M\nLogFile {folder}/log\n")
        self.conf, self.folder = str(conf), folder
        self.process = subprocess.Popen(
            ["clamd", f"--config-file={conf}"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        while not (folder / "clamd.sock").exists():
            if self.process.poll() is not None:
                sys.exit("clamd did not start")
            time.sleep(0.1)
        self.load = cpu_of(self.process.pid)

    def scan(self, path):
        before = cpu_of(self.process.pid)
        out = subprocess.run(
            ["clamdscan", f"--config-file={self.conf}", "--fdpass",
             "--infected", "--no-summary", str(path)],
            capture_output=True, text=True, errors="replace").stdout
        return cpu_of(self.process.pid) - before, out.count("FOUND")

    def resident(self):
        for row in open(f"/proc/{self.process.pid}/status"):
            if row.startswith("VmRSS"):
                return int(row.split()[1]) * 1024

    def close(self):
        self.process.terminate()
        self.process.wait(60)


def run(*command):
    """(CPU seconds, seconds, peak bytes, output)"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    out = subprocess.run([str(c) for c in command], capture_output=True,
                         text=True, errors="replace")
    if out.returncode not in (0, 1):
        sys.exit(f"{command}: {out.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime
            + after.ru_stime - before.ru_stime,
            time.monotonic() - start, after.ru_maxrss * 1024, out.stdout)


def ours(db, path):
    cpu, _, _, out = run(KHIEN, "scan", "--db", db, "--jobs", 1, path)
    return cpu, out.count("FOUND")


def compare(what, db, clamd, path, start):
    mine, theirs = [], []
    for _ in range(ROUNDS):
        mine.append(ours(db, path)), theirs.append(clamd.scan(path))
    if {n for _, n in mine} != {n for _, n in theirs}:
        sys.exit(f"{what}: not the same found: {mine} {theirs}")
    us = max(statistics.median(c for c, _ in mine) - start, 0.01)
    them = statistics.median(c for c, _ in theirs)
    print(f"{what:12} khien {us:7.2f} CPU s  clamd {them:8.2f} CPU s",
          flush=True)
    ratio(what + " CPU time", "clamd", them / us)


def rescan(db, folder, count, start):
    cache = folder.parent / "cache"
    time.sleep(2.5)  # files that changed just now are not remembered
    run(KHIEN, "scan", "--db", db, "--cache", cache, folder)
    took = [run(KHIEN, "scan", "--db", db, "--cache", cache, folder)[1]
            for _ in range(ROUNDS)]
    stat = [run("find", folder, "-size", "+1000G")[1] for _ in range(ROUNDS)]
    seconds = max(min(took) - start, 0.001)  # what starting takes left out
    print(f"unchanged    {count / seconds:7.0f} files/s")
    ratio("second scan of an unchanged tree", "a stat walk",
          min(stat) / seconds)


def main():
    begin()
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as name:
        folder = pathlib.Path(name)
        signatures = folder / "signatures"
        signatures.mkdir()
        canary = random.Random(2).randbytes(20000)
        (folder / "canary").write_bytes(canary)
        count = make_set(signatures, canary)
        db = folder / "set"
        cpu, _, peak, _ = run(KHIEN, "db", "build", "-o", db, signatures)
        print(f"{count} signatures: {cpu:.2f} CPU s to build, "
              f"{peak / 1e6:.0f} MB, set of {db.stat().st_size / 1e6:.0f} MB")
        first = [run(KHIEN, "scan", "--jobs", 1, "--db", db,
                     folder / "canary") for _ in range(9)]
        if any("Bench.Canary" not in f[3] for f in first):
            sys.exit("the canary was not found")
        start = statistics.median(f[0] for f in first)
        print("first verdict after "
              f"{statistics.median(f[1] for f in first) * 1000:.0f} ms")
        clamd = Clamd(folder, signatures)
        try:
            ratio("start to first verdict, CPU time", "clamd",
                  clamd.load / max(start, 1 / TICK))
            (folder / "random").write_bytes(
                random.Random(3).randbytes(RANDOM_BYTES))
            for source in ("/usr/share", "/usr/lib"):
                place = folder / source.replace("/", "-")
                print("%s: %d files, %d bytes"
                      % (source, *sample(source, place)))
                compare(source, db, clamd, place, start)
            compare("random bytes", db, clamd, folder / "random", start)
            most = max(f[2] for f in first)
            ratio("memory (peak of one worker, the set included)", "clamd",
                  clamd.resident() / most)
        finally:
            clamd.close()
        place = folder / "-usr-share"
        rescan(db, place, sum(1 for _ in place.iterdir()),
               statistics.median(f[1] for f in first))


if __name__ == "__main__":
    main()
