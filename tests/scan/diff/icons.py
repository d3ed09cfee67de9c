"""Icons of programs (.idb, IconGroup1, IconGroup2): the rules with their
answers, and random families."""
import functools
import itertools
import pathlib
import random
import re
import struct
import subprocess
import tempfile

import programs
from harness import Case
from lines import bent

GROUP_TYPE, ICON_TYPE = 14, 3
DEPTHS = (1, 4, 8, 16, 24, 32)


# ---- icons ------------------------------------------------------------------


def rows_of(values, width, depth):
    """Rows of whole words; the values are pixels, the highest bits first."""
    out = b""
    for at in range(0, len(values), width):
        row = values[at:at + width]
        if depth >= 8:
            data = b"".join(v.to_bytes(depth // 8, "little") for v in row)
        else:
            bits = "".join(format(v, "0%db" % depth) for v in row)
            bits += "0" * (-len(bits) % 8)
            data = int(bits, 2).to_bytes(len(bits) // 8, "big")
        out += programs.padded(data, 4)
    return out


class Icon:
    """A picture of width * height values of `depth` bits, the lowest row
    first; mask: True hides a pixel."""

    def __init__(self, width, height, depth, pixels, palette=(), mask=None,
                 header=None):
        self.width, self.height, self.depth = width, height, depth
        self.pixels, self.palette, self.mask = pixels, palette, mask
        self.header = header or {}

    def data(self):
        h = {"size": 40, "width": self.width, "height": 2 * self.height,
             "depth": self.depth, "packed": 0, "used": 0, **self.header}
        out = struct.pack("<IIIHHIIIIII", h["size"], h["width"], h["height"],
                          1, h["depth"], h["packed"], 0, 0, 0, h["used"], 0)
        out += bytes(max(0, min(h["size"], 200) - 40))
        if self.depth <= 8:
            palette = list(self.palette)
            palette += [0] * ((1 << self.depth) - len(palette))
            out += struct.pack("<%dI" % len(palette), *palette)
        out += rows_of(self.pixels, self.width, self.depth)
        if self.mask is not None:
            out += rows_of([int(m) for m in self.mask], self.width, 1)
        return out


def word_of(red, green, blue, opaque=0):
    return opaque << 24 | red << 16 | green << 8 | blue


def colour(rng, grey):
    if grey:
        v = rng.randrange(256)
        return v, v, v
    return tuple(rng.randrange(256) for _ in range(3))


def canvas(rng, width, height, grey):
    """Pixels of a picture as icons are: forms on a ground."""
    def near(c):
        return tuple(min(255, max(0, v + rng.randrange(-9, 10))) for v in c)
    kind = rng.randrange(8)
    if kind == 0:  # noise
        return [colour(rng, grey) for _ in range(width * height)]
    ground = colour(rng, grey)
    out = [ground] * (width * height)
    if kind == 1 and rng.randrange(3) == 0:  # one colour
        return out
    if kind == 2:  # from one colour to another
        other = colour(rng, grey)
        out = [tuple(a + (b - a) * (x + y) // (width + height)
                     for a, b in zip(ground, other))
               for y in range(height) for x in range(width)]
    for _ in range(rng.randrange(1, 9)):
        ink = colour(rng, grey or rng.randrange(4) == 0)
        x0, y0 = rng.randrange(width), rng.randrange(height)
        w, h = rng.randrange(1, width), rng.randrange(1, height)
        for y in range(y0, min(height, y0 + h)):
            for x in range(x0, min(width, x0 + w)):
                out[y * width + x] = ink
    if kind == 3:
        out = [near(c) for c in out]
    return out


SIDES = (16, 24, 32, 48, 64, 96, 128, 72, 144, 160, 168, 192, 216, 224, 120,
         240, 256)


def size(rng):
    kind = rng.randrange(10)
    if kind < 4:
        side = rng.choice((16, 24, 32))
        return side, side
    if kind < 7:
        side = rng.choice(SIDES[:6] if rng.randrange(3) else SIDES)
        return side, side
    width = rng.randrange(16, 70)
    if kind == 7:
        return width, width
    return width, min(256, max(16, width + rng.randrange(-width // 5,
                                                         width // 5 + 1)))


def random_icon(rng, depth=None):
    width, height = size(rng)
    depth = depth or rng.choice(DEPTHS)
    n = width * height
    picture = canvas(rng, width, height, rng.randrange(3) == 0)
    mask = [rng.randrange(6) == 0 for _ in range(n)] if rng.randrange(3) \
        else [False] * n
    header = {"size": rng.choice((40, 40, 40, 108, 124))}
    if depth <= 8:
        spare = rng.choice((0, 0, 255, None))
        palette = [word_of(*rng.choice(picture),
                           rng.randrange(256) if spare is None else spare)
                   for _ in range(1 << depth)]
        known = {c: rng.randrange(1 << depth) for c in set(picture)}
        return Icon(width, height, depth, [known[c] for c in picture],
                    palette, mask, header)
    if depth == 16:
        pixels = [(r >> 3) << 10 | (g >> 3) << 5 | b >> 3
                  for r, g, b in picture]
    elif depth == 24:
        pixels = [word_of(*c) for c in picture]
    else:
        how = rng.randrange(4)
        if how == 3:
            mask = mask if rng.randrange(2) else None
        pixels = [word_of(*c, (255, rng.randrange(256), 255 if not m else 0,
                               0)[how]) for c, m in zip(picture, mask or
                                                        [False] * n)]
    return Icon(width, height, depth, pixels, (), mask, header)


# ---- programs ---------------------------------------------------------------


def tree(types, address):
    """A resource section at `address`; types are (type, [(name, [(language,
    bytes)])]).  A text is a name; an entry whose data is an int is a leaf, or
    a directory, at that place."""
    out = bytearray()
    later = []

    def directory(rows, level):
        at = len(out)
        named = [r for r in rows if isinstance(r[0], str)]
        rows = named + [r for r in rows if not isinstance(r[0], str)]
        out.extend(struct.pack("<IIHHHH", 0, 0, 0, 0, len(named),
                               len(rows) - len(named)))
        out.extend(bytes(8 * len(rows)))
        for i, (name, below) in enumerate(rows):
            word = name
            if isinstance(name, str):
                word = 0x80000000 | sum(map(ord, name))
            if isinstance(below, int):
                child = below
            elif level < 2:
                child = 0x80000000 | directory(below, level + 1)
            else:
                child = len(out)
                later.append((child, below))
                out.extend(bytes(16))
            struct.pack_into("<II", out, at + 16 + 8 * i, word, child)
        return at
    directory(types, 0)
    for at, data in later:
        out.extend(bytes(-len(out) % 4))
        rva, length = address + len(out), len(data)
        if isinstance(data, tuple):  # bytes, what is told instead
            data, told = data
            rva, length = told.get("rva", rva), told.get("size", len(data))
        struct.pack_into("<IIII", out, at, rva, length, 0, 0)
        out.extend(data)
    return bytes(out)


def group_of(ids, count=None):
    """The resource that names icons."""
    head = struct.pack("<HHH", 0, 1, len(ids) if count is None else count)
    return head + b"".join(struct.pack("<BBBBHHIH", 32, 32, 0, 0, 1, 32, 0,
                                       i & 0xffff) for i in ids)


def simple(icons):
    """One group of all of them."""
    ids = range(1, len(icons) + 1)
    return [(ICON_TYPE, [(i, [(0x409, icon)]) for i, icon in
                         zip(ids, icons)]),
            (GROUP_TYPE, [(1, [(0x409, group_of(ids))])])]


def program(types, body=b"", dll=False, plus=False, dirs=None):
    """A program with these resources, and a body in another section."""
    code = bytes(16) + body + b"\2" * (64 - len(body) % 64)
    data = tree(types, 0x2000)
    out = programs.pe(None, [code, data], 0, 16, plus, {
        2: (0x2000, len(data)), **(dirs or {})}).data
    flags = 0x80 + 4 + 18
    out = bytearray(out)
    out[flags + 1] = 0x21 if dll else 1
    return bytes(out)


# ---- what clamscan says of them ---------------------------------------------

GREY = "10" + "0000000" * 6 + "000000" * 12 + "00000000"
PRINT = re.compile(r"IDB SIGNATURE: ICON_NAME:GROUP1:GROUP2:([0-9a-f]*)")


def prints(data):
    """The hashes of the icons that clamscan looks at, from first to last."""
    with tempfile.TemporaryDirectory(prefix="khien-icons-") as name:
        folder = pathlib.Path(name)
        (folder / "a.idb").write_text("a:none:none:" + GREY + "\n")
        (folder / "a.ldb").write_text("Asks;Engine:51-255,Target:1,"
                                      "IconGroup1:none;0;4d5a\n")
        (folder / "file").write_bytes(data)
        run = subprocess.run(
            ["clamscan", "--debug", "--no-summary", "--disable-cache",
             "-d", "a.idb", "-d", "a.ldb", "file"], cwd=folder,
            capture_output=True, text=True, errors="replace")
    return PRINT.findall(run.stdout + run.stderr)


# ---- lines ------------------------------------------------------------------

# Digits of a value, the most it may be, how many areas.
LISTS = ((3, 4072, 6), (2, 255, 12))


class Line:
    """A hash as numbers."""

    def __init__(self, text):
        self.side, at = int(text[:2], 16), 2
        self.areas = []
        for digits, _, count in LISTS:
            for _ in range(count):
                self.areas.append([int(text[at:at + digits], 16)] + [
                    int(text[at + digits + i:at + digits + i + 2], 16)
                    for i in (0, 2)])
                at += digits + 4
        self.shares = list(bytes.fromhex(text[at:]))

    def text(self):
        """As near as a line may be."""
        side = min(self.side // 8 * 8, 32)
        far, out, areas = side - side // 8, "%02x" % side, iter(self.areas)
        for digits, most, count in LISTS:
            for _ in range(count):
                value, x, y = next(areas)
                out += "%0*x%02x%02x" % (
                    digits, min(max(value, 0), most),
                    *(min(max(v, 0), far) for v in (x, y)))
        return out + "%02x%02x%02x%02x" % tuple(self.shares)

    def altered(self, rng):
        """More or less another one."""
        out = Line(self.text())
        much = rng.choice((0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1))
        reach = rng.choice((1, 3, 5, 8))
        span = rng.choice((10, 51, 52, 60, 200))
        for i, area in enumerate(out.areas):
            if rng.random() < much:
                area[0] += rng.randrange(-span, span + 1) * (
                    16 if i < 6 else 1)
            if rng.random() < much:
                area[1] += rng.randrange(-reach, reach + 1)
                area[2] += rng.randrange(-reach, reach + 1)
        if rng.random() < 0.3:
            i = rng.randrange(0, 18, 3)
            three = out.areas[i:i + 3]
            rng.shuffle(three)
            out.areas[i:i + 3] = three
        if rng.random() < 0.4:
            out.shares = [min(max(v + rng.randrange(-12, 13), 0), 33 if i < 3
                              else 100) for i, v in enumerate(out.shares)]
        if rng.random() < 0.1:
            out.shares[3] = rng.choice((0, 0, 1, 5, 6))
        if rng.random() < 0.05:
            out.side = rng.choice((16, 24, 32))
        return out.text()


def asks(name, word, *groups):
    """A signature of a word and an icon of these groups; None: any."""
    keys = "".join(",IconGroup%d:%s" % (i + 1, g)
                   for i, g in enumerate(groups) if g is not None)
    return "ldb", "%s;Engine:51-255,Target:1%s;0;%s" % (name, keys, word.hex())


# ---- rules ------------------------------------------------------------------


@functools.lru_cache(None)
def known():
    """Icons, and their hashes."""
    rng = random.Random(7)
    some = []
    while len(some) < 8:
        icon = random_icon(rng, DEPTHS[len(some) % 6]).data()
        found = prints(program(simple([icon])))
        if found and all(found[0] != text for _, text in some):
            some.append((icon, found[0]))
    return [(icon, Line(text).text()) for icon, text in some]


def group_rows(row):
    """Each a line, or two, of groups, and what asks for them."""
    (one, hash1), (two, hash2) = known()[:2]
    for i, (groups, asked, good) in enumerate((
            ("a:b", ("a", None), 1), ("a:b", (None, "b"), 1),
            ("a:b", ("a", "b"), 1), ("a:b", ("a", "a"), 0),
            ("a:b", ("b", "a"), 0), ("a:b", ("A", None), 0),
            ("a:b", ("*", None), 1), ("a:b", ("*", "*"), 1),
            ("a:b", ("a", "*"), 1), ("a:b", ("*", "c"), 0),
            ("*:b", ("*", "b"), 1), ("*:b", ("c", "b"), 0),
            (":b", ("", "b"), 1), ("a:b", ("", "b"), 0),
            ("a:b", ("a:b", None), 0), ("a b:c d", ("a b", "c d"), 1))):
        word = b"groupword%d" % i
        groups = ":".join("@" + g if g not in ("", "*") else g
                          for g in groups.split(":"))
        asked = ["@" + g if g not in ("", "*", None) else g for g in asked]
        file = program(simple([one]), word)
        row("icon of %s, asked for %s" % (groups, asked), *asks(
            "@", word, *asked), [file] if good else [],
            [program(simple([two]))] + ([] if good else [file]),
            more=[("idb", "i:%s:%s" % (groups, hash1))])
    word = b"pairword"
    both = program(simple([one, two]), word)
    row("groups of two lines are no pair", *asks("@", word, "@g1", "@h2"),
        [], [both], more=[("idb", "i:@g1:@h1:" + hash1),
                          ("idb", "i:@g2:@h2:" + hash2)])
    row("the name of an icon is ignored", *asks("@", word, "@g1"), [],
        [both], more=[("idb", "@icon:@g1:@h1:" + hash1), ("ign2", "@icon")])
    row("hex in capitals, no name", *asks("@", word, "@g1"), [both],
        more=[("idb", ":@g1:@h1:" + hash1.upper())])
    row("the word must be there", *asks("@", b"noword", "@g1"), [], [both],
        more=[("idb", "i:@g1:@h1:" + hash1)])


def tree_rows(row):
    """Which of two icons are looked at: a set of 1 and 2."""
    (one, hash1), (two, hash2) = known()[:2]

    def icons(*rows):
        return [(ICON_TYPE, list(rows))]

    def groups(*rows):
        return [(GROUP_TYPE, list(rows))]
    both = icons((1, [(0, one)]), (2, [(0, two)]))
    bad = 0x7fffff
    for i, (types, want, more) in enumerate((
            (both + groups((1, [(0, group_of([1, 2]))])), {1, 2}, {}),
            (both + groups((1, [(0, group_of([1]))])), {1}, {}),
            (both + groups((1, [(0, group_of([1]))]),
                           (2, [(0, group_of([2]))])), {1}, {}),
            (both + groups((1, [(0, group_of([1]))]),
                           ("x", [(0, group_of([2]))])), {2}, {}),
            (both + groups((1, [(0, group_of([1])),
                                (7, group_of([2]))])), {1, 2}, {}),
            (both + groups((1, [(0, group_of([1]))]),
                           (1, [(0, group_of([2]))])), {1, 2}, {}),
            (both + groups((1, [(0, group_of([0xffff]))])), {1, 2}, {}),
            (icons((0x8001, [(0, one)]), (0xffff8001, [(0, two)])) +
             groups((1, [(0, group_of([0x8001]))])), set(), {}),
            (both + groups((1, [(0, group_of([1, 2], 1))])), {1}, {}),
            (both + groups((1, [(0, group_of([1, 2], 0))])), set(), {}),
            (both + groups((1, [(0, group_of([1, 2], 0xffff))])), {1, 2}, {}),
            (both + groups((1, [(0, group_of([1] * 99 + [2]))])), {1, 2}, {}),
            (both + groups((1, [(0, group_of([9] * 100 + [2]))])), set(), {}),
            (icons((1, [(0, one), (3, two)])) +
             groups((1, [(0, group_of([1]))])), {1, 2}, {}),
            (icons((1, [(0, one)])) + icons((2, [(0, two)])) +
             groups((1, [(0, group_of([1, 2]))])), {1}, {}),
            (icons((1, 0x80ffffff), (1, [(0, one)]), (2, [(0, two)])) +
             groups((1, [(0, group_of([1, 2]))])), {2}, {}),
            (both + groups((1, [(0, bad), (1, group_of([1]))])), {1}, {}),
            (both + groups((1, [(0, bad)]), (2, [(1, group_of([1]))])), set(),
             {}),
            (both + groups((1, [(0, (group_of([1]), {"size": 6})),
                                (1, group_of([2]))])), {2}, {}),
            (both + groups((1, [(0, (group_of([1, 2]), {"size": 33}))])), {1},
             {}),
            (icons((1, [(0, (one, {"size": 0}))]), (2, [(0, (two, {
                "rva": 0x7fffffff}))])) + groups((1, [(0, group_of([1, 2]))])),
             {1}, {}),
            (simple([one]), set(), {"dll": True}),
            (simple([one]), {1}, {"plus": True}),
            (simple([one]), {1}, {"dirs": {2: (0x2000, 1)}}),
            (simple([one]), set(), {"dirs": {2: (0x2000, 0)}}))):
        word = b"treeword%02d" % i
        file = program(types, word, **more)
        for number, text in ((1, hash1), (2, hash2)):
            good = number in want
            row("icon %d of tree %d" % (number, i), *asks(
                "@", word, "@g"), [file] if good else [],
                [] if good else [file], more=[("idb", "i:@g:@h:" + text)])


def picture_rows(row):
    """Icons that can be read, and that cannot."""
    rng = random.Random(8)
    picture = canvas(rng, 32, 32, False)
    clear = [False] * len(picture)
    pixels = [word_of(*c) for c in picture]
    opaque = [word_of(*c, 255) for c in picture]

    def icon(bits=24, values=pixels, mask=clear, **header):
        return Icon(32, 32, bits, values, (), mask, header).data()
    text = prints(program(simple([icon()])))[0]
    for i, (data, good) in enumerate((
            (icon(), 1), (icon(size=39), 0), (icon(size=108), 1),
            (icon(packed=3, used=7), 1), (icon(height=65), 1),
            (icon(height=0xffffffc0), 0), (icon(width=15), 0),
            (icon(width=257), 0), (icon(depth=23), 0),
            (icon(32, opaque, None), 1), (icon(32, opaque), 1),
            (icon(32, pixels), 1), (icon(32, pixels, [True] * 1024), 0),
            (icon(depth=2), 0), (b"\x89PNG\r\n\x1a\n" + icon(), 0))):
        word = b"pictureword%02d" % i
        file = program(simple([data + bytes(4096)]), word)
        row("picture %d" % i, *asks("@", word, "@g"),
            [file] if good else [], [] if good else [file],
            more=[("idb", "i:@g:@h:" + text)])


def version_rows(row):
    """The same tree holds what VI looks for."""
    strings = [("ProductName", "x"), ("CompanyName", "Evil"), ("Lang", "vi")]
    version = programs.version(strings, 0)[3 * 24 + 16:]
    for i, (types, good) in enumerate((
            ([(16, [(1, [(9, version)])])], 1),
            ([(16, [(1, 8), (2, [(9, version)])])], 1),
            ([(16, [(1, [(1, 0x7fffff)]), (2, [(9, version)])])], 1),
            ([(16, [(1, 0x80ffffff), (2, [(9, version)])])], 0),
            ([(16, 8), (16, [("x", [(9, version)])])], 1),
            ([(16, []), (16, [("x", [(9, version)])])], 0))):
        data = tree(types, 0x2000)
        file = programs.pe(None, [b"\1" * 99, data],
                           dirs={2: (0x2000, len(data))}).data
        row("version in tree %d" % i, "ndb", "@:1:VI:" + programs.wide(
            "CompanyName").hex(), [file] if good else [],
            [] if good else [file])


def refused():
    good = known()[0][1]
    far = {16: "0f", 24: "16", 32: "1d"}[int(good[:2], 16)]
    lines = ["@:a:b:" + text for text in (
        good[:-1], good + " ", good + "0", "g" + good[1:], "11" + good[2:],
        good[:2] + "fe9" + good[5:], good[:5] + far + good[7:],
        good[:44] + "ff" + far + good[48:], good[:-8] + "40282000",
        good[:-2] + "65")]
    lines += ["@:a:" + good, "@:a:b:c:" + good, "@"]
    block = "@;Engine:51-255,%s;0;4d5a"
    return [("idb", line) for line in lines] + [
        ("ldb", block % keys) for keys in (
            "IconGroup1:a,Target:0", "Target:2,IconGroup1:a",
            "IconGroup2:a", "Target:1,IconGroup1")]


# Taken here: the order of keys, as elsewhere.
TAKEN = [("ldb", "@;Target:1,Engine:51-255,IconGroup1:a;0;4d5a"),
         ("ldb", "@;Target:1,IconGroup1:a;0;4d5a"),
         ("ldb", "@;Engine:50-255,Target:1,IconGroup1:a;0;4d5a")]


def rows(row):
    group_rows(row)
    tree_rows(row)
    picture_rows(row)
    version_rows(row)


# ---- at random --------------------------------------------------------------


def spoilt(rng, icon):
    """An icon whose header says something else."""
    data = bytearray(icon)
    at, width = rng.choice(((0, 4), (4, 4), (8, 4), (14, 2), (16, 4), (32, 4)))
    value = rng.choice((0, 1, 16, 24, 32, 40, 41, 108, 0xffffffff, 0x80000000,
                        rng.randrange(1 << 16)))
    data[at:at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width,
                                                                   "little")
    return bytes(data)


def icons(rng, name):
    """A program with a few icons, and lines more or less like them."""
    word = b"word of %s." % name.encode()
    some = [random_icon(rng).data() for _ in range(rng.randrange(1, 5))]
    seen = [Line(text) for text in prints(program(simple(some)))]
    if rng.randrange(4) == 0:
        some = [spoilt(rng, i) if rng.randrange(2) else i for i in some]
    file = program(simple(some), word)
    if rng.randrange(8) == 0:  # the last icon is not all there
        file = file[:len(file) - rng.randrange(3000)]
    lines = []
    for i in range(12 if seen else 0):
        lines.append(("idb", "%s:%s:h%d:%s" % (
            name, name, i, rng.choice(seen).altered(rng))))
        lines.append(asks("%s.%d" % (name, i), word, name, "h%d" % i))
    lines.append(asks(name + ".all", word, name))
    lines.append(asks(name + ".any", word, "*", rng.choice(("h1", "h2", "*"))))
    return Case(lines, [file])


def icon_trees(rng, name):
    """Resources in disorder: which of the icons are looked at."""
    word = b"word of %s." % name.encode()
    some = rng.sample(known(), 5)
    number = itertools.count(1)

    def leaf(data):
        kind = rng.randrange(20)
        if kind == 0:
            return rng.choice((8, 0x80000010, 0x7fffff))
        if kind == 1:
            return data, {"size": rng.choice((0, 6, 7, 20, 21, 1 << 20))}
        if kind == 2:
            return data, {"rva": 0x7fffffff}
        return data

    def languages(rows):
        return [(rng.choice((0, 9, 0x409, "en")), leaf(d)) for d in rows]

    def names(rows):
        rows = [(rng.choice((next(number), 1, "x", 0xffff8001))
                 if rng.randrange(5) == 0 else i + 1, row)
                for i, row in enumerate(rows)]
        if rng.randrange(6) == 0:
            rows.insert(rng.randrange(len(rows) + 1), (
                rng.randrange(3), rng.choice((8, 0x80ffffff))))
        return rows

    def ids():
        return [rng.choice((1, 2, 3, 4, 5, 5, 7, 0xffff, 0x8001))
                for _ in range(rng.choice((0, 1, 2, 3, 3, 98)))]
    icon_rows = names([languages([data] + [some[0][0]] * (
        rng.randrange(5) == 0)) for data, _ in some])
    group_rows_ = names([languages([group_of(
        ids(), rng.choice((None, None, None, 1, 0x8000))) for _ in range(
            rng.choice((1, 1, 2, 3)))]) for _ in range(rng.choice((1, 2, 3)))])
    types = [(ICON_TYPE, icon_rows), (GROUP_TYPE, group_rows_)]
    if rng.randrange(5) == 0:
        types.insert(rng.randrange(3), (rng.choice((
            ICON_TYPE, GROUP_TYPE, "x", 16)), rng.choice((
                8, 0x80ffffff, icon_rows[:1]))))
    lines = []
    for i, (_, text) in enumerate(some):
        lines.append(("idb", "%s:%s:h%d:%s" % (name, name, i, text)))
        lines.append(asks("%s.%d" % (name, i), word, name, "h%d" % i))
    file = program(types, word, rng.randrange(20) == 0, rng.randrange(2))
    if rng.randrange(8) == 0:
        file = file[:len(file) - rng.randrange(3000)]
    return Case(lines, [file])


def bent_icon(rng, name):
    """A line, or a block, that is not quite right."""
    icon, text = rng.choice(known())
    word = b"word of %s." % name.encode()
    line = "i:g:h:" + text
    keys = "Engine:51-255,Target:1,IconGroup1:g,IconGroup2:h"
    if rng.randrange(3):
        at = rng.choice((0, rng.randrange(len(line) - 1)))
        line = line[:at] + bent(rng, line[at:at + 9]) + line[at + 9:]
    else:
        keys = bent(rng, keys)
    return Case([("idb", line), ("ldb", "%s;%s;0;%s" % (
        name, keys, word.hex()))], [program(simple([icon]), word)])


FAMILIES = (icons, icon_trees)
ALONE = (bent_icon,)
