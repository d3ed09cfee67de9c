"""Families of whole objects: hashes, programs, containers and their
members."""
import hashlib

import archives
import programs
from bodies import word_of
from harness import BINARY, Case, one

KINDS = (hashlib.md5, hashlib.sha1, hashlib.sha256)


def digest(rng, data):
    text = rng.choice(KINDS)(data).hexdigest()
    return text.upper() if rng.random() < 0.2 else text


def hashes(rng, name):
    data = BINARY + rng.randbytes(rng.randint(6, 3000))
    size = len(data) + rng.choice((0, 0, 0, 1))
    of = data + b"x" if rng.random() < 0.2 else data
    text = digest(rng, of)
    line = "%s:%d:%s" % (text, size, name)
    if rng.random() < 0.2:
        line = "%s:*:%s:73" % (text, name)
    elif rng.random() < 0.3:
        line = "%s:%03d:%s:%s" % (text, size, name, rng.choice(
            ("73", "216", "300", "1:100", "1:255")))
    return one(rng.choice(("hdb", "hsb")), line,
               archives.wrap(data, rng.choice(([], [], ["CL_TYPE_ZIP"],
                                               ["CL_TYPE_GZ"]))))


def allowed(rng, name):
    """fp and sfp of the file or of its member, of the right size or not."""
    word = word_of(rng, 9)
    inner = BINARY + rng.randbytes(30) + word + b"\1\2"
    data = archives.wrap(inner, rng.choice(
        ([], ["CL_TYPE_ZIP"], ["CL_TYPE_GZ"],
         ["CL_TYPE_GZ", "CL_TYPE_POSIX_TAR"], ["CL_TYPE_ZIP"] * 2)))
    good = rng.choice((data, inner, BINARY + b"other"))
    size = rng.choice((str(len(good)), str(len(good)), "%d" % (
        len(good) + 1)))
    case = one("ndb", "%s:0:*:%s" % (name, word.hex()), data)
    if rng.random() < 0.3:
        case = one("hdb", "%s:%d:%s" % (hashlib.md5(inner).hexdigest(),
                                        len(inner), name), data)
    case.lines.append((rng.choice(("fp", "sfp")), "%s:%s:Good.%s"
                       % (digest(rng, good), size, name)))
    return case


def ignored(rng, name):
    word = word_of(rng, 9)
    line = "%s:0:*:%s" % (name, word.hex())
    right = hashlib.md5(line.encode()).hexdigest()
    wrong = hashlib.md5(line.encode() + b"\n").hexdigest()
    ignore = rng.choice((
        name, name.upper(), name + "x", name[:-1] + "~", name + ":" + right,
        name + ":" + right.upper(), name + ":" + wrong))
    # A bare name is refused there when it comes after one with a digest.
    return Case([("ndb", line), ("ign2" if ":" in ignore else "ign", ignore)],
                [BINARY + bytes(9) + word + bytes(9)])


# ---- programs ---------------------------------------------------------------


def made(rng, kind, plus=False):
    """A program with a word somewhere in one of its sections."""
    word = rng.randbytes(9)
    contents = [rng.randbytes(rng.randint(30, 700))
                for _ in range(rng.randint(1, 4))]
    i = rng.randrange(len(contents))
    at = rng.choice((0, 1, 8, len(contents[i])))
    contents[i] = contents[i][:at] + word + contents[i][at:]
    options = {"entry_section": rng.randrange(len(contents)),
               "entry_off": rng.choice((0, 8, 20))}
    if kind is programs.pe:
        options["plus"] = plus
    return kind(rng, contents, **options), word


TARGETS = {programs.pe: 1, programs.elf: 6, programs.macho: 9}


def places(rng, name):
    """EP, Sx, SL, SEx with and without a shift."""
    kind = rng.choice((programs.pe, programs.pe, programs.elf,
                       programs.macho))
    program, word = made(rng, kind, rng.random() < 0.3)
    at = program.data.index(word)
    slack = rng.choice((0, 0, 1, 3))
    shift = rng.choice(("", ",%d" % rng.choice((1, 2, 4))))
    i = rng.choice([k for k, s in enumerate(program.sections)
                    if s.at <= at] or [0])
    options = [("S%d+%d", i, at - slack - program.sections[i].at)]
    if program.entry is not None:
        by = at - slack - program.entry
        options.append(("EP+%d" if by >= 0 else "EP-%d", abs(by)))
    last = program.sections[-1].at
    if at - slack >= last and kind is not programs.elf:
        options.append(("SL+%d", at - slack - last))
    form, *values = rng.choice(options)
    if form == "S%d+%d" and values[1] < 0:
        values[1] = 0
    offset = form % tuple(values) + shift
    if rng.random() < 0.25:
        offset = "SE%d%s" % (rng.randrange(len(program.sections) + 1), shift)
    return one("ndb", "%s:%d:%s:%s" % (
        name, TARGETS[kind], offset, word.hex()), program.data)


def described(rng, name):
    """EntryPoint, NumberOfSections, FileSize, Target."""
    kind = rng.choice((programs.pe, programs.elf))
    program, word = made(rng, kind)
    key, value = rng.choice((
        ("EntryPoint", program.entry), ("FileSize", len(program.data)),
        ("NumberOfSections", len(program.sections))))
    low = value + rng.choice((-1, 0, 0, 1))
    high = rng.choice((low, low + 5, max(low - 1, 0)))
    target = TARGETS[kind] if rng.random() < 0.8 else rng.choice((1, 6, 9))
    return one("ldb", "%s;Engine:51-255,%s:%d-%d,Target:%d;0;%s" % (
        name, key, low, high, target, word.hex()), program.data)


def sections(rng, name):
    """mdb and msb."""
    program, _ = made(rng, programs.pe, rng.random() < 0.3)
    section = rng.choice(program.sections)
    data = program.data[section.at:section.at + section.size]
    size = len(data) + rng.choice((0, 0, 0, 1))
    if rng.random() < 0.2:
        data = data[:-1]
    text = digest(rng, data)
    line = "%d:%s:%s" % (size, text, name)
    if rng.random() < 0.2:
        line = "*:%s:%s:73" % (text, name)
    return one(rng.choice(("mdb", "msb")), line, program.data)


def imports(rng, name):
    """imp, of names and ordinals."""
    libraries = [(rng.choice((b"KERNEL32.dll", b"Some.OCX", b"drv.sys",
                              b"abc.exe", b"lib")) + b"",
                  [rng.choice((word_of(rng, 7, b"abcdeXYZ_"),
                               rng.randint(1, 99)))
                   for _ in range(rng.randint(1, 4))])
                 for _ in range(rng.randint(1, 3))]
    # Of one hash with two names either may be told.
    libraries[-1][1].append(name.encode())
    table = programs.imports(libraries, 0x1000)
    plus = rng.random() < 0.1
    program = programs.pe(rng, [table + rng.randbytes(30)], plus=plus,
                          dirs={1: (0x1000, 20 * (len(libraries) + 1))})
    text, size = programs.import_hash(libraries)
    size += rng.choice((0, 0, 0, 1))
    return one("imp", "%s:%d:%s" % (text, size, name), program.data)


def versions(rng, name):
    """VI: where a key of the version information starts."""
    key = rng.choice(("CompanyName", "FileVersion", "Comments"))
    value = word_of(rng, 8).decode()
    rows = [("ProductName", "x"), (key, value), ("Language", "vi")]
    rng.shuffle(rows)
    resources = programs.version(rows, 0x2000)
    program = programs.pe(rng, [rng.randbytes(99), resources],
                          dirs={2: (0x2000, len(resources))})
    sig = programs.wide(key) + b"\0\0"
    sig += bytes(-(len(sig) + 6) % 4) + programs.wide(value)
    sig = rng.choice((sig, sig, sig[:len(key) * 2], sig[2:],
                      programs.wide(value)))
    return one("ndb", "%s:1:VI:%s" % (name, sig.hex()), program.data)


def sub_places(rng, name):
    """The same places, of subsignatures of one signature."""
    kind = rng.choice((programs.pe, programs.pe, programs.elf))
    program, word = made(rng, kind)
    at = program.data.index(word)
    by = at - program.entry
    options = ["", "*:", "%d:" % at, "EOF-%d:" % (len(program.data) - at),
               "EP%+d:" % by, "EP%+d,2:" % (by - rng.randint(0, 3))]
    options += ["S%d+%d:" % (i, at - s.at) for i, s in
                enumerate(program.sections) if s.at <= at and s.size]
    options += ["SE%d:" % i for i in range(len(program.sections))]
    first = "%s%s" % (rng.choice(options), word[:5].hex())
    second = "%s%s" % (rng.choice(("", "*:", "%d:" % (at + 4), "%d,3:" % at)),
                       word[4:].hex())
    third = "%s0/%s/%s" % (
        rng.choice(("", "%d:" % at, "EP%+d,6:" % (by - 3))),
        "".join("\\x%02x" % c for c in word[2:6]), rng.choice(("", "g", "r")))
    return one("ldb", "%s;Engine:51-255,Target:%d;%s;%s;%s;%s" % (
        name, TARGETS[kind], rng.choice(("0&1&2", "0&1|2", "0|1&2", "(0|2)&1")),
        first, second, third), program.data)


BEGINNINGS = (
    BINARY, b"MZ" + bytes(60), b"\x7fELF" + bytes(60), b"GIF89a", b"BM1234",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    b"II*\0", b"MM\0*", b"%PDF-1.4\n", b"FWS\6", b"{\\rtf1 ",
    b"\xca\xfe\xba\xbe\0\0\0\x34\0\x10", b"\xca\xfe\xba\xbe\0\0\0\2",
    b"\xce\xfa\xed\xfe\7\0\0\0", b"#!/bin/sh\n",
    b"<?xml version='1.0'?>\n", b"<html><body>\n", b"<!DOCTYPE html>\n",
    b"<script></script>\n", b"plain text ",
    b"From: a@b.c\r\nTo: d@e.f\r\nSubject: g\r\n\r\n",
    b"Received: from a by b\r\nFrom: a@b.c\r\n\r\n",
    b"\xef\xbb\xbftext ", b"ITSF\3\0\0\0", b"L\0\0\0\1\x14\2\0", b"wOFF")
# What is 14 here beside its own target: README.md.
NOT_14 = (b"<html", b"<scri", b"From:", b"Recei")


def targets(rng, name):
    """Every target, and beginnings that are or are not of it."""
    word = word_of(rng, 9, b"abcdefgh")
    data = rng.choice(BEGINNINGS) + rng.choice((
        b"", b"some more text ", bytes(40))) + word + rng.choice(
            (b"\n", bytes(9)))
    target = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 7, 9, 10, 11, 12, 14))
    if target == 14 and data.startswith(NOT_14):
        target = 0
    return one("ndb", "%s:%s:*:%s" % (name, target, word.hex()), data)


# ---- containers -------------------------------------------------------------


def containers(rng, name):
    """Container, Intermediates and HandlerType in nested archives."""
    word = word_of(rng, 9)
    chain = [rng.choice(list(archives.LAYERS))
             for _ in range(rng.randint(0, 3))]
    data = archives.wrap(BINARY + rng.randbytes(99) + word + bytes(9), chain)
    kinds = list(archives.LAYERS) + ["CL_TYPE_ANY"]
    if rng.random() < 0.5:
        near = chain[-1] if chain and rng.random() < 0.6 else rng.choice(
            kinds)
        key = "Container:" + near
    else:
        listed = chain[-rng.randint(1, 3):] or [rng.choice(kinds)]
        if rng.random() < 0.4:
            listed[rng.randrange(len(listed))] = rng.choice(kinds)
        key = "Intermediates:" + ">".join(listed)
    return one("ldb", "%s;Engine:81-255,%s,Target:0;0;%s"
               % (name, key, word.hex()), data)


def members(rng, name):
    """cdb: what a container says of a member."""
    word = word_of(rng, 6, b"abcdef").decode()
    size = rng.randint(10, 4000)
    listed = [("dir/%s.exe" % word, rng.randbytes(size)), ("two", b"two")]
    rng.shuffle(listed)
    position = 1 + [n for n, _ in listed].index("dir/%s.exe" % word)
    kind = rng.choice(("zip", "zip", "tar"))
    stored = rng.random() < 0.5
    data = archives.zip_of(listed, stored) if kind == "zip" else \
        archives.tar_of(listed)
    form = {"zip": "CL_TYPE_ZIP", "tar": "CL_TYPE_POSIX_TAR"}
    regex = rng.choice((word, "^dir/.*[.]exe$", "^%s" % word, word.upper(),
                        "(?i)" + word.upper(), "%s|nothing" % word))
    real = rng.choice(("*", "%d" % size, "%d-%d" % (size - 3, size + 3),
                       "%d" % (size + 1)))
    return one("cdb", "%s:%s:%s:%s:*:%s:%s:%s:*:*" % (
        name, rng.choice(("*", form[kind], form[kind], "CL_TYPE_RAR",
                          "CL_TYPE_ANY")),
        rng.choice(("*", "*", str(len(data)), "1-%d" % (len(data) - 1))),
        regex, real, rng.choice(("*", "0", "0", "1")),
        rng.choice(("*", str(position), str(position + 1), "1-2"))), data)


def types(rng, name):
    """ftm: a target given to bytes of one's own.  With any such file the
    types of the engine are gone there, so that files are plain."""
    magic, word = rng.randbytes(5), word_of(rng, 8)
    at = rng.choice((0, 0, 4, 9))
    target, kind = rng.choice(((5, "CL_TYPE_GRAPHICS"), (10, "CL_TYPE_PDF"),
                               (6, "CL_TYPE_BINARY_DATA")))
    data = (BINARY * 3)[:at] + magic + rng.randbytes(30) + word + bytes(3)
    off = at + rng.choice((0, 0, 0, 1))
    return Case([("ftm", "0:%d:%s:%s:CL_TYPE_ANY:%s" % (
        off, magic.hex(), name, kind)),
        ("ndb", "%s:%d:*:%s" % (name, target, word.hex()))], [data])


FAMILIES = (hashes, allowed, ignored, places, sub_places, targets, described,
            sections, imports, versions, containers, members, types)
