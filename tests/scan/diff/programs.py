"""Programs made for the purpose: PE, ELF and Mach-O files."""
import hashlib
import struct

ALIGN = 0x200


def padded(data, n):
    return data + bytes(-len(data) % n)


class Section:
    def __init__(self, name, at, size, address):
        self.name, self.at, self.size = name, at, size
        self.address = address


class Program:
    """Bytes, where they begin to run, and their sections."""

    def __init__(self, data, entry, sections):
        self.data, self.entry, self.sections = data, entry, sections


def pe_headers(blocks, entry_section, entry_off, plus, dirs):
    """The headers, and a Section for each (name, bytes)."""
    magic = 0x20b if plus else 0x10b
    optional = 112 + 128 if plus else 96 + 128
    size = 0x80 + 4 + 20 + optional + 40 * len(blocks)
    at, address, sections, table = (size + ALIGN - 1) // ALIGN * ALIGN, \
        0x1000, [], b""
    first = at
    for name, data in blocks:
        raw = len(padded(data, ALIGN))
        sections.append(Section(name, at, raw, address))
        table += struct.pack("<8sIIIIIIHHI", name, len(data), address, raw,
                             at, 0, 0, 0, 0, 0xE0000020)
        at += raw
        address += (raw + 0xfff) // 0x1000 * 0x1000
    entry = sections[entry_section].address + entry_off
    head = b"MZ".ljust(0x3c, b"\0") + struct.pack("<I", 0x80)
    head = head.ljust(0x80, b"\0") + b"PE\0\0"
    head += struct.pack("<HHIIIHH", 0x8664 if plus else 0x14c, len(blocks),
                        0, 0, 0, optional, 0x2022 if plus else 0x102)
    body = struct.pack("<HBBIIIII", magic, 9, 0, 0x200, 0, 0, entry, 0x1000)
    body += struct.pack("<Q", 0x140000000) if plus else \
        struct.pack("<II", 0x2000, 0x400000)
    body += struct.pack("<IIHHHHHHIIIIHH", 0x1000, ALIGN, 6, 0, 0, 0, 6, 0, 0,
                        address, first, 0, 3, 0)
    word = "Q" if plus else "I"
    body += struct.pack("<4" + word, 0x100000, 0x1000, 0x100000, 0x1000)
    body += struct.pack("<II", 0, 16)
    for i in range(16):
        body += struct.pack("<II", *dirs.get(i, (0, 0)))
    return padded(head + body + table, ALIGN), sections


def pe(rng, contents, entry_section=0, entry_off=0, plus=False, dirs=None):
    """One section for each of `contents`."""
    blocks = [(b".s%d" % i, c) for i, c in enumerate(contents)]
    head, sections = pe_headers(blocks, entry_section, entry_off, plus,
                                dirs or {})
    data = head + b"".join(padded(c, ALIGN) for c in contents)
    return Program(data, sections[entry_section].at + entry_off, sections)


def elf(rng, contents, entry_section=0, entry_off=0):
    """64-bit, little endian; the sections are from the null section on, and
    the names are in the last."""
    base, at, sections = 0x400000, 64 + 56, [Section(b"", 0, 0, 0)]
    for i, c in enumerate(contents):
        sections.append(Section(b".s%d" % i, at, len(c), base + at))
        at += len(c)
    names = b"\0" + b"".join(b".s%d\0" % i for i in range(len(contents)))
    own = len(names)
    names += b".shstrtab\0"
    sections.append(Section(b".shstrtab", at, len(names), 0))
    body = b"".join(contents) + names
    table_at = 64 + 56 + len(body)
    entry = sections[1 + entry_section].at + entry_off
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, base + entry, 64, table_at, 0, 64, 56, 1,
        64, len(sections), len(sections) - 1)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, table_at, table_at,
                       0x1000)
    table = bytes(64)
    where = 1
    for s in sections[1:]:
        last = s is sections[-1]
        table += struct.pack("<IIQQQQIIQQ", own if last else where,
                             3 if last else 1, 0 if last else 6, s.address,
                             s.at, s.size, 0, 0, 1, 0)
        where += len(s.name) + 1
    return Program(head + load + body + table, entry, sections)


def macho(rng, contents, entry_section=0, entry_off=0):
    """64-bit, little endian; one segment with one section each."""
    command = 72 + 80
    at, commands, sections = 32 + command * len(contents), b"", []
    for i, c in enumerate(contents):
        sections.append(Section(b"__s%d" % i, at, len(c), 0x1000 * (i + 1)))
        commands += struct.pack("<II16sQQQQIIII", 0x19, command,
                                b"__S%d" % i, 0x1000 * (i + 1), len(c), at,
                                len(c), 7, 5, 1, 0)
        commands += struct.pack("<16s16sQQIIIIIIII", b"__s%d" % i,
                                b"__S%d" % i, 0x1000 * (i + 1), len(c), at, 0,
                                0, 0, 0, 0, 0, 0)
        at += len(c)
    head = struct.pack("<IIIIIIII", 0xfeedfacf, 0x1000007, 3, 2,
                       len(contents), len(commands), 0, 0)
    return Program(head + commands + b"".join(contents), None, sections)


# ---- imports and version information of a PE --------------------------------


def imports(libraries, address):
    """An import directory for a section at `address`; libraries are lists
    of (name, functions), a number being an ordinal."""
    table_size = 20 * (len(libraries) + 1)
    thunks = sum(4 * (len(f) + 1) for _, f in libraries)
    at = address + table_size + thunks * 2
    strings, descriptors, first, second = b"", b"", b"", b""
    originals = address + table_size
    for name, functions in libraries:
        words = []
        for f in functions:
            if isinstance(f, int):
                words.append(0x80000000 | f)
                continue
            words.append(at + len(strings))
            strings += padded(b"\0\0" + f + b"\0", 2)
        descriptors += struct.pack("<IIIII", originals + len(first), 0, 0,
                                   at + len(strings),
                                   originals + thunks + len(first))
        strings += padded(name + b"\0", 2)
        first += struct.pack("<%dI" % (len(words) + 1), *words, 0)
    return descriptors + bytes(20) + first + first + strings


def import_hash(libraries):
    """(MD5, length) of the text that both engines hash."""
    rows = []
    for name, functions in libraries:
        name = name.decode().lower()
        for end in (".dll", ".ocx", ".sys"):
            name = name.removesuffix(end)
        rows += ["%s.%s" % (name, "ord%d" % f if isinstance(f, int)
                            else f.decode().lower()) for f in functions]
    text = ",".join(rows).encode()
    return hashlib.md5(text).hexdigest(), len(text)


def wide(text):
    return text.encode("utf-16-le")


def node(key, value, children, text):
    body = wide(key) + b"\0\0"
    body += bytes(-(len(body) + 6) % 4) + value
    for child in children:
        body = body + bytes(-(len(body) + 6) % 4) + child
    size = len(value) // 2 if text else len(value)
    return struct.pack("<HHH", len(body) + 6, size, text) + body


def version(strings, address):
    """A resource section at `address` with a version of these strings."""
    rows = [node(k, wide(v) + b"\0\0", [], 1) for k, v in strings]
    info = node("StringFileInfo", b"", [node("040904b0", b"", rows, 1)], 1)
    fixed = struct.pack("<13I", 0xfeef04bd, 0x10000, 0, 0, 0, 0, 0x3f, 0,
                        0x40004, 1, 0, 0, 0)
    root = node("VS_VERSION_INFO", fixed, [info], 0)
    tree = b""
    for number, leaf in ((16, False), (1, False), (0x409, True)):
        tree += struct.pack("<IIHHHHII", 0, 0, 0, 0, 0, 1, number,
                            (0 if leaf else 0x80000000) | (len(tree) + 24))
    tree += struct.pack("<IIII", address + 72 + 16, len(root), 0, 0)
    return tree + root
