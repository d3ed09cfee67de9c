#!/usr/bin/python3
"""Files that ask for more than a scanner has: each ends in time and within
its memory, says why it was not read to its end or what was found, and the
file behind it is scanned.  Prints TAP.

	bombs.py --khien PROGRAM [NAME...]
"""
import argparse
import bz2
import json
import lzma
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parent / "diff"))
import documents  # noqa: E402
import icons  # noqa: E402
import programs  # noqa: E402
import signed  # noqa: E402
from formats import (  # noqa: E402
    compound_of, mail_of, pdf_of, sis_of, sisx_of, tar_of, tool,
    zip_of)
from support.command import EICAR  # noqa: E402

SECONDS = 30        # of processor time, for the bomb and the file behind it
MEMORY = 1536 << 10  # KiB, of the largest process
ZEROS = 400 << 20
LIMITS = {"depth", "size", "ratio", "count"}
CORPUS = pathlib.Path(__file__).parents[2] / "fuzz/corpus/exe"
FULL = None  # it may be read to its end: there is nothing in it
bombs = []


def bomb(*wanted):
    """Outcomes that are fine: a reason, "infected", or FULL."""
    def add(function):
        bombs.append((function, set(wanted)))
        return function
    return add


def nested(levels, data, name="x.zip", copies=1):
    for _ in range(levels):
        data = zip_of([("%d%s" % (i, name), data) for i in range(copies)])
    return data


@bomb("depth")
def zips_in_zips():
    return nested(60, EICAR)


@bomb("infected")
def zips_in_zips_that_are_not_too_deep():
    return nested(10, EICAR)


@bomb(*LIMITS)
def ten_zips_in_each_zip():
    return nested(7, bytes(1000), copies=10)


@bomb("infected")
def ten_zips_in_each_zip_around_malware():
    return zip_of([("a", nested(3, bytes(1000), copies=10)),
                   ("b", EICAR), ("c", nested(7, bytes(1000), copies=10))])


def zip_rows(members, records, comment=b""):
    """A zip of local records, and a directory of (name, packed, size, crc,
    where) that need not fit them."""
    directory = b"".join(
        struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 20, 20, 0, 8, 0, 33,
                    crc, packed, size, len(name), 0, 0, 0, 0, 0, at) + name
        for name, packed, size, crc, at in members)
    n = min(len(members), 0xffff)
    return records + directory + struct.pack(
        "<IHHHHIIH", 0x06054b50, 0, 0, n, n, len(directory), len(records),
        len(comment)) + comment


def local(name, packed, size, crc):
    return struct.pack("<IHHHHHIIIHH", 0x04034b50, 20, 0, 8, 0, 33, crc,
                       len(packed), size, len(name), 0) + name + packed


def raw_deflate(data):
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    return c.compress(data) + c.flush()


@bomb(FULL, *LIMITS, "damaged")
def a_zip_whose_members_are_one_and_the_same():
    """To look at that one once is enough."""
    plain = bytes(10 << 20)
    packed, crc = raw_deflate(plain), zlib.crc32(plain)
    record = local(b"a", packed, len(plain), crc)
    return zip_rows([(b"a", len(packed), len(plain), crc, 0)] * 20000,
                    record)


@bomb(*LIMITS, "damaged")
def a_zip_whose_members_hold_each_other():
    """Each record lies in a stored block of the one before."""
    plain = bytes(4 << 20)
    packed = raw_deflate(plain)
    records, members = local(b"z", packed, len(plain), 0), []
    for i in range(200):
        head = b"\0" + struct.pack("<HH", 40, 40 ^ 0xffff)
        records = local(b"%03d" % i, head, len(plain), 0) + records
    at = 0
    for i in range(200):
        members.append((b"%03d" % i, len(records) - at - 40, len(plain), 0,
                        at))
        at += 38
    return zip_rows(members, records)


@bomb(FULL, *LIMITS, "damaged")
def a_zip_that_holds_itself():
    """Its only member is the whole file, stored."""
    name, size = b"self.zip", 30 + 8
    total = size + 46 + 8 + 22
    head = struct.pack("<IHHHHHIIIHH", 0x04034b50, 20, 0, 0, 0, 33, 0, total,
                       total, len(name), 0) + name
    directory = struct.pack(
        "<IHHHHHHIIIHHHHHII", 0x02014b50, 20, 20, 0, 0, 0, 33, 0, total,
        total, len(name), 0, 0, 0, 0, 0, 0) + name
    return head + directory + struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 1, 1,
                                          len(directory), size, 0)


@bomb("count")
def a_zip_of_many_nothings():
    names = [b"%07d" % i for i in range(150000)]
    records = b"".join(local(n, b"\3\0", 0, 0) for n in names)
    return zip_rows([(n, 2, 0, 0, 39 * i) for i, n in enumerate(names)],
                    records)


@bomb("count")
def a_cpio_of_many_nothings():
    def entry(name):
        head = b"07070100000001000081A4" + b"0" * 72
        return head + b"%08X" % (len(name) + 1) + b"0" * 8 + name + b"\0\0\0"
    return b"".join(entry(b"%07d" % i) for i in range(150000))


@bomb("ratio", "size")
def deflate():
    c = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join(c.compress(block) for _ in range(ZEROS >> 20)) + c.flush()


@bomb("ratio", "size")
def deflate_of_deflate():
    return zip_of([("a.gz", deflate())])


@bomb("ratio", "size")
def bzip2():
    return bz2.compress(bytes(ZEROS // 4)) * 4


@bomb("ratio", "size")
def xz():
    return lzma.compress(bytes(ZEROS // 2), preset=1)


@bomb("ratio", "size", "unsupported", FULL)
def lzma_alone():
    return lzma.compress(bytes(ZEROS // 2), lzma.FORMAT_ALONE, preset=1)


@bomb("ratio", "size", "memory", "damaged")
def xz_with_a_huge_dictionary():
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0,
                "dict_size": 1 << 20}]
    data = bytearray(lzma.compress(bytes(ZEROS // 2), filters=filters))
    at = data.index(b"\x21\x01") + 2  # the size of the dictionary
    data[at] = 40  # 4 GiB
    head = data[12:12 + (data[12] + 1) * 4 - 4]
    data[12 + len(head):16 + len(head)] = struct.pack("<I",
                                                      zlib.crc32(head))
    return bytes(data)


@bomb("ratio", "size")
def zstd():
    return tool(bytes(ZEROS), "zstd", "-q", "m.bin", "-o", "out")


@bomb("ratio", "size")
def seven():
    return tool(bytes(ZEROS // 2), "7z", "a", "-mx=1", "out.7z", "m.bin",
                out="out.7z")


@bomb("ratio", "size")
def sis():
    return sis_of(bytes(ZEROS))


@bomb("damaged")
def sis_whose_files_are_one_and_the_same():
    """Each is the whole installer, which inflates to nothing."""
    files = 60000
    empty = bytes(1 << 20) + b"\0\0\0\xff\xff" * 100000
    records = struct.pack("<9I", 0, 0, 0, 0, 0, 0, 0, 1 << 21, 0) + struct.pack(
        "<3I", 0, 0, 0)
    head = bytearray(sis_of(b"")[:100])
    head[20:22] = struct.pack("<H", files)
    return bytes(head) + records * files + empty


@bomb(FULL, *LIMITS, "damaged")
def sisx_of_fields_without_end():
    return sisx_of(b"")[:16] + struct.pack("<II", 12, 1 << 23) + struct.pack(
        "<II", 34, 0) * (1 << 20)


@bomb(*LIMITS)
def pdf_with_a_chain_of_filters():
    return pdf_of(bytes(ZEROS // 4), 4)


@bomb(FULL, *LIMITS, "unsupported", "damaged")
def pdf_with_five_hundred_filters():
    head = pdf_of(b"x" * 100)
    return head.replace(b"/FlateDecode", b"/FlateDecode" * 500)


@bomb(FULL, *LIMITS, "damaged")
def pdf_whose_length_is_itself():
    return (b"%PDF-1.5\n1 0 obj\n<</Length 1 0 R /Type /ObjStm /N 99999999 "
            b"/First 0 /Extends 1 0 R /Filter /FlateDecode>>\nstream\n"
            + zlib.compress(b"1 0 " * 100000) + b"\nendstream\nendobj\n"
            b"startxref\n9\n%%EOF\n")


def ole(table, directory, streams=b""):
    """One sector of the table, one of the directory, and more."""
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    head += struct.pack("<HHHHH", 0x3e, 3, 0xfffe, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 0xfffffffe, 0,
                        0xfffffffe, 0)
    head += struct.pack("<I", 0) + b"\xff" * 432
    return head + table + directory + streams


def ole_entry(name, kind, left, right, child, start, size):
    text = name.encode("utf-16-le")
    return text.ljust(64, b"\0") + struct.pack(
        "<HBBIII", len(text) + 2, kind, 1, left, right, child) + bytes(
            36) + struct.pack("<IQ", start, size)


@bomb(FULL, "damaged", *LIMITS)
def ole_whose_chains_run_in_circles():
    table = struct.pack("<128I", 0xfffffffd, 1, *(
        2 + (i + 1) % 126 for i in range(126)))
    rows = ole_entry("Root Entry", 5, 0, 0, 1, 2, 1 << 31)
    for i in (1, 2, 3):
        rows += ole_entry("Stream%d" % i, 2, (i + 1) % 4, i, 1, 2, 1 << 40)
    return ole(table, rows, bytes(512 * 126))


@bomb(FULL, "damaged", *LIMITS)
def ole_whose_folders_hold_themselves():
    table = struct.pack("<128I", 0xfffffffd, 0xfffffffe, *(
        [0xffffffff] * 126))
    rows = ole_entry("Root Entry", 5, 0, 0, 1, 0xfffffffe, 0)
    rows += ole_entry("VBA", 1, 1, 1, 1, 0, 0)
    rows += ole_entry("Macros", 1, 1, 3, 2, 0, 0)
    rows += ole_entry("WordDocument", 2, 2, 2, 2, 1, 0xffffffff)
    return ole(table, rows)


def tar_header(name, size, kind=b"0", extra=b""):
    head = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2
    head += size + b"00000000000\0" + b" " * 8 + kind
    head = head.ljust(257, b"\0") + b"ustar  \0"
    head = head.ljust(386, b"\0") + extra
    head = bytearray(head.ljust(512, b"\0"))
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


@bomb(*LIMITS, "damaged", FULL)
def tar_with_a_sparse_file_of_exabytes():
    extra = b"00000000000\0" + b"00000001000\0"
    extra += b"\x80" + bytes(3) + struct.pack(">Q", 1 << 60)
    extra += b"00000001000\0" + bytes(48) + b"\0"
    extra += b"\x80" + bytes(3) + struct.pack(">Q", 1 << 61)
    return (tar_header(b"sparse", b"00000002000\0", b"S", extra)
            + bytes(1024) + bytes(1024))


@bomb("damaged", "size")
def tar_with_a_size_of_terabytes():
    return tar_header(b"big", b"\x80" + bytes(3) + struct.pack(
        ">Q", 1 << 42)) + bytes(4096)


@bomb(*LIMITS)
def tars_in_tars():
    data = EICAR
    for _ in range(40):
        data = tar_of([("a", data)])
    return data


@bomb(*LIMITS, FULL, "damaged")
def mail_of_five_thousand_parts_in_parts():
    head = b"From: a\r\nTo: b\r\nSubject: c\r\nMIME-Version: 1.0\r\n"
    for i in range(5000):
        head += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n" \
            b"--b%d\r\n" % (i, i)
    return head + b"\r\ntext\r\n"


@bomb("depth")
def mails_in_mails():
    data = EICAR
    for _ in range(20):
        data = mail_of(data)
    return data


@bomb(FULL, *LIMITS, "damaged")
def mail_with_a_boundary_on_every_line():
    return (b"From: a\r\nTo: b\r\nContent-Type: multipart/mixed; "
            b"boundary=\"\"\r\n\r\n" + b"--\r\n" * 1000000)


@bomb(*LIMITS)
def formulas_whose_text_is_long():
    """Nine bytes each, three hundred letters."""
    number = b"\x1f" + struct.pack("<d", 1e300)
    return zip_of([("a.xls", documents.workbook_of([number * 800] * 900))])


@bomb(*LIMITS)
def formulas_of_a_binary_workbook_whose_text_is_long():
    number = b"\x1f" + struct.pack("<d", 1e300)
    return documents.binary_workbook_of([number * 1000000])


@bomb(FULL, *LIMITS, "damaged")
def workbook_of_a_million_records():
    return compound_of([("Workbook", documents.begin(0x40)
                         + documents.record(10) * 1000000)])


@bomb(*LIMITS)
def message_whose_body_is_copies():
    """Each of two bytes gives seventeen; the ring is filled once around by
    4096 times 8 of them."""
    around = b"".join(b"\xff" + b"".join(
        struct.pack(">H", (206 + 17 * (8 * i + k)) % 4096 << 4 | 15)
        for k in range(8)) for i in range(4096))
    return zip_of([("a.msg", documents.message_of(b"", around * 70))])


@bomb("ratio", "size")
def hangul_of_zeros():
    return documents.hangul_of(bytes(ZEROS), "BinData/BIN0001.bin")


@bomb(FULL, *LIMITS, "damaged")
def rtf_of_a_million_groups():
    return b"{\\rtf1" + b"{\\object{\\*\\objdata 0105" * 200000


@bomb(FULL, *LIMITS, "damaged")
def html_of_a_million_tags():
    return b"<html>" + b"<a href='" * 500000 + b"<script>" * 500000


@bomb(FULL, *LIMITS, "damaged")
def program_of_sixty_thousand_sections():
    head = b"MZ".ljust(0x3c, b"\0") + struct.pack("<I", 0x40)
    head += b"PE\0\0" + struct.pack("<HHIIIHH", 0x14c, 65535, 0, 0, 0, 224,
                                    0x102)
    head += struct.pack("<H", 0x10b).ljust(224, b"\0")
    return head + b"\xff" * 40 * 65535


def packed_program(name, moved):
    """The fuzz target's sample, whose second section, as large as moved, is
    further behind."""
    data = bytearray((CORPUS / name).read_bytes())
    table = 0x80 + 24 + 224  # of sections
    data[table + 8:table + 12] = struct.pack("<I", moved)
    data[table + 48:table + 60] = struct.pack("<III", 2 << 20, moved + 0x1000,
                                              2 << 20)
    return data, lambda at, value: data.__setitem__(
        slice(at, at + 4), struct.pack("<I", value))


@bomb(*LIMITS, "damaged", "time")
def upack_of_an_eighth_of_a_gigabyte():
    """As many literals as 2 MB of zeros are."""
    moved = 0x7600000
    data, put = packed_program("upack", moved)
    stub, va = 0x400, 0x400000 + moved + 0x1000
    put(0x80 + 40, moved + 0x1000)
    put(stub + 1, va + 0x300)
    put(stub + 0x28, va + 0x100)
    second = stub + 0x100 + 4 * 0x27
    put(second - 4, va + 0x400)
    put(second, va + 0x80)
    put(second + 0x34, 0x401000 + moved)
    return bytes(data[:stub + 0x400]) + bytes((2 << 20) - 0x400)


@bomb(FULL, *LIMITS, "damaged", "unsupported")
def a_megabyte_of_beginnings():
    """Of everything that may begin in the middle of other things."""
    return b"\x89\xff\0\0" + (b"PK\3\4" + bytes(26) + b"MZ" + bytes(58)
                              + b"PE\0\0Rar!\x1a\7\0\x37\x7a\xbc\xaf\x27\x1c"
                              b"MSCF\0\0\0\0\0\0\0\0\0\0\0\0") * 8000


class Wide:
    """A key as large as any that is read, and nobody's."""

    def __init__(self, rng):
        self.size = 1024
        self.n = rng.getrandbits(8192) | 1 << 8191 | 1

    public = signed.Key.public

    def sign(self, data, kind):
        return bytes(8) + bytes(self.size - 8)


SIGNED = b"a word that is signed"


def signed_bomb(function):
    """With a set that has a body in it, and trusts its authority."""
    authority = signed.Cert("X", ca=True)
    function.signatures = {
        "a.crb": authority.line("Trusted", 1) + "\n",
        "a.ndb": "Word:0:*:%s\n" % SIGNED.hex()}
    return function


def signed_program(more):
    data = programs.pe(None, [SIGNED]).data
    authority = signed.Cert("X", key=signed.Key("another"))
    signer = signed.Cert("leaf", authority, ["code"])
    return data, signer, [signer, *more]


@signed_bomb
@bomb("infected")
def program_with_keys_as_wide_as_they_get():
    rng = random.Random(1)
    data, signer, certs = signed_program(
        [signed.Cert("X", ca=True, key=Wide(rng)) for _ in range(70)])
    return signed.sign(data, signer, certs)


@signed_bomb
@bomb("infected")
def program_with_a_signature_full_of_nothings():
    data, signer, certs = signed_program([])
    nothing = signed.seq(signed.oid("time"), signed.set_of())
    many = signed.tlv(0xa1, nothing * 250000)
    sig = signed.pkcs7(data, signer, certs, more=many)
    return signed.with_table(data, struct.pack(
        "<IHH", len(sig) + 8, 0x200, 2) + sig)


def letter_bomb(function):
    """With lists of hosts and expressions that ask for every link."""
    hosts = "".join("H:shop%d.test\n" % i for i in range(2000))
    rules = "".join("R:.*word%d[a-z]*.*:.*shop.*\n" % i for i in range(40))
    function.signatures = {
        "a.pdb": hosts + rules + "R:.*.*.*.*.*x:.*.*.*.*y.*\n",
        "a.wdb": rules.replace("R:", "X:")}
    return function


def link(real, shown="http://www.shop1.test/"):
    return '<a href="%s">%s</a>\n' % (real, shown)


@letter_bomb
@bomb("suspicious", *LIMITS)
def mail_of_a_hundred_thousand_links():
    return mail_of("".join(
        link("http://www.shop1.test/word%d/%d" % (i % 40, i))
        for i in range(100000)).encode())


@letter_bomb
@bomb(*LIMITS, "time", FULL)
def mail_of_links_that_are_long():
    host = ".".join("w%d" % i for i in range(60)) + ".shop1.test"
    return mail_of("".join(
        link("http://%s/%s" % (host, "word7x" * 300), host + "/y" * 900)
        for i in range(2000)).encode())


@letter_bomb
@bomb(*LIMITS, "time", FULL)
def mail_of_many_parts_of_many_links():
    body = "".join(link("http://shop1.test/%d" % i)
                   for i in range(10000)).encode()
    return (b"From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed;"
            b" boundary=x\r\n\r\n" + b"".join(
                b"--x\r\nContent-Type: text/html\r\n\r\n" + body + b"\r\n"
                for _ in range(60)) + b"--x--\r\n")


def icon_bomb(function):
    """With 500 groups of ten icons, each asked for, and found by nobody."""
    rng = random.Random(2)

    def digits():
        return "20" + "".join("%03x%02x%02x" % (
            rng.randrange(4000), rng.randrange(28), rng.randrange(28))
            for _ in range(6)) + "".join("%02x%02x%02x" % (
                rng.randrange(256), rng.randrange(28), rng.randrange(28))
                for _ in range(12)) + "20202060"
    function.signatures = {
        "a.idb": "".join("i:g%d:h:%s\n" % (i % 500, digits())
                         for i in range(5000)),
        "a.ldb": "".join("Asks%d;Engine:51-255,Target:1,IconGroup1:g%d;0;"
                         "4d5a\n" % (i, i) for i in range(500))}
    return function


@icon_bomb
@bomb("time", FULL)
def program_of_thousands_of_large_icons():
    """Their headers stand in a row, all with the same pixels, nearly."""
    n, pixels = 5000, random.Random(3).randbytes(300000)
    header = struct.pack("<IIIHHIIIIII", 40, 256, 512, 1, 32, *[0] * 6)

    def types(at, data):
        return [(3, [(i, [(0, (b"", {"rva": at + 40 * i}))])
                     for i in range(n)]),
                (14, [(1, [(0, icons.group_of([0xffff]))])]),
                (99, [(1, [(0, data)])])]
    at = 0x2000 + len(icons.tree(types(0, b""), 0))
    return icons.program(types(at, header * n + pixels))


@icon_bomb
@bomb("time", FULL)
def program_whose_icons_are_sought_in_vain():
    none = [(i % 7 + 200, [(0, b"")]) for i in range(9000)]
    return icons.program([(3, none), (14, [
        (1, [(i, icons.group_of([9] * 90)) for i in range(2000)])])])


def set_of(khien, folder, signatures):
    """Options that name a set of these."""
    if not signatures:
        return []
    (folder / "sigs").mkdir()
    for name, text in signatures.items():
        (folder / "sigs" / name).write_text(text)
    subprocess.run([khien, "db", "build", "-o", "set", "sigs"], cwd=folder,
                   check=True, stdout=subprocess.DEVNULL)
    return ["--db", "set"]


def run(khien, folder, options):
    """(rows, processor seconds, KiB of the largest process)."""
    with open(folder / "out", "wb") as out:
        pid = os.posix_spawn(
            khien, [khien, "scan", "--json", "--jobs", "1", *options, "bomb",
                    "next"],
            {**os.environ, "LC_ALL": "C.UTF-8"},
            file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1),
                          (os.POSIX_SPAWN_OPEN, 2, "err",
                           os.O_WRONLY | os.O_CREAT, 0o600)])
    _, status, used = os.wait4(pid, 0)
    rows = [json.loads(t) for t in
            (folder / "out").read_text().splitlines()]
    found = {row.get("path"): row for row in rows}
    return (found, os.waitstatus_to_exitcode(status),
            used.ru_utime + used.ru_stime, used.ru_maxrss)


def judge(found, code, seconds, memory, wanted):
    """What is wrong, or "" """
    row = found.get("bomb", {})
    outcome = row.get("outcome")
    said = row.get("reason") if outcome == "unscannable" else \
        None if outcome == "clean" else outcome
    if outcome is None or said not in wanted:
        return "it is %s %s" % (outcome, row.get("reason"))
    if found.get("next", {}).get("outcome") != "infected" or code != 1:
        return "the next file was not scanned, exit %d" % code
    if seconds > SECONDS:
        return "it took %.1f s" % seconds
    if memory > MEMORY:
        return "it took %d MiB" % (memory >> 10)
    return ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--khien", required=True)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    os.environ.pop("KHIEN_WORKER", None)
    khien = os.path.abspath(args.khien)
    chosen = [b for b in bombs if not args.names or
              b[0].__name__ in args.names]
    bad = 0
    for number, (make, wanted) in enumerate(chosen, 1):
        name = make.__name__.replace("_", " ")
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            (folder / "bomb").write_bytes(make())
            (folder / "next").write_bytes(EICAR)
            options = set_of(khien, folder, getattr(make, "signatures", {}))
            os.chdir(folder)
            start = time.monotonic()
            found, code, seconds, memory = run(khien, folder, options)
            os.chdir("/")
            wrong = judge(found, code, seconds, memory, wanted)
        row = found.get("bomb", {})
        print("%s %d - %s" % ("not ok" if wrong else "ok", number, name))
        print("# %s%s %.2f s, %d MiB, %.1f s by the clock" % (
            wrong + ": " if wrong else "", row.get("reason") or row.get(
                "outcome"), seconds, memory >> 10,
            time.monotonic() - start), flush=True)
        bad += bool(wrong)
    print("1..%d" % len(chosen))
    return 1 if bad else 0


sys.exit(main())
