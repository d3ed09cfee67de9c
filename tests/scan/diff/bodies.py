"""Families of bodies: what they are of, where they are, how often."""
from harness import BINARY, one

ALNUM = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
EDGES = b" \n\r.-/<=>@_'\"ab1\x80"


def wide(data):
    return b"".join(bytes([c, 0]) for c in data)


def word_of(rng, n, letters=b"abcdefghijkXYZ0189"):
    return bytes(rng.choice(letters) for _ in range(n))


class Body:
    """A body signature as a list of (text, bytes that match)."""

    def __init__(self, rng, parts=None):
        self.rng = rng
        self.items = []
        self.has_unequal = False
        self.unequal_left = 4  # each triples the patterns; 256 is the limit
        for part in range(parts or rng.choice((1, 1, 1, 2, 2, 3))):
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
        low, high = sorted(self.rng.sample(range(1, 40), 2))
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


def maybe_mutated(rng, data, chance=0.4):
    return mutate(rng, data) if rng.random() < chance else data


def place(rng, before, after):
    """An offset that is, or is not quite, `before` bytes from the start."""
    slack = rng.randint(0, 3)
    return rng.choice((
        str(before), str(before + rng.choice((-1, 1))),
        "%d,%d" % (max(before - slack, 0), rng.randint(1, 4)),
        "EOF-%d" % after, "EOF-%d" % (after + rng.choice((-1, 1))),
        "EOF-%d,%d" % (after + slack, rng.randint(1, 4))))


def bodies(rng, name):
    """Everything that a body may contain, anywhere or at a place."""
    body = Body(rng)
    data = maybe_mutated(rng, body.bytes())
    head = BINARY + rng.randbytes(rng.randint(0, 300))
    tail = rng.randbytes(rng.choice((2, 40) if body.has_unequal
                                    else (0, 1, 40)))
    offset = "*"
    if rng.random() < 0.4:
        offset = place(rng, len(head), len(data) + len(tail))
    return one("ndb", "%s:0:%s:%s" % (name, offset, body.text()),
               head + data + tail)


def old_bodies(rng, name):
    body = Body(rng)
    return one("db", name + "=" + body.text(), BINARY + rng.randbytes(40)
               + maybe_mutated(rng, body.bytes()) + b"\1\2")


def text(rng, name):
    """Words in normalised text (target 7), or in the raw text (target 0)."""
    words = ["".join(rng.choice("abcdefghijklmnop") for _ in range(6))
             for _ in range(30)]
    at = rng.randrange(20)
    want = " ".join(words[at:at + 3])
    raw = words[:]
    for i in range(at, at + 3):
        if rng.random() < 0.5:
            raw[i] = raw[i].upper()
    data = "text: " + rng.choice((" ", "  ", "\n", "\t ")).join(raw) + "\n"
    if rng.random() < 0.3:
        want = want.upper()
    code = rng.choice(("ascii", "ascii", "ascii", "utf-16", "utf-16-be"))
    return one("ndb", "%s:%s:*:%s" % (name, rng.choice("07"),
                                      want.encode().hex()),
               data.encode(code))


def page(rng, words):
    """A web page of words, some in tags and scripts; each in capitals now
    and then."""
    def say(w):
        return rng.choice((w, w, w.upper(), w.capitalize()))

    forms = (
        lambda a, b: "<p>%s %s</p>" % (a, b),
        lambda a, b: "<b>%s</b>%s" % (a, b),
        lambda a, b: "%s\n  %s" % (a, b),
        lambda a, b: "<div class=\"%s\" id='%s'>" % (a, b),
        lambda a, b: "<A HREF = %s TITLE=\"%s\">" % (a, b),
        lambda a, b: "<!-- %s %s -->" % (a, b),
        lambda a, b: "%s&nbsp;%s &amp; &#65;&#x42;" % (a, b),
        lambda a, b: "<script>var %s = \"%s\"; // x\n</script>" % (a, b),
        lambda a, b: "<style>%s { color: %s }</style>" % (a, b),
        lambda a, b: "<iframe src=%s width=1><br/>%s" % (a, b))
    rows = [rng.choice(forms)(say(rng.choice(words)), say(rng.choice(words)))
            for _ in range(rng.randint(2, 9))]
    return "<html>\n<head><title>t</title></head>\n<body>\n%s\n</body></html>" \
        % rng.choice(("", "\n", " ")).join(rows)


def pages(rng, name):
    """What is found in the normalised forms of web pages."""
    words = [word_of(rng, 7, b"abcdefgh").decode() for _ in range(5)]
    data = page(rng, words)
    low = data.lower()
    word = rng.choice(words)
    at = low.find(word)
    want = word
    if at >= 0 and rng.random() < 0.6:
        first = max(at - rng.randint(0, 9), 0)
        want = low[first:at + len(word) + rng.randint(0, 9)]
    target, data = rng.choice("0337"), data.encode()
    if rng.random() < 0.2:  # browsers do not mind
        at = rng.randrange(len(data))
        target, data = "3", data[:at] + b"\0" + data[at:] + b"\0"
    return one("ndb", "%s:%s:*:%s" % (name, target, want.encode().hex()),
               data)


def edge_of(rng):
    return rng.choice((b"", b"\r\n", b"\n\r") + tuple(
        bytes([c]) for c in EDGES))


def markers(rng, name):
    """At either edge, at the start or the end of the file too."""
    marker = rng.choice("BLW")
    mark = "(" + marker + ")"
    word = word_of(rng, 8, ALNUM)
    edge = edge_of(rng)
    fill = rng.choice((b"", b"\1" * 20))
    if rng.random() < 0.5:
        return one("ndb", "%s:0:*:%s%s" % (name, mark, word.hex()),
                   fill + edge + word + b"\1\2" * 20 + BINARY)
    if marker != "L" and rng.random() < 0.2:  # on the left it crashes there
        mark = "!" + mark
    return one("ndb", "%s:0:*:%s%s" % (name, word.hex(), mark),
               BINARY + b"\1\2" * 20 + word + edge + fill)


def inner_markers(rng, name):
    """Inside a body a marker takes bytes."""
    marker = rng.choice("LW")
    left, right = word_of(rng, 6, ALNUM), word_of(rng, 6, ALNUM)
    return one("ndb", "%s:0:*:%s(%s)%s"
               % (name, left.hex(), marker, right.hex()),
               BINARY + b"\1\2" * 9 + left + edge_of(rng) + right
               + b"\1\2" * 9)


def jumps(rng, name):
    """One byte on one side of [n-m]."""
    low = rng.randint(1, 8)
    high = low + rng.randint(0, 8)
    word, single = rng.randbytes(rng.randint(3, 8)), rng.randbytes(1)
    n = rng.choice((low, high, rng.randint(low, high), low - 1, high + 1))
    between = bytes(rng.choice([c for c in range(256) if c != single[0]])
                    for _ in range(n))
    jump = "[%d-%d]" % (low, high)
    if rng.random() < 0.5:
        sig, data = word.hex() + jump + single.hex(), word + between + single
    else:
        sig, data = single.hex() + jump + word.hex(), single + between + word
    if rng.random() < 0.3:
        far = rng.randbytes(4)
        sig, data = sig + "*" + far.hex(), data + rng.randbytes(9) + far
    return one("ndb", "%s:0:*:%s" % (name, sig),
               BINARY + bytes(30) + data + bytes(30))


def counts(rng, name):
    """How often a body counts, of few letters so that matches overlap."""
    letters = b"AB"
    data = word_of(rng, rng.randint(4, 24), letters)
    sig = word_of(rng, rng.randint(2, 4), letters).hex()
    kind = rng.randrange(4)
    if kind == 1:
        sig += "*" + word_of(rng, rng.randint(2, 3), letters).hex()
    elif kind == 2:
        sig += "{%d-%d}%s" % (*sorted(rng.sample(range(1, 6), 2)),
                              word_of(rng, 2, letters).hex())
    elif kind == 3:
        sig += "??" + word_of(rng, 1, letters).hex()
    test = rng.choice(("=", ">", "<")) + str(rng.randint(0, 5))
    return one("ldb", "%s;Engine:51-255,Target:0;0%s&1;%s;43434343"
               % (name, test, sig), BINARY + b"CCCC" + data + b"\1\2")


def modified(rng, name):
    """The modifiers of subsignatures, with gaps and wild bytes."""
    left, right = word_of(rng, rng.randint(4, 9)), word_of(rng, 5)
    middle = rng.choice(("", "", "??", "*", "{1-4}"))
    flags = "".join(rng.sample("iwaf", rng.randint(0, 3)))
    fill = b"\1" * {"": 0, "??": 1, "*": 7, "{1-4}": 2}[middle]
    sig = left.hex() + (middle + right.hex() if middle else "")
    data = left + fill + (right if middle else b"")
    if "i" in flags or rng.random() < 0.3:
        data = rng.choice((data, data.upper(), data.lower()))
    around = rng.choice((b" ", b".", b"a", b"9", b"\x80", b"_"))
    data = around + data + rng.choice((b" ", b"a", b"\n", b"\0"))
    if "w" in flags and rng.random() < 0.8:
        data = wide(data)
    block = "Engine:51-255,Target:0"
    offset = rng.choice(("", "", "", "*:"))
    return one("ldb", "%s;%s;0;%s%s::%s"
               % (name, block, offset, sig, flags) if flags else
               "%s;%s;0;%s%s" % (name, block, offset, sig),
               BINARY + b"\1\2" * 9 + data + b"\1\2\3")


def hash_of_levels(rng):
    low = rng.choice(("", "0", "51", "215", "216", "300"))
    return low, rng.choice((None, None, "100", "200", "255"))


def levels(rng, name):
    """Signatures for other levels of the engine."""
    word = word_of(rng, 9)
    low, high = hash_of_levels(rng)
    data = BINARY + bytes(9) + word + bytes(9)
    if rng.random() < 0.5:
        tail = ":" + low + ("" if high is None else ":" + high)
        if high is None and low == "":
            tail = ""
        return one("ndb", "%s:0:*:%s%s" % (name, word.hex(), tail), data)
    return one("ldb", "%s;Engine:%d-%s,Target:0;0;%s" % (
        name, max(int(low or 51), 51), high or "255", word.hex()), data)


FAMILIES = (bodies, old_bodies, text, pages, markers, inner_markers, jumps,
            counts, modified, levels)
