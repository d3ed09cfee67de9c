"""Signatures and files, given to clamscan and to khien, and what differs."""
import json
import pathlib
import shutil
import subprocess
import tempfile

# What is said of links of mails, here and there.
LINKS = ("Heuristics.Phishing.", "Heuristics.Safebrowsing.")
# No detection takes what begins so for text.
BINARY = bytes.fromhex("89ff0000feff")


class Broken(Exception):
    """A program did not do what it is for: no verdict is to be had."""


class Case:
    """Signature lines that belong together, and files made for them."""

    def __init__(self, lines, files):
        self.lines, self.files = lines, files


def one(ext, line, *files):
    return Case([(ext, line)], list(files))


class Batch:
    """Cases that both engines see in one run."""

    def __init__(self, cases):
        self.cases = cases

    def lines(self):
        return [line for case in self.cases for line in case.lines]

    def files(self):
        return {"%d.%d" % (i, k): data for i, case in enumerate(self.cases)
                for k, data in enumerate(case.files)}


def write(folder, lines, files):
    for name in ("sigs", "files"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    texts = {}
    for ext, line in lines:
        texts.setdefault(ext, []).append(line + "\n")
    for ext, rows in texts.items():
        (folder / "sigs" / ("cases." + ext)).write_text("".join(rows))
    for name, data in files.items():
        (folder / "files" / name).write_bytes(data)


def clamscan(folder):
    """Pairs of (file, signature); None when it refuses the signatures."""
    run = subprocess.run(
        ["clamscan", "--no-summary", "--allmatch", "--disable-cache",
         "--bytecode=no", "-r", "-d", "sigs", "files"],
        cwd=folder, capture_output=True, text=True, errors="replace")
    if run.returncode == 2 and "ERROR" in run.stderr:
        return None
    if run.returncode not in (0, 1):
        raise Broken("clamscan: exit %d %s"
                     % (run.returncode, run.stderr[-2000:]))
    found = set()
    for line in run.stdout.splitlines():
        path, _, rest = line.rpartition(": ")
        if rest.endswith(" FOUND"):
            name = rest[:-len(" FOUND")].removesuffix(".UNOFFICIAL")
            found.add((pathlib.Path(path).name, name))
    return {pair for pair in found if pair[1].startswith(LINKS)
            or not pair[1].startswith("Heuristics.")}


def build(program, folder):
    """What khien says of lines that it cannot use: {"file:line": reason}."""
    run = subprocess.run(
        [program, "db", "build", "-o", "set", "sigs"], cwd=folder,
        capture_output=True, text=True, errors="replace")
    if run.returncode != 0:
        raise Broken("khien db build: " + run.stdout + run.stderr)
    problems = {}
    for line in run.stderr.splitlines():
        where, _, reason = line.partition(": ")
        problems[pathlib.Path(where).name] = reason
    return problems


def khien(program, folder, *options):
    """Pairs of (file, signature)."""
    run = subprocess.run(
        [program, "scan", "--all", "--json", *options, "--db", "set",
         "files"], cwd=folder, capture_output=True, text=True)
    if run.returncode not in (0, 1):
        raise Broken("khien scan: " + run.stderr)
    found = set()
    for line in run.stdout.splitlines():
        row = json.loads(line)
        if row.get("outcome") in ("infected", "suspicious"):
            names = [row["name"], *row.get("also", "").split("\n")]
            found |= {(pathlib.Path(row["path"]).name, n)
                      for n in names if n}
    return found


class Both:
    """Runs both programs in a scratch folder."""

    def __init__(self, program):
        self.program = str(pathlib.Path(program).resolve())
        self.scratch = tempfile.TemporaryDirectory(prefix="khien-diff-")
        self.folder = pathlib.Path(self.scratch.name)

    def run(self, lines, files):
        """(theirs, ours, problems); theirs is None when refused."""
        write(self.folder, lines, files)
        theirs = clamscan(self.folder)
        problems = build(self.program, self.folder)
        return theirs, khien(self.program, self.folder), problems

    def differs(self, lines, data, name):
        theirs, ours, _ = self.run(lines, {"0.0": data})
        pair = ("0.0", name)
        return theirs is not None and (pair in theirs) != (pair in ours)

    def compare(self, batch):
        """Pairs that differ, what clamscan found, what was not usable."""
        theirs, ours, problems = self.run(batch.lines(), batch.files())
        if theirs is None:
            raise Broken("clamscan refuses: " + self.refused(batch))
        return sorted(theirs ^ ours), theirs, problems

    def refused(self, batch):
        for case in batch.cases:
            write(self.folder, case.lines, {"0.0": b"x" * 9})
            if clamscan(self.folder) is None:
                return repr(case.lines)
        return "all of it, no single case"

    def reduce(self, batch, pair, steps=80):
        """The lines and the file of a pair that differs, as few as do it;
        None when they do not differ alone."""
        file_case = batch.cases[int(pair[0].partition(".")[0])]
        data = batch.files()[pair[0]]
        lines = [line for case in batch.cases for line in case.lines
                 if case is file_case or
                 any(pair[1] in text for _, text in case.lines)]
        if not self.differs(lines, data, pair[1]):
            return None
        for line in list(lines):
            fewer = [other for other in lines if other is not line]
            if steps > 0 and fewer and \
                    self.differs(fewer, data, pair[1]):
                lines = fewer
            steps -= 1
        return lines, self.shorter(lines, data, pair[1], steps)

    def shorter(self, lines, data, name, steps):
        size = max(len(data) // 2, 1)
        while size > 0 and steps > 0:
            at = 0
            while at < len(data) and steps > 0:
                less = data[:at] + data[at + size:]
                steps -= 1
                if less and self.differs(lines, less, name):
                    data = less
                else:
                    at += size
            size //= 2
        return data
