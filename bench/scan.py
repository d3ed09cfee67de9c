#!/usr/bin/python3
"""The scan engine against ClamAV: /usr/share and /usr/lib with the same
signatures, one thread and two.

	script/bench scan		KHIEN_BENCH_PATHS="/usr/share" for less

For each: files a second, MB a second (size of the files), CPU seconds, peak
memory of all its processes (anonymous: both map the files they scan, and the
kernel takes those pages back whenever it wants).  `ratio` is ClamAV's time, CPU or memory
divided by ours: above 1 we need less.  Both find the planted files first, or
nothing here would mean anything.
"""
import hashlib
import io
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("KHIEN_BUILD", ROOT / "build"))
KHIEN = str(BUILD / "prog/khien")
PATHS = os.environ.get("KHIEN_BENCH_PATHS", "/usr/share /usr/lib").split()
HASHES, BODIES = 50000, 5000
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + \
    b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
TICK = os.sysconf("SC_CLK_TCK")


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

    def family(self):
        parents = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                text = entry.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(entry.parent.name)] = int(text[1])
        found = set(self.pids)
        while True:
            more = {p for p, parent in parents.items()
                    if parent in found} - found
            if not more:
                return found
            found |= more

    def run(self):
        while not self.done.wait(0.25):
            total = 0
            for pid in self.family():
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


def measure(command, daemon=None):
    """(seconds, CPU seconds, peak bytes, output)"""
    before = os.times()
    served = cpu_of(daemon) if daemon else 0
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                               errors="replace", stderr=subprocess.DEVNULL)
    memory = Memory([process.pid] + ([daemon] if daemon else []))
    memory.start()
    out = process.stdout.read()
    process.wait()
    seconds = time.monotonic() - start
    memory.done.set()
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
            f"LogFile {folder}/clamd.log\n")
        self.conf = str(conf)
        self.process = subprocess.Popen(
            ["clamd", f"--config-file={conf}"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not (folder / "clamd.sock").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("clamd did not start")
            time.sleep(0.1)

    def command(self, path):
        return ["clamdscan", f"--config-file={self.conf}", "--fdpass",
                "--multiscan", "--infected", path]

    def close(self):
        self.process.terminate()
        self.process.wait(60)


def size_of(path):
    files = total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                info = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            if os.path.isfile(os.path.join(folder, name)) and \
                    not os.path.islink(os.path.join(folder, name)):
                files += 1
                total += info.st_size
    return files, total


def warm(path):
    subprocess.run(["find", path, "-type", "f", "-exec", "cat", "{}", "+"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def show(path, name, files, size, got):
    seconds, cpu, peak, _ = got
    print(f"{path:12} {name:22} {files / seconds:9.0f} files/s "
          f"{size / seconds / 1e6:8.1f} MB/s {seconds:8.1f} s "
          f"{cpu:8.1f} CPU s {peak / 1e6:7.0f} MB", flush=True)


def compare(path, ours, theirs, name):
    print(f"ratio {path} {name}: time {theirs[0] / ours[0]:.1f}, "
          f"CPU {theirs[1] / ours[1]:.1f}, memory {theirs[2] / ours[2]:.1f}",
          flush=True)


def main():
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as name:
        folder = pathlib.Path(name)
        planted, signatures = folder / "planted", folder / "signatures"
        planted.mkdir()
        signatures.mkdir()
        make_signatures(signatures, plant(planted))
        db = str(folder / "bench.kdb")
        subprocess.run([KHIEN, "db", "build", "-o", db, signatures],
                       check=True, stdout=subprocess.DEVNULL)
        khien = [KHIEN, "scan", "--db", db]
        clamscan = ["clamscan", "-r", "--infected", "-d", str(signatures)]
        clamd = Clamd(folder, signatures)
        try:
            for command in (khien, clamscan, clamd.command("")[:-1]):
                out = measure([*command, str(planted)])[3]
                if out.count(" FOUND\n") != 5:
                    sys.exit(f"{command[0]} did not find what was planted:\n"
                             + out)
            for path in PATHS:
                files, size = size_of(path)
                warm(path)
                one = measure([*khien, "--jobs", "1", path])
                show(path, "khien, one at a time", files, size, one)
                two = measure([*khien, "--jobs", "2", path])
                show(path, "khien, two at a time", files, size, two)
                theirs = measure([*clamscan, path])
                show(path, "clamscan", files, size, theirs)
                served = measure(clamd.command(path), clamd.process.pid)
                show(path, "clamdscan, two threads", files, size, served)
                compare(path, one, theirs, "clamscan / khien, one thread")
                compare(path, two, served, "clamdscan / khien, two threads")
        finally:
            clamd.close()


if __name__ == "__main__":
    main()
