#!/usr/bin/python3
"""The scan engine against ClamAV with the same signatures, limits and files:
every 32nd file of /usr/share and of /usr/lib, one thread and two.

	script/bench scan	KHIEN_BENCH_EVERY=1 for all files: hours

Rounds alternate between the two after one that warms up; medians count, less
what each needs for an empty folder (printed as `start`), as clamscan loads
its signatures every time.  Memory is watched while warming up.  It is the most that all
processes held at once, without mapped files (both map what they scan), but
with all of our set, which is one.  Both find the planted files first, and
equally many in the sample, or nothing here would mean anything.
"""
import hashlib
import io
import os
import pathlib
import random
import shutil
import stat
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

from common import begin, ratio

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("KHIEN_BUILD", ROOT / "build"))
KHIEN = str(BUILD / "prog/khien")
PATHS = ("/usr/share", "/usr/lib")
EVERY = int(os.environ.get("KHIEN_BENCH_EVERY", "32"))
FILE_MAX = 90 << 20  # ClamAV's default limit is 100 MB
ROUNDS = 3
LIMITS = {"max-filesize": "256M", "max-scansize": "1024M",
          "max-recursion": "17", "max-files": "100000",
          "max-scantime": "120000"}
HASHES, BODIES = 50000, 5000
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + \
    b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
STARTS = (b"%PDF-1.4\n", b"<html><body>", b"\x89PNG\r\n\x1a\n",
          b"\x7fELF\2\1\1" + bytes(9), b"From: a@b.vn\nSubject: a\n\n")
TICK = os.sysconf("SC_CLK_TCK")
DAEMON = {  # the same in clamd.conf
    "max-filesize": "MaxFileSize", "max-scansize": "MaxScanSize",
    "max-recursion": "MaxRecursion", "max-files": "MaxFiles",
    "max-scantime": "MaxScanTime"}


def body(chance):
    """Hexadecimal in one of the shapes that body signatures have."""
    def run(low, high):
        return chance.randbytes(chance.randint(low, high)).hex()
    shape = chance.randrange(6)
    if shape < 3:
        return run(12, 60)
    if shape == 3:
        return f"{run(6, 20)}??{run(6, 20)}"
    if shape == 4:
        return f"{run(6, 20)}{{2-{chance.randint(3, 60)}}}{run(6, 20)}"
    return f"{run(6, 16)}({run(2, 2)}|{run(2, 2)}){run(6, 16)}*{run(4, 12)}"


def make_signatures(folder, planted):
    chance = random.Random(1670)
    with open(folder / "bench.hdb", "w") as hdb, \
            open(folder / "bench.hsb", "w") as hsb, \
            open(folder / "bench.ndb", "w") as ndb:
        for i in range(HASHES):
            size = chance.randint(1000, 3000000)
            hdb.write(f"{chance.randbytes(16).hex()}:{size}:Bench.Md5-{i}\n")
            hsb.write(f"{chance.randbytes(32).hex()}:{size}:"
                      f"Bench.Sha256-{i}:73\n")
        for i in range(BODIES):
            ndb.write(f"Bench.Body-{i}:{chance.choice((0, 0, 0, 1, 6))}:*:"
                      f"{body(chance)}\n")
        md5, sha256, inside = (p.read_bytes() for p in planted[:3])
        hdb.write(f"{hashlib.md5(md5).hexdigest()}:{len(md5)}:Bench.Own-1\n")
        hsb.write(f"{hashlib.sha256(sha256).hexdigest()}:{len(sha256)}:"
                  "Bench.Own-2:73\n")
        ndb.write(f"Bench.Own-3:0:*:{inside[100:108].hex()}{{3-9}}"
                  f"{inside[114:130].hex()}\n")
        ndb.write(f"Bench.Eicar:0:0:{EICAR[:44].hex()}\n")


def plant(folder):
    """Files that both shall find; the rest of the folder is clean."""
    chance = random.Random(14)
    files = [folder / f"{n}.bin" for n in ("md5", "sha256", "body")]
    for file in files:
        file.write_bytes(chance.randbytes(20000))
    for i, start in enumerate(STARTS):  # what stands in files of such types
        (folder / f"type-{i}").write_bytes(start + files[2].read_bytes())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("a/b.com", EICAR)
    (folder / "packed.zip").write_bytes(packed.getvalue())
    (folder / "eicar.com").write_bytes(EICAR)
    (folder / "clean.txt").write_text("clean\n" * 1000)
    return files


class Memory(threading.Thread):
    """The most that a process and its descendants held at once, in bytes."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.peak, self.done = pids, 0, threading.Event()

    def family(self, pid):
        try:
            children = open(f"/proc/{pid}/task/{pid}/children").read().split()
        except OSError:
            return []
        return [pid] + [p for c in children for p in self.family(c)]

    def run(self):
        while not self.done.wait(0.05):
            total = 0
            for pid in (p for top in self.pids for p in self.family(top)):
                try:
                    for line in open(f"/proc/{pid}/smaps_rollup"):
                        if line.startswith("Pss_Anon:"):
                            total += int(line.split()[1]) * 1024
                except OSError:
                    continue
            self.peak = max(self.peak, total)


def cpu_of(pid):
    text = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(text[11]) + int(text[12])) / TICK


def measure(command, daemon=None, watch=False):
    """(seconds, CPU seconds, peak bytes, output)"""
    before = os.times()
    served = cpu_of(daemon) if daemon else 0
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                               errors="replace", stderr=subprocess.DEVNULL)
    memory = Memory([process.pid] + ([daemon] if daemon else []))
    if watch:  # which slows it down
        memory.start()
    out = process.stdout.read()
    process.wait()
    seconds = time.monotonic() - start
    memory.done.set()
    if watch:
        memory.join()
    after = os.times()
    cpu = after.children_user - before.children_user + \
        after.children_system - before.children_system
    if daemon:
        cpu += cpu_of(daemon) - served
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{command}: exit {process.returncode}")
    return seconds, cpu, memory.peak, out


class Clamd:
    def __init__(self, folder, signatures):
        conf = folder / "clamd.conf"
        conf.write_text(
            f"LocalSocket {folder}/clamd.sock\nDatabaseDirectory {signatures}\n"
            f"Foreground yes\nUser root\nMaxThreads 2\nDisableCache yes\n"
            f"LogFile {folder}/clamd.log\n"
            + "".join(f"{DAEMON[k]} {v}\n" for k, v in LIMITS.items()))
        self.conf = str(conf)
        self.process = subprocess.Popen(
            ["clamd", f"--config-file={conf}"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not (folder / "clamd.sock").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("clamd did not start")
            time.sleep(0.1)

    def command(self):
        return ["clamdscan", f"--config-file={self.conf}", "--fdpass",
                "--multiscan", "--infected"]

    def close(self):
        self.process.terminate()
        self.process.wait(60)


def sample(source, folder):
    """Every EVERY-th file below `source`, as links: (files, bytes)."""
    seen = files = total = 0
    folder.mkdir()
    for where, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            file = os.path.join(where, name)
            info = os.lstat(file)
            if not stat.S_ISREG(info.st_mode) or info.st_size > FILE_MAX:
                continue
            seen += 1
            if seen % EVERY:
                continue
            target = folder / f"{files}-{name}"
            try:
                os.link(file, target)
            except OSError:
                shutil.copyfile(file, target)
            files += 1
            total += info.st_size
    return files, total


def median(rounds):
    return [statistics.median(r[i] for r in rounds) for i in range(2)]


def found(name, out):
    if name.startswith("khien"):
        return out.count(" FOUND\n"), out.count(" UNSCANNABLE\n")
    return out.count(" FOUND\n"), 0


def check(commands, path):
    """All find the same number there: (number, peak bytes by name)."""
    counts, peaks = {}, {}
    for name, command in commands.items():
        got = measure([*command[0], str(path)], command[1], watch=True)
        peaks[name] = got[2]
        counts[name], skipped = found(name, got[3])
        if skipped:
            print(f"{name}: {skipped} files could not be scanned in full")
    if len(set(counts.values())) != 1:
        sys.exit(f"not the same found in {path}: {counts}")
    return counts.popitem()[1], peaks


def rounds_of(commands, path):
    """Medians of (seconds, CPU seconds) by name, taken in turn."""
    got = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, (command, daemon) in commands.items():
            got[name].append(measure([*command, str(path)], daemon))
    return {name: median(r) for name, r in got.items()}


def compare(source, commands, starts, folder, set_size):
    files, size = sample(source, folder)
    _, peaks = check(commands, folder)  # and warms up
    took = rounds_of(commands, folder)
    for name, (seconds, cpu) in took.items():
        seconds = max(seconds - starts[name][0], 0.01)
        cpu = max(cpu - starts[name][1], 0.01)
        memory = peaks[name]
        memory += set_size if name.startswith("khien") else 0
        took[name] = seconds, cpu, memory
        print(f"{source:10} {name:10} {files / seconds:7.0f} files/s "
              f"{size / seconds / 1e6:7.1f} MB/s {seconds:7.2f} s "
              f"{cpu:7.2f} CPU s {memory / 1e6:5.0f} MB", flush=True)
    for ours, peer in (("khien-1", "clamscan"), ("khien-2", "clamdscan")):
        for i, what in enumerate(("time", "CPU time", "memory")):
            ratio(f"{source} {ours} {what}", peer,
                  took[peer][i] / took[ours][i])


def main():
    begin()
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as name:
        folder = pathlib.Path(name)
        planted, signatures = folder / "planted", folder / "signatures"
        empty = folder / "empty"
        for each in (planted, signatures, empty):
            each.mkdir()
        make_signatures(signatures, plant(planted))
        db = folder / "bench.kdb"
        subprocess.run([KHIEN, "db", "build", "-o", db, signatures],
                       check=True, stdout=subprocess.DEVNULL)
        khien = [KHIEN, "scan", "--db", str(db), "--jobs"]
        clamd = Clamd(folder, signatures)
        commands = {
            "khien-1": ([*khien, "1"], None),
            "clamscan": (["clamscan", "-r", "--infected", "-d",
                          str(signatures),
                          *(f"--{k}={v}" for k, v in LIMITS.items())], None),
            "khien-2": ([*khien, "2"], None),
            "clamdscan": (clamd.command(), clamd.process.pid),
        }
        try:
            if check(commands, planted)[0] != 5 + len(STARTS):
                sys.exit("what was planted was not found")
            starts = rounds_of(commands, empty)
            for name, (seconds, cpu) in starts.items():
                print(f"start      {name:10} {seconds:.2f} s {cpu:.2f} CPU s")
            for source in PATHS:
                compare(source, commands, starts,
                        folder / source.replace("/", "-"), db.stat().st_size)
        finally:
            clamd.close()


if __name__ == "__main__":
    main()
