#!/usr/bin/python3
"""What signatures of each kind find, and what they leave alone: built and
scanned with khien.  Prints TAP."""
import datetime
import hashlib
import io
import os
import pathlib
import struct
import sys
import tarfile
import time
import zipfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from support.command import has, run, same

BINARY = b"\x89\xff\0\0"
tests = []


def test(function):
    tests.append(function)
    return function


def names(khien, sources, files):
    """{file: names of what was found in it} with a set of these sources."""
    for name, text in sources.items():
        khien.write("s/" + name, text.encode())
    code, _, err = khien("db", "build", "-o", "set", "s")
    same((code, err.count("skipped: ")), (0, 0))
    for name, data in files.items():
        khien.write("f/" + name, data)
    out = khien("scan", "--all", "--db", "set", "f")[1]
    found = {name: set() for name in files}
    for line in out.splitlines():
        if line.endswith(" FOUND"):
            path, name = line[:-len(" FOUND")].rsplit(": ", 1)
            found[path[len("f/"):].split(" ")[0]].add(name)
    return found


def zip_of(members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in members:
            z.writestr(name, data)
    return out.getvalue()


def tar_of(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


@test
def a_container_tells_of_its_members(khien):
    two = [("read.me", b"a" * 100), ("bill.pdf.exe", b"b" * 50)]
    files = {"a.zip": zip_of(two), "b.tar": tar_of(two),
             "c.zip": zip_of([("bill.pdf.exe", b"b" * 51)], 0)}
    found = names(khien, {"a.cdb": "".join("%s:%s\n" % row for row in (
        ("Name", r"*:*:\.pdf\.exe$:*:*:*:*:*:*"),
        ("Case", r"*:*:(?i)BILL:*:*:*:*:*:*"),
        ("NoCase", r"*:*:BILL:*:*:*:*:*:*"),
        ("Zip", "CL_TYPE_ZIP:*:exe:*:*:*:*:*:*"),
        ("Tar", "CL_TYPE_POSIX_TAR:*:*:50:50:0:2:*:*"),
        ("Whole", "*:%d:*:*:*:*:*:*:*" % len(files["a.zip"])),
        ("Packed", "CL_TYPE_ZIP:*:exe:1-20:50-51:*:*:*:*"),
        ("Stored", "CL_TYPE_ZIP:*:*:51:51:*:1:*:*"),
        ("Later", "*:*:exe:*:*:*:3-9:*:*"),
        ("Secret", "*:*:*:*:*:1:*:*:*")))}, files)
    both = {"Name", "Case"}
    same(found, {"a.zip": both | {"Zip", "Whole", "Packed"},
                 "b.tar": both | {"Tar"},
                 "c.zip": both | {"Zip", "Stored"}})


@test
def a_macro_looks_between_two_places_of_a_body(khien):
    hello, world = "68656c6c6f", "776f726c64"
    found = names(
        khien, {"a.ndb": "Group:0:$7:%s\n" % world,
                "a.ldb": "Macro;Engine:51-255,Target:0;0&1;%s;${5-7}7$\n"
                % hello},
        {"good": BINARY + b"hello\0world\0hello\0",
         "far": BINARY + b"hello\0\0\0\0world\0hello\0",
         "alone": BINARY + b"hello\0world\0\0"})
    same(found, {"good": {"Macro"}, "far": set(), "alone": set()})


@test
def a_site_may_add_types(khien):
    body = b"needle".hex()
    sources = {
        "a.ftm": "0:0:4b48494e:Ours:CL_TYPE_ANY:CL_TYPE_ELF\n"
                 "0:2:494e4e:Later:CL_TYPE_ANY:CL_TYPE_PDF\n"
                 "0:0:504b0304:ZIP:CL_TYPE_ANY:CL_TYPE_ZIP\n",
        "a.ndb": "Elf:6:*:%s\nPdf:10:*:%s\nAny:0:*:%s\n" % ((body,) * 3)}
    same(names(khien, sources, {
        "elf": b"KHIN\0\1 needle\0", "pdf": b"KHINN\0\1 needle\0",
        "none": b"KHIM\0\1 needle\0"}),
        {"elf": {"Elf", "Any"}, "pdf": {"Pdf", "Any"}, "none": {"Any"}})


@test
def a_manifest_allows_what_packages_carry(khien):
    good, bad = BINARY + b"a needle, known", BINARY + b"a needle, unknown"
    lines = "%s  usr/bin/thing\n" % hashlib.md5(good).hexdigest()
    sha = "%s *usr/bin/thing\n" % hashlib.sha256(bad + b"2").hexdigest()
    same(names(khien, {"a.ndb": "N:0:*:6e6565646c65\n",
                       "thing.md5sums": lines, "thing.sha256sums": sha},
               {"good": good, "bad": bad, "two": bad + b"2"}),
         {"good": set(), "bad": {"N"}, "two": set()})


@test
def an_indicator_holds_to_its_last_day(khien):
    vietnam = datetime.timezone(datetime.timedelta(hours=7))
    today = datetime.datetime.now(vietnam).date()
    files, lines = {}, ""
    for name, days in (("past", -2), ("soon", 2), ("late", 4000)):
        files[name] = BINARY + name.encode()
        lines += "%s:%s:%s:Tinh.%s-2\n" % (
            hashlib.sha256(files[name]).hexdigest(),
            "*" if days == 2 else len(files[name]),
            today + datetime.timedelta(days), name)
    same(names(khien, {"province.indicators": lines}, files),
         {"past": set(), "soon": {"Tinh.soon-2"}, "late": {"Tinh.late-2"}})
    has(khien("db", "find", "set", "Tinh.late-2")[1], "province.indicators")


BASE = {
    "a.hdb": "".join("%032x:%d:Hash.%d\n" % (i * 7 ** 40 % 2 ** 128, 50 + i, i)
                     for i in range(1, 400)),
    "a.mdb": "512:%032x:Part.1\n" % 77,
    "a.ndb": "Old.1:0:*:6f6c64206e6565646c65\nOld.2:7:*:676f6e65206279\n",
    "a.ldb": "Old.3;Engine:51-255,Target:0,FileSize:10-10;0=0;ffff\n",
    "a.cdb": "Old.4:*:*:old[.]exe:*:*:*:*:*:*\n"}
MORE = {
    "b.hdb": "%032x:5:New.1\n%032x:52:New.2\n" % (1, 7 ** 40),
    "b.ndb": "New.3:0:*:6e6577206e6565646c65\nNew.4:1:EP+0:4e4e\n"
             "Group:0:$3:776f726c64\n",
    "b.ldb": "New.5;Engine:51-255,Target:0;0&1;68656c6c6f;${5-7}3$\n",
    "b.cdb": "New.6:*:*:new[.]exe:*:*:*:*:*:*\n",
    "b.ftm": "0:0:4b48494e:Ours:CL_TYPE_ANY:CL_TYPE_ELF\n",
    "b.fp": "%032x:99:Good\n" % 5,
    "b.sfp": "%s:%d:Good\n" % (hashlib.sha1(b"a good old needle").hexdigest(),
                               17)}
OUT = {"c.ign2": "Old.2\nOld.4\nHash.7\nHash.399\nNew.4\n"}


def write_all(khien, folder, *groups):
    for group in groups:
        for name, text in group.items():
            khien.write(folder + "/" + name, text.encode())


@test
def a_set_grows_into_what_it_would_be_if_built_anew(khien):
    write_all(khien, "base", BASE)
    write_all(khien, "more", MORE, OUT)
    write_all(khien, "all", BASE, MORE, OUT)
    same(khien("db", "build", "-o", "base.set", "base")[0], 0)
    code, grown, _ = khien("db", "build", "--base", "base.set", "-o",
                           "grown.set", "more")
    same(code, 0)
    whole = khien("db", "build", "-o", "whole.set", "all")[1]
    same(grown.splitlines()[:4], whole.splitlines()[:4])
    same(khien("db", "diff", "whole.set", "grown.set")[:2], (0, ""))
    same(khien("db", "verify", "grown.set")[0], 0)
    files = {"old": BINARY + b"old needle", "new": BINARY + b"new needle",
             "good": b"a good old needle", "gone": b"gone by, as text",
             "abc": BINARY + b"abcdef", "macro": BINARY
             + b"hello\0world\0hello\0", "o.zip": zip_of([("old.exe", b"1")]),
             "n.zip": zip_of([("new.exe", b"1")]), "elf": b"KHIN"}
    for name, data in files.items():
        khien.write("f/" + name, data)
    outs = [sorted(khien("scan", "--all", "--db", name, "f")[1].splitlines())
            for name in ("whole.set", "grown.set")]
    same(outs[0], outs[1])
    for want in ("f/old: Old.1", "f/new: New.3", "f/macro: New.5",
                 "f/n.zip: New.6"):
        has("\n".join(outs[1]), want)
    for name in ("f/good", "f/gone", "f/o.zip"):
        same([line for line in outs[1] if line.startswith(name)], [])


@test
def a_set_grows_twice(khien):
    write_all(khien, "base", BASE)
    write_all(khien, "more", MORE)
    write_all(khien, "out", OUT)
    write_all(khien, "all", BASE, MORE, OUT)
    for args in (("-o", "0", "base"), ("--base", "0", "-o", "1", "more"),
                 ("--base", "1", "-o", "2", "out"), ("-o", "all.set", "all")):
        same(khien("db", "build", *args)[0], 0)
    same(khien("db", "diff", "all.set", "2")[:2], (0, ""))


@test
def what_cannot_be_added_to_is_refused(khien):
    write_all(khien, "base", BASE)
    khien.write("a.yar", b"rule a { condition: true }")
    khien.write("b.ign2", b"Old.1:" + b"0" * 32)
    same(khien("db", "build", "-o", "base.set", "base")[0], 0)
    code, _, err = khien("db", "build", "--base", "base.set", "-o", "s",
                         "a.yar")
    same(code, 3)
    has(err, "build it anew")
    has(khien("db", "build", "--base", "base.set", "-o", "s", "b.ign2")[2],
        "b.ign2:1")
    data = bytearray((khien.folder / "base.set").read_bytes())
    data[len(data) // 2] ^= 1
    khien.write("bad.set", bytes(data))
    khien.write("x.hdb", b"%032x:5:New.1\n" % 1)
    code, _, err = khien("db", "build", "--base", "bad.set", "-o", "s",
                         "x.hdb")
    same(code, 3)
    has(khien("db", "build", "--base", "none", "-o", "s", "x.hdb")[2],
        "no file none")


@test
def files_that_were_clean_are_scanned_with_what_is_new(khien):
    write_all(khien, "base", BASE)
    same(khien("db", "build", "-o", "base.set", "base")[0], 0)
    khien.write("f/new", BINARY + b"new needle")
    khien.write("f/old", b"a good old needle")
    khien.write("f/fine", b"nothing here at all")
    khien.write("ok/ok.sfp", "%s:17:Good\n".encode()
                % hashlib.sha1(b"a good old needle").hexdigest().encode())
    same(khien("db", "build", "--base", "base.set", "-o", "b.set", "ok")[0], 0)
    time.sleep(2.1)  # what changed just now may change again unseen
    same(khien("scan", "--db", "b.set", "--cache", "c", "f")[:2], (0, ""))
    hashes = "%s:19:New.Hash\n" % hashlib.md5(
        b"nothing here at all").hexdigest()
    write_all(khien, "one", {"h.hdb": hashes})
    same(khien("db", "build", "--base", "b.set", "-o", "c.set", "one")[0], 0)
    _, out, err = khien("scan", "--db", "c.set", "--cache", "c", "f")
    same(out, "f/fine: New.Hash FOUND\n")
    has(err, "Unchanged since they were clean: 2\n")
    # A new body is looked for in all; what the whole set allows stays so.
    write_all(khien, "two", {"n.ndb": "New.Needle:0:*:6e6565646c65\n"})
    same(khien("db", "build", "--base", "c.set", "-o", "d.set", "two")[0], 0)
    _, out, err = khien("scan", "--db", "d.set", "--cache", "c", "f")
    same(sorted(out.splitlines()),
         ["f/fine: New.Hash FOUND", "f/new: New.Needle FOUND"])
    has(err, "Unchanged since they were clean: 0\n")


def picture(pixel, size=64):
    """A grey PNG."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    rows = b"".join(b"\0" + bytes(pixel(x, y) & 255 for x in range(size))
                    for y in range(size))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(
        ">IIBBBBB", size, size, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


@test
def a_picture_is_known_by_how_it_looks(khien):
    # 805f015d5957457f is what sigtool --fuzzy-img says of the first.
    subs = "fuzzy_img#805F015d5957457f"
    same(names(khien, {"a.ldb": "".join(
        "%s;Engine:150-255,Target:%s\n" % row for row in (
            ("Same", "0;0;" + subs), ("Both", "5;0&1;%s#0;504e47" % subs),
            ("Other", "5;0=0;" + subs)))},
        {"one": picture(lambda x, y: x * y // 16),
         "two": picture(lambda x, y: x * x // 20 + y),
         "none": b"a text"}),
         {"one": {"Same", "Both"}, "two": {"Other"}, "none": set()})


@test
def what_cannot_be_used_is_named(khien):
    khien.write("s/a.cdb", b"A:CL_TYPE_NONE:*:*:*:*:*:*:*:*\nB:*:1-:*:*:*:*:*"
                b":*:*\nC:*:*:(:*:*:*:*:*:*\nEnd:*:*:*\n")
    khien.write("s/a.ftm", b"4:0:41:x:CL_TYPE_ANY:CL_TYPE_ZIP\n"
                b"0:0:4:x:CL_TYPE_ANY:CL_TYPE_ZIP\n0:0:41:x:A:B\n")
    khien.write("s/a.indicators", b"00:*:2026-01-01:X\n"
                + b"0" * 64 + b":*:2026-13-01:X\n")
    khien.write("s/a.ldb", b"M;Engine:51-255,Target:0;0;${1-2}3$\n"
                b"I;Engine:51-255,Target:0;0;fuzzy_img#12#3\n")
    khien.write("s/a.md5sums", b"nothing here\n")
    code, _, err = khien("db", "build", "-o", "set", "s")
    same(code, 0)
    for where in ("a.cdb:1", "a.cdb:2", "a.cdb:3", "a.cdb:4", "a.ftm:1",
                  "a.ftm:2", "a.ftm:3", "a.indicators:1", "a.indicators:2",
                  "a.ldb:1", "a.ldb:2", "a.md5sums:1"):
        has(err, where)


sys.exit(run(tests))
