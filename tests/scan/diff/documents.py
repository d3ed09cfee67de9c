"""Compound files and workbooks, and formulas of macro sheets as text."""
import struct
import zlib

from archives import zip_of
from harness import one

NONE, END, TABLE = 0xffffffff, 0xfffffffe, 0xfffffffd
SECTOR, SMALL = 512, 64


# ---- compound files ---------------------------------------------------------


def cut(data, unit):
    return data.ljust(-(-len(data) // unit) * unit, b"\0")


class Compound:
    """Each stream stands in one piece; siblings hang in a line."""

    def __init__(self, streams):
        self.rows = [["Root Entry", 5, [], END, 0]]
        self.fat, self.body = [], b""
        small, chains = b"", []
        for path, data in streams:
            row = self.row(path)
            row[4] = len(data)
            if 0 < len(data) < 4096:
                row[3] = len(chains)
                self.chain(chains, -(-len(data) // SMALL))
                small += cut(data, SMALL)
            elif data:
                row[3] = self.put(data)
        self.rows[0][3:] = [self.put(small), len(small)]
        self.chains = self.put(struct.pack("<%dI" % len(chains), *chains)
                               + b"\xff" * (-4 * len(chains) % SECTOR))
        self.directory = self.put(b"".join(
            self.entry(i) for i in range(len(self.rows))))

    def row(self, path):
        at = 0
        names = path.split("/")
        for depth, name in enumerate(names):
            last = depth == len(names) - 1
            known = [i for i in self.rows[at][2] if self.rows[i][0] == name]
            if not known:
                self.rows.append([name, 2 if last else 1, [], END, 0])
                known = [len(self.rows) - 1]
                self.rows[at][2] += known
            at = known[0]
        return self.rows[at]

    @staticmethod
    def chain(table, n):
        at = len(table)
        table += [*range(at + 1, at + n), END] if n else []
        return at if n else END

    def put(self, data):
        self.body += cut(data, SECTOR)
        return self.chain(self.fat, -(-len(data) // SECTOR))

    def entry(self, i):
        name, kind, children, start, size = self.rows[i]
        lines = [r[2] for r in self.rows if i in r[2]]
        right = [b for line in lines for a, b in zip(line, line[1:])
                 if a == i]
        text = name.encode("utf-16-le")
        return cut(text, 64) + struct.pack(
            "<HBBIII", len(text) + 2, kind, 1, NONE, (right + [NONE])[0],
            (children + [NONE])[0]) + bytes(36) + struct.pack(
                "<IQ", start, size)

    def file(self):
        """The table of sectors comes last."""
        n, tables = len(self.fat), 1
        while tables * SECTOR // 4 < n + tables:
            tables += 1
        table = self.fat + [TABLE] * tables
        head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack(
            "<HHHHH", 0x3e, 3, 0xfffe, 9, 6) + bytes(6)
        head += struct.pack("<IIIIIIIII", 0, tables, self.directory, 0, 4096,
                            self.chains, self.chains != END, END, 0)
        places = [*range(n, n + tables)]
        return head + struct.pack(
            "<109I", *places, *[NONE] * (109 - tables)) + self.body \
            + struct.pack("<%dI" % len(table), *table).ljust(
                tables * SECTOR, b"\xff")


def compound_of(streams):
    """Of [("Storage/Stream", bytes)]."""
    return Compound(streams).file()


ALPHABET = ("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
            "abcdefghijklmnopqrstuvwxyz._")


def installer_name(text):
    """As Windows Installer packs it: two letters in each unit."""
    numbers = [ALPHABET.index(c) for c in text]
    pairs = zip(numbers[::2], numbers[1::2])
    last = chr(0x4800 + numbers[-1]) if len(text) % 2 else ""
    return "".join(chr(0x3800 + a + (b << 6)) for a, b in pairs) + last


def message_of(data, packed=None):
    """A mail whose body are these bytes, each for itself, or packed ones."""
    if packed is None:
        packed = b"".join(b"\0" + data[i:i + 8]
                          for i in range(0, len(data), 8))
    head = struct.pack("<II4sI", len(packed) + 12, len(data), b"LZFu", 0)
    return compound_of([("__properties_version1.0", bytes(32)),
                        ("__substg1.0_10090102", head + packed)])


def raw_deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def hangul_of(data, name="BodyText/Section0", flags=1, packed=None):
    """A document of Hangul 5 with the data, deflated, in a stream."""
    head = b"HWP Document File".ljust(32, b"\0") + struct.pack(
        "<II", 0x5000300, flags) + bytes(216)
    return compound_of([("FileHeader", head), (
        name, raw_deflate(data) if packed is None else packed)])


# ---- workbooks --------------------------------------------------------------


def record(kind, data=b""):
    return struct.pack("<HH", kind, len(data)) + data


def begin(kind):
    return record(0x809, struct.pack("<HHHHII", 0x600, kind, 0, 0, 0, 0))


def formula(row, tokens):
    return record(6, struct.pack("<HHH", row, 0, 15) + bytes(8)
                  + struct.pack("<HIH", 0, 0, len(tokens)) + tokens)


def workbook_of(formulas, kind=1, names=b""):
    """Tokens of formulas, one in each row of a sheet of this kind.  Of the
    text clamscan sees only whole blocks of 4 KiB: more of it follows."""
    cells = b"".join(formula(i, f) for i, f in enumerate(formulas))
    sheet = begin(0x40 if kind == 1 else 0x10) + cells \
        + record(12, b"\1\0") * 200 + record(10)
    bound = record(0x85, struct.pack("<IBBBB", 0, 0, kind, 1, 0) + b"M")
    return compound_of([("Workbook", begin(5) + bound + names + record(10)
                         + sheet)])


def wide(text):
    return b"\x17" + bytes([len(text), 1]) + text.encode("utf-16-le")


def call(number, given=1):
    return struct.pack("<BBH", 0x42, given, number)


# ---- binary workbooks -------------------------------------------------------


def record12(kind, data=b""):
    """Seven bits in each byte."""
    head = bytes([kind]) if kind < 128 else \
        struct.pack("<BB", kind & 127 | 128, kind >> 7)
    return head + struct.pack("<BBBB", *(
        len(data) >> shift & 127 | (128 if shift < 21 else 0)
        for shift in (0, 7, 14, 21))) + data


def sheet12_of(formulas):
    cells = b"".join(record12(10, bytes(8) + struct.pack(
        "<BHI", 0, 0, len(f)) + f + bytes(4)) for f in formulas)
    return record12(129) + record12(0, bytes(17)) + cells + record12(130)


def binary_workbook_of(formulas):
    """The parts that are looked at, no more."""
    return zip_of([("[Content_Types].xml", b"<Types/>"),
                   ("xl/workbook.bin", record12(131) + record12(132)),
                   ("xl/macrosheets/sheet1.bin", sheet12_of(formulas))])


def wide12(text):
    return struct.pack("<BH", 0x17, len(text)) + text.encode("utf-16-le")


AUTO_OPEN = record(0x18, struct.pack("<HBBHHH", 0x20, 0, 1, 7, 0, 1)
                   + bytes(4) + b"\0\1\x3a" + bytes(6))
EXEC, HALT, CALL = 110, 54, 150

# ---- random formulas --------------------------------------------------------

FUNCTIONS = {1: "IF", 54: "HALT", 55: "RETURN", 96: "RESULT", 110: "EXEC",
             111: "CHAR", 257: "EVALUATE", 267: "REGISTER.ID",
             0x8006: "FILE.DELETE", 0x8011: "RUN", 0x8060: "FORMULA",
             0x8076: "ALERT"}
PLAIN = {3: "Add", 4: "Sub", 5: "Mul", 6: "Div", 8: "Concat", 9: "LT",
         0xb: "EQ", 0xd: "GT", 0xe: "NE", 0x11: "Range", 0x16: "MissArg"}


def token(rng):
    """(bytes, words): of those that clamscan reads, and no number with bit 7
    in its low byte, which it takes for a negative one."""
    kind, n = rng.randrange(8), rng.randrange(128)
    if kind == 0:
        row, column = rng.randrange(128), rng.randrange(128)
        return struct.pack("<BHH", 0x44, row, column), \
            " ptgRefV R%dC%d" % (row + 1, column + 1)
    if kind == 1:
        number = rng.choice(list(FUNCTIONS))
        return call(number, n), " ptgFuncVarV args %d func %s (0x%04x)" % (
            n, FUNCTIONS[number], number)
    if kind == 2:
        text = "".join(rng.choice("abc.:/ \u1ed1") for _ in range(1 + n % 20))
        return wide(text), " ptgStr" + text
    if kind == 3:
        return struct.pack("<Bd", 0x1f, n / 4), " ptgNum %f" % (n / 4)
    if kind == 4:
        return bytes([0x1d, n & 1]), " ptgBool " + (
            "TRUE" if n & 1 else "FALSE")
    if kind == 5:
        return struct.pack("<BIH", 0x23, n, 0)[:5], " ptgName 0x%08x" % n
    if kind == 6:
        return struct.pack("<BH", 0x1e, n), " ptgInt %d" % n
    byte = rng.choice(list(PLAIN))
    return bytes([byte]), " ptg" + PLAIN[byte]


def formulas(rng, name):
    """The words of some tokens of a macro sheet, or nearly these."""
    rows = [[token(rng) for _ in range(rng.randint(1, 6))]
            for _ in range(rng.randint(1, 4))]
    row = rng.choice(rows)
    at = rng.randrange(len(row))
    text = "".join(words for _, words in row[at:at + rng.randint(1, 3)])
    if rng.random() < 0.2:
        text = text[:-1] + rng.choice("az09")
    # Shorter ones first, and no blank behind a formula: clamscan reads a byte
    # too many, of a record before, and may take it for another token.
    return one("ndb", "%s:0:*:%s" % (name, text.encode().hex()), workbook_of(
        sorted((b"".join(data for data, _ in row) for row in rows), key=len),
        rng.choice((1, 1, 1, 0))))


FAMILIES = (formulas,)
