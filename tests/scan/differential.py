#!/usr/bin/python3
"""Khiên and clamscan on the same signatures and files, made at random.

Each case is one signature and one file that was made to match it or to miss
it narrowly.  Prints TAP; the seed is printed, so that a failure can be had
again: differential.py --khien PROGRAM --seed N.

Known and wanted differences, none of which the cases produce:
- clamscan refuses a whole file for one bad line; Khiên skips the line.
- clamscan appends .UNOFFICIAL to names; Khiên leaves names as written.
- a hash for any size ("*") needs a level field of 73 there, none here.
- a body of 2 bytes is taken here, refused there unless it has a wildcard.
- a part between gaps of variable length must match within the last 8 places
  that clamscan remembers of the part before; here every place counts.
- (B), (L), (W): where clamscan counts a marker as a byte that must exist at
  the edge of the file as well, here the edge alone is enough.
- EOF-n in a PE or ELF file whose headers are broken: never there.
- a file of up to 5 bytes is not looked at there.
- a signature with alternatives of unequal length matches there also when its
  last byte is missing at the end of the file.
- SEx without a shift means the whole section here, as documented; there, for
  a body without wildcards, only where the section begins.
- macro groups ($n) are skipped here with a reason.
"""
import argparse
import hashlib
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

ALNUM = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Body:
    """A body signature as a list of (text, bytes that match)."""

    def __init__(self, rng):
        self.rng = rng
        self.items = []
        self.has_unequal = False
        self.unequal_left = 4  # each triples the patterns; 256 is the limit
        for part in range(rng.choice((1, 1, 1, 2, 2, 3))):
            if part:
                self.gap()
            self.literal(rng.randint(6, 12))
            for _ in range(rng.randint(0, 3)):
                rng.choice((self.wild, self.nibble, self.group,
                            self.unequal, self.negated))()
                self.literal(rng.randint(2, 6))

    def add(self, text, data):
        self.items.append((text, data))

    def literal(self, n):
        data = self.rng.randbytes(n)
        self.add(data.hex() if self.rng.random() < 0.8
                 else data.hex().upper(), data)

    def wild(self):
        n = self.rng.randint(1, 3)
        self.add("??" * n if self.rng.random() < 0.5 else "{%d}" % n,
                 self.rng.randbytes(n))

    def nibble(self):
        data = self.rng.randbytes(1)
        text = data.hex()
        self.add(self.rng.choice((text[0] + "?", "?" + text[1])), data)

    def group(self):
        n, width = self.rng.randint(2, 4), self.rng.randint(1, 3)
        options = [self.rng.randbytes(width) for _ in range(n)]
        self.add("(" + "|".join(o.hex() for o in options) + ")",
                 self.rng.choice(options))

    def unequal(self):
        if self.unequal_left == 0:
            return
        self.unequal_left -= 1
        self.has_unequal = True
        options = [self.rng.randbytes(w) for w in (2, 3, 5)]
        self.add("(" + "|".join(o.hex() for o in options) + ")",
                 self.rng.choice(options))

    def negated(self):
        options = self.rng.sample(range(256), 4)
        self.add("!(" + "|".join("%02x" % o for o in options[:3]) + ")",
                 bytes([options[3]]))

    def gap(self):
        low, high = sorted(self.rng.sample(range(40), 2))
        n = self.rng.choice((low, high, self.rng.randint(low, high),
                             max(low - 1, 0), high + 1))
        text = self.rng.choice(("*", "{%d-%d}" % (low, high),
                                "{-%d}" % high, "{%d-}" % low))
        self.add(text, self.rng.randbytes(n))

    def text(self):
        return "".join(t for t, _ in self.items)

    def bytes(self):
        return b"".join(d for _, d in self.items)


def mutate(rng, data):
    """One byte changed, lost or added."""
    data = bytearray(data)
    at = rng.randrange(len(data))
    kind = rng.randrange(3)
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[at]
    else:
        data.insert(at, rng.randrange(256))
    return bytes(data)


def body_case(rng, name):
    body = Body(rng)
    data = body.bytes()
    if rng.random() < 0.4:
        data = mutate(rng, data)
    head = rng.choice((b"\x7fELF", b"MZ", b"\x00\x01\x02\x03" * 8))
    head += rng.randbytes(rng.randint(0, 300))
    tail = rng.randbytes(rng.choice((2, 40) if body.has_unequal
                                    else (0, 1, 40)))
    target = rng.choice("000016")
    offset = rng.choice(("*", "*", "*", str(len(head)),
                         str(max(len(head) - rng.randint(0, 3), 0)) + ","
                         + str(rng.randint(1, 4)),
                         "EOF-" + str(len(data) + len(tail)),
                         "EOF-" + str(len(data) + len(tail) + 2) + ","
                         + str(rng.randint(1, 4))))
    if offset.startswith("EOF"):
        head, target = bytes(10) + head, "0"
    elif rng.random() < 0.2:
        head, offset = b"", rng.choice(("0", "*"))
    return ("ndb", "%s:%s:%s:%s" % (name, target, offset, body.text()),
            head + data + tail)


def text_case(rng, name):
    """Words in normalised text (target 7), or in the raw text (target 0)."""
    words = ["".join(rng.choice("abcdefghijklmnop") for _ in range(6))
             for _ in range(30)]
    at = rng.randrange(20)
    want = " ".join(words[at:at + 3])
    raw = words[:]
    for i in range(at, at + 3):
        if rng.random() < 0.5:
            raw[i] = raw[i].upper()
    text = "text: " + rng.choice((" ", "  ", "\n", "\t ")).join(raw) + "\n"
    if rng.random() < 0.3:
        want = want.upper()
    return ("ndb", "%s:%s:*:%s" % (name, rng.choice("07"),
                                   want.encode().hex()), text.encode())


def marker_case(rng, name):
    marker = rng.choice(("B", "L", "W"))
    word = bytes(rng.choice(ALNUM) for _ in range(8))
    edge = bytes([rng.choice(b" \n.-/<=>@_'\"ab1\x80")])
    if rng.random() < 0.5:
        text, data = "(%s)%s" % (marker, word.hex()), edge + word
    else:
        text, data = "%s(%s)" % (word.hex(), marker), word + edge
    return ("ndb", "%s:0:*:%s" % (name, text),
            b"\x7fELF" + rng.randbytes(50) + data + rng.randbytes(50))


def hash_case(rng, name):
    data = rng.randbytes(rng.randint(6, 3000))
    kind = rng.choice((hashlib.md5, hashlib.sha1, hashlib.sha256))
    size = len(data) + rng.choice((0, 0, 0, 1))
    digest = kind(data).hexdigest()
    if rng.random() < 0.2:
        digest = kind(data + b"x").hexdigest()
    if rng.random() < 0.2:
        digest = digest.upper()
    if rng.random() < 0.2:
        line = "%s:*:%s:73" % (digest, name)
    else:
        line = "%s:%d:%s" % (digest, size, name)
    return (rng.choice(("hdb", "hsb")), line, data)


def wide(data):
    return b"".join(bytes([c, 0]) for c in data)


def expression(rng, subs, depth, least):
    """Each of clamscan's forms; it refuses groups of one operand."""
    operator = rng.choice("&|")
    parts = []
    for _ in range(rng.randint(least, 3)):
        if depth and rng.random() < 0.35:
            parts.append("(" + expression(rng, subs, depth - 1, 2) + ")"
                         + rng.choice(("", "", ">1", ">2", "=2", "<3", ">1,2",
                                       ">2,2", "=3,2", "<5,2")))
            continue
        sub = str(rng.randrange(subs))
        if rng.random() < 0.5:
            sub += rng.choice(("=0", "=1", "=2", ">0", ">1", ">2", "<2",
                               "<3"))
        parts.append(sub)
    return operator.join(parts)


def sub_body(rng):
    """A subsignature, and forms that match it or narrowly do not."""
    word = bytes(rng.choice(b"abcdefghijkXYZ0189")
                 for _ in range(rng.choice((4, 6, 9, 12))))
    modifiers = rng.choice(("",) * 5 + ("::i", "::w", "::wa", "::f", "::fw"))
    forms = [word]
    if modifiers == "::i":
        forms = [word.upper(), word.lower(), word]
    elif "f" in modifiers:
        forms = [b" " + word + b" ", b"." + word + b",", b"a" + word + b" ",
                 b" " + word + b"9"]
    if "w" in modifiers:
        forms = [wide(f) for f in forms] + (forms if "a" in modifiers else [])
    return word.hex() + modifiers, forms


def logical_case(rng, name):
    """clamscan wants the last subsignature named in the expression; it is
    one that must be there, or the signature might match all files."""
    logic = expression(rng, rng.choice((2, 3, 4)), 2, 2)
    count = max(int(n) for n in re.findall(r"(?<![=<>,0-9])\d+", logic)) + 2
    logic = "(%s)&%d" % (logic, count - 1)
    bodies = [sub_body(rng) for _ in range(count)]
    pieces = [rng.choice(forms) for _, forms in bodies
              for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    rng.shuffle(pieces)
    data = (b"\x7fELF" + rng.randbytes(20) + b"\1\2".join(pieces)
            + b"\0\0\3\4")
    size = len(data) + rng.choice((0, 0, 0, 1))
    block = rng.choice(("", ",FileSize:%d-%d" % (size, size + 9)))
    return ("ldb", "%s;Engine:51-255,Target:0%s;%s;%s"
            % (name, block, logic, ";".join(b for b, _ in bodies)), data)


def make(rng, count, folder):
    kinds = (body_case, body_case, body_case, text_case, marker_case,
             hash_case, logical_case, logical_case)
    lines = {"ndb": [], "hdb": [], "hsb": [], "ldb": []}
    cases = []
    (folder / "sigs").mkdir()
    (folder / "files").mkdir()
    for i in range(count):
        ext, line, data = rng.choice(kinds)(rng, "Case.%d" % i)
        lines[ext].append(line)
        cases.append(line)
        (folder / "files" / str(i)).write_bytes(data)
    for ext, text in lines.items():
        if text:
            (folder / "sigs" / ("cases." + ext)).write_text(
                "\n".join(text) + "\n")
    return cases


def clamscan(folder):
    run = subprocess.run(
        ["clamscan", "--no-summary", "--allmatch", "-r", "-d",
         str(folder / "sigs"), str(folder / "files")],
        capture_output=True, text=True)
    if run.returncode not in (0, 1):
        sys.exit("Bail out! clamscan: " + run.stderr)
    found = {}
    for line in run.stdout.splitlines():
        path, _, rest = line.rpartition(": ")
        if rest.endswith(" FOUND"):
            name = rest[:-len(" FOUND")].removesuffix(".UNOFFICIAL")
            found.setdefault(pathlib.Path(path).name, set()).add(name)
    return found


def khien(program, folder):
    db = str(folder / "set")
    build = subprocess.run(
        [program, "db", "build", "-o", db, str(folder / "sigs")],
        capture_output=True, text=True)
    if build.returncode != 0 or build.stderr:
        sys.exit("Bail out! khien db build: " + build.stdout + build.stderr)
    run = subprocess.run(
        [program, "scan", "--all", "--json", "--db", db, str(folder / "files")],
        capture_output=True, text=True)
    if run.returncode not in (0, 1):
        sys.exit("Bail out! khien scan: " + run.stderr)
    found = {}
    for line in run.stdout.splitlines():
        row = json.loads(line)
        if row.get("outcome") == "infected":
            found[pathlib.Path(row["path"]).name] = {
                row["name"], *row.get("also", "").split("\n")} - {""}
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--khien", required=True)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    print("# seed", args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        cases = make(rng, args.cases, folder)
        theirs = clamscan(folder)
        ours = khien(args.khien, folder)
    bad = 0
    for i, line in enumerate(cases):
        want, got = theirs.get(str(i), set()), ours.get(str(i), set())
        if got == want:
            continue
        bad += 1
        print("# case %d: clamscan %s, khien %s: %s"
              % (i, sorted(want), sorted(got), line))
    print("# %d of %d cases found by clamscan" % (len(theirs), len(cases)))
    ok = bad == 0 and len(theirs) > len(cases) // 4
    print("%s 1 - %d cases, %d differ" % ("ok" if ok else "not ok",
                                         len(cases), bad))
    print("1..1")
    return 0 if ok else 1


sys.exit(main())
