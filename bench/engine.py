#!/usr/bin/python3
"""The engine against clamd with a set of real-world composition: hashes of
files and sections, bodies, logical signatures with three to six bodies each;
over text and programs of this computer, documents made here, random bytes,
and Windows programs if Wine is installed; clamscan and clamdscan --multiscan
beside it.  Then what the set costs: building, adding to it, changing to
another, scanning again what did not change.  A table of all stands at the end.

	script/bench engine	KHIEN_BENCH_SCALE=1 for all 8.7 million: minutes

By default 3 % of that.  CPU seconds of one thread, without verdict caches,
medians of three; what starting costs is measured apart.  Literals are random
bytes, so that nothing on a clean computer matches; real sets share literals
with clean files, which costs both something.
"""
import base64
import hashlib
import io
import os
import pathlib
import random
import resource
import statistics
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile

from common import Table, begin, ratio
from scan import BUILD, KHIEN, TICK, cpu_of, sample

SCALE = float(os.environ.get("KHIEN_BENCH_SCALE", "0.03"))
ROUNDS = 3
RANDOM_BYTES = 90_000_000
# file: lines at scale 1, as the published sizes of the official set say
LINES = {"main.hdb": 82211, "main.hsb": 4045000, "main.mdb": 4159000,
         "main.ndb": 95258, "main.ldb": 308889}
TARGETS = ((1, 88), (2, 6), (0, 3), (3, 1), (7, 1), (6, 1))
TABLE = Table("clamd", "multiscan", "clamscan")
# The least ratio that is aimed at, with a small set and with a large one.
AIMS = {"documents": (8, 15)}
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
            f"Foreground yes\nUser root\nMaxThreads 2\nDisableCache yes\n"
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

    def scan(self, path, *options):
        """(CPU seconds, number found, seconds); one thread if not told."""
        before, start = cpu_of(self.process.pid), time.monotonic()
        out = subprocess.run(
            ["clamdscan", f"--config-file={self.conf}", "--fdpass",
             "--infected", "--no-summary", *options, str(path)],
            capture_output=True, text=True, errors="replace").stdout
        took = time.monotonic() - start
        return cpu_of(self.process.pid) - before, out.count("FOUND"), took

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


class Clamscan:
    """Loads all signatures each time: that is measured, and left out."""

    def __init__(self, folder, signatures):
        self.command = ("clamscan", "-r", "--infected", "--no-summary", "-d",
                        signatures, "--max-filesize=256M",
                        "--max-scansize=1024M")
        empty = folder / "empty"
        empty.mkdir()
        self.start, _, self.peak, _ = run(*self.command, empty)

    def scan(self, path):
        cpu, _, _, out = run(*self.command, path)
        return max(cpu - self.start, 0.01), out.count("FOUND")


def compare(what, db, peers, path, start):
    clamd, clamscan = peers
    mine, theirs = [], []
    for _ in range(ROUNDS):
        mine.append(ours(db, path)), theirs.append(clamd.scan(path))
    multi, one = clamd.scan(path, "--multiscan"), clamscan.scan(path)
    if {n for _, n in mine} != {t[1] for t in (*theirs, multi, one)}:
        sys.exit(f"{what}: not the same found: {mine} {theirs} {multi} {one}")
    us = max(statistics.median(c for c, _ in mine) - start, 0.01)
    them = statistics.median(t[0] for t in theirs)
    print(f"{what:12} khien {us:7.2f} CPU s  clamd {them:8.2f} CPU s",
          flush=True)
    ratio(what + " CPU time", "clamd", them / us)
    TABLE.add(what + ", CPU s", "%dx" % AIMS.get(what, (10, 30))[SCALE >= 1],
              us, them, multi[0], one[0])


SMALL_FILES = 8000


def small_files(folder, db, clamd):
    """Files a second, two threads each."""
    place = folder / "small"
    place.mkdir()
    rng = random.Random(8)
    for i in range(SMALL_FILES):
        (place / str(i)).write_text(words(rng, 120))
    mine = min(run(KHIEN, "scan", "--db", db, "--jobs", 2, place)[1]
               for _ in range(ROUNDS))
    theirs = clamd.scan(place, "--multiscan")[2]
    TABLE.add("8,000 small files, 2 threads, s", "1", mine, "-", theirs)
    print(f"small files: khien {SMALL_FILES / mine:.0f} files/s, clamdscan "
          f"--multiscan {SMALL_FILES / theirs:.0f} files/s", flush=True)


WORDS = ("uy ban nhan dan tinh so thong tin truyen thong bao cao ke hoach ngan "
         "sach nam quyet dinh cong van so hieu van phong huyen xa phuong thu "
         "tuc hanh chinh ho so dang ky dat dai giao duc y te").split()


def words(rng, count):
    return " ".join(rng.choice(WORDS) for _ in range(count))


def packed(rng, names):
    """A zip of XML, as the office programs write it, with a picture."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name in names:
            z.writestr(name, "".join(
                "<w:p><w:r><w:t>%s</w:t></w:r></w:p>" % words(rng, 40)
                for _ in range(rng.randint(20, 400))))
        z.writestr("media/image1.jpeg", b"\xff\xd8\xff\xe0"
                   + rng.randbytes(rng.randint(5000, 200000)))
    return out.getvalue()


def mail(rng, attachment):
    return ("From: a@tinh.vn\r\nContent-Type: multipart/mixed; boundary=b\r\n"
            "\r\n--b\r\nContent-Type: text/plain\r\n\r\n%s\r\n--b\r\n"
            "Content-Type: application/zip; name=a.docx\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n" % (
                words(rng, 300), base64.encodebytes(attachment).decode())
            ).encode()


def documents(folder, count=120):
    """Documents, mails and archives of them."""
    folder.mkdir()
    rng = random.Random(4)
    for i in range(count):
        doc = packed(rng, ("[Content_Types].xml", "word/document.xml"))
        table = packed(rng, ("[Content_Types].xml", "xl/workbook.xml",
                             "xl/worksheets/sheet1.xml"))
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as t:
            info = tarfile.TarInfo("a.docx")
            info.size = len(doc)
            t.addfile(info, io.BytesIO(doc))
        for name, data in (
                ("docx", doc), ("xlsx", table), ("eml", mail(rng, table)),
                ("tgz", out.getvalue())):
            (folder / f"{i}.{name}").write_bytes(data)
    for path in folder.iterdir():
        path.chmod(0o644)


def programs(folder):
    """Every 12th library of Wine, if there is one."""
    found = sorted(pathlib.Path("/usr/lib").glob("*/wine/x86_64-windows/*.dll"))
    folder.mkdir()
    for path in found[::12]:
        shutil.copy(path, folder)
    return len(found) > 0


def walk(folder):
    return min(run("find", folder, "-size", "+1000G")[1]
               for _ in range(ROUNDS))


def rescan(what, db, cache, folder, start, stat):
    """Seconds of a second scan; the cache is as it was before each."""
    took = []
    for _ in range(ROUNDS):
        shutil.copy(cache, str(cache) + ".used")
        took.append(run(KHIEN, "scan", "--db", db, "--cache",
                        str(cache) + ".used", folder)[1])
    count = sum(1 for _ in folder.iterdir())
    seconds = max(min(took) - start, 0.001)  # what starting takes left out
    print(f"{what}: {count / seconds:.0f} files/s")
    ratio(what, "a stat walk", stat / seconds)
    return count / seconds


def updates(db, folder, tree, start):
    """What a day's new signatures cost."""
    rng = random.Random(9)
    cache, stat = folder / "cache", walk(tree)
    time.sleep(2.5)  # files that changed just now are not remembered
    run(KHIEN, "scan", "--db", db, "--cache", cache, tree)
    TABLE.add("100,000 unchanged files, s", "1", 1e5 / rescan(
        "second scan of an unchanged tree", db, cache, tree, start, stat))
    for name, kinds in (("hashes", (("hsb", 3000),)),
                        ("hashes and bodies", (("hsb", 2700), ("ldb", 300)))):
        more = folder / name
        more.mkdir()
        for kind, count in kinds:
            (more / f"new.{kind}").write_text("".join(
                line(kind, rng, i) + "\n" for i in range(count)))
        new = folder / (name + ".set")
        cpu, _, _, _ = run(KHIEN, "db", "build", "--base", db, "-o", new,
                           more)
        print(f"3000 new {name}: {cpu:.2f} CPU s to add")
        TABLE.add(f"3000 new {name}, CPU s", "3", cpu)
        rescan(f"scan after 3000 new {name}", new, cache, tree, start, stat)
    os.environ["KHIEN_WORKER"] = str(BUILD / "prog/khien-worker")
    plain, worst, took, before, after = run(
        BUILD / "bench/bench_swap", db, folder / "hashes.set",
        folder / "canary")[3].split()
    print(f"change of sets: {took} ms, longest wait for a verdict {worst} ms "
          f"(without one {plain} ms), worker's own memory {before} kB before, "
          f"{after} kB after five")
    TABLE.add("change of sets, longest wait, ms", "10", float(worst))
    TABLE.add("worker's own memory, MB", "30", int(after) / 1e3)


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
        peers = clamd, Clamscan(folder, signatures)
        TABLE.add("start, CPU s", "0.05", max(start, 1 / TICK), clamd.load,
                  clamd.load, peers[1].start)
        TABLE.add("db build, CPU s", "15", cpu, clamd.load)
        try:
            ratio("start to first verdict, CPU time", "clamd",
                  clamd.load / max(start, 1 / TICK))
            (folder / "random").write_bytes(
                random.Random(3).randbytes(RANDOM_BYTES))
            for source in ("/usr/share", "/usr/lib"):
                place = folder / source.replace("/", "-")
                print("%s: %d files, %d bytes"
                      % (source, *sample(source, place)))
                compare(source, db, peers, place, start)
            documents(folder / "documents")
            compare("documents", db, peers, folder / "documents", start)
            if programs(folder / "programs"):
                compare("programs", db, peers, folder / "programs", start)
            compare("random bytes", db, peers, folder / "random", start)
            small_files(folder, db, clamd)
            most = max(f[2] for f in first)
            ratio("memory (peak of one worker, the set included)", "clamd",
                  clamd.resident() / most)
            TABLE.add("peak memory of a worker, MB", "150", most / 1e6,
                      clamd.resident() / 1e6, clamd.resident() / 1e6,
                      peers[1].peak / 1e6)
        finally:
            clamd.close()
        updates(db, folder, folder / "-usr-share",
                statistics.median(f[1] for f in first))
        TABLE.show()


if __name__ == "__main__":
    main()
