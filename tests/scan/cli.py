#!/usr/bin/python3
"""What khien prints and how it exits, as khien(1) promises.  Prints TAP."""
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parent / "diff"))
import documents  # noqa: E402
from formats import zip_of  # noqa: E402
from support.command import EICAR, has, run, same  # noqa: E402

FOUND = "Eicar-Test-Signature FOUND"
tests = []


def test(function):
    tests.append(function)
    return function


@test
def a_clean_folder_exits_0(khien):
    khien.write("a/b/fine.txt", b"fine")
    code, out, err = khien("scan", "a")
    same((code, out), (0, ""))
    has(err, "Files: 1\n")


@test
def each_infected_file_is_one_line_and_exits_1(khien):
    khien.write("a/one.com", EICAR)
    khien.write("a/b/two.com", EICAR)
    khien.write("a/fine", b"fine")
    code, out, _ = khien("scan", "a")
    same(code, 1)
    same(sorted(out.splitlines()),
         ["a/b/two.com: " + FOUND, "a/one.com: " + FOUND])


@test
def strange_names_stay_one_line(khien):
    for name, shown in ((b"new\nline", "new\\nline"),
                        (b"bad\xffbyte", "bad\\xffbyte"),
                        (b"esc\x1b[31m", "esc\\x1b[31m"),
                        (b"back\\slash", "back\\\\slash"),
                        ("tệp".encode(), "tệp"),
                        ("rtl\u202egpj.exe".encode(),
                         "rtl\\xe2\\x80\\xaegpj.exe")):
        khien.write(name, EICAR)
        code, out, _ = khien("scan", name)
        same((code, out), (1, shown + ": " + FOUND + "\n"))


@test
def what_is_missing_is_named_and_exits_3(khien):
    khien.write("fine", b"fine")
    code, out, err = khien("scan", "fine", "gone")
    same((code, out), (3, ""))
    has(err, "khien scan: gone: No such file or directory\n")
    has(err, "Not read: 1\n")


@test
def found_beats_missing(khien):
    khien.write("e", EICAR)
    code, out, _ = khien("scan", "gone", "e")
    same((code, out), (1, "e: " + FOUND + "\n"))


@test
def links_pipes_and_loops_are_passed_over(khien):
    khien.write("out/e", EICAR)
    khien.write("in/fine", b"fine")
    os.symlink("../out", khien.folder / "in/folder")
    os.symlink("../out/e", khien.folder / "in/file")
    os.symlink(".", khien.folder / "in/self")
    os.symlink("nowhere", khien.folder / "in/broken")
    os.mkfifo(khien.folder / "in/pipe")
    code, out, err = khien("scan", "in")
    same((code, out), (0, ""))
    has(err, "Files: 1\n")
    # but a link that the user names is meant
    same(khien("scan", "in/file")[0], 1)
    code, _, err = khien("scan", "in/pipe")
    same(code, 3)
    has(err, "in/pipe: neither a file nor a folder\n")


@test
def deep_folders_are_walked_to_their_limit(khien):
    deep = "d/" * 300
    khien.write(deep + "e", EICAR)
    code, out, _ = khien("scan", "d")
    same((code, out.count("FOUND")), (1, 1))
    fd = os.open(khien.folder, os.O_RDONLY)
    for _ in range(600):
        os.mkdir("x", dir_fd=fd)
        inner = os.open("x", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    code, _, err = khien("scan", "x")
    same(code, 3)
    has(err, "Not read: 1\n")


@test
def what_cannot_be_scanned_is_a_line_and_exits_0(khien):
    khien.write("m.txt", b"secret")
    subprocess.run(["zip", "-q", "-P", "x", "locked.zip", "m.txt"],
                   cwd=khien.folder, check=True)
    khien.write("broken.gz", b"\x1f\x8b\x08" + b"no" * 50)
    code, out, err = khien("scan", "locked.zip", "broken.gz")
    same(code, 0)
    same(sorted(out.splitlines()), ["broken.gz: damaged UNSCANNABLE",
                                    "locked.zip: encrypted UNSCANNABLE"])
    has(err, "Not scanned in full: 2\n")


@test
def json_has_a_line_for_each_file_and_a_summary(khien):
    khien.write("j/e", EICAR)
    khien.write("j/f\xff".encode("latin-1"), b"fine")
    subprocess.run(["tar", "-cf", "t.tar", "e"], cwd=khien.folder / "j",
                   check=True)
    code, out, _ = khien("scan", "--json", "j", "gone")
    rows = [json.loads(line) for line in out.splitlines()]
    same(code, 1)
    same(len(rows), 5)
    by_path = {r.get("path"): r for r in rows}
    e = by_path["j/e"]
    same((e["outcome"], e["name"], e["size"], len(e["sha256"])),
         ("infected", "Eicar-Test-Signature", 68, 64))
    same(by_path["j/t.tar"]["inner"], "e")
    same(by_path["j/f\\xff"]["outcome"], "clean")
    same(by_path["gone"]["outcome"], "error")
    same((rows[-1]["outcome"], rows[-1]["files"], rows[-1]["infected"],
          rows[-1]["errors"]), ("summary", 3, 2, 1))


@test
def wrong_use_is_told_in_a_line_and_exits_2(khien):
    for args, message in (
            ((), "khien: no verb; see khien --help"),
            (("frob",), "khien: unknown verb: frob"),
            (("db", "frob"), "khien: unknown verb: frob"),
            (("scan",), "khien scan: no path to scan"),
            (("scan", "--frob", "x"), "khien scan: unknown option: --frob"),
            (("scan", "-q", "x"), "khien scan: unknown option: -q"),
            (("scan", "--jobs", "0", "x"),
             "khien scan: --jobs is not 1 to 64: 0"),
            (("scan", "x", "--db"), "khien scan: option needs a value: --db"),
            (("db", "build", "x"), "khien db build: -o FILE is missing"),
            (("db", "build", "-o", "x"),
             "khien db build: no signature file"),
            (("db", "build", "-o", "x", "--set-version", "a", "y"),
             "khien db build: --set-version is not a number: a"),
            (("db", "info"), "khien db info: no signature set named")):
        same(khien(*args), (2, "", message + "\n"))


@test
def help_and_version_are_answers(khien):
    for args in (("--help",), ("scan", "--help"), ("db", "build", "--help"),
                 ("db", "info", "--help"), ("--version",), ("db", "--help")):
        code, out, err = khien(*args)
        same((code, err), (0, ""))
        has(out, "khien ")


@test
def messages_are_vietnamese_unless_english_is_asked_for(khien):
    for lang, message in (("vi_VN.UTF-8", "chưa nêu đường dẫn cần quét"),
                          ("C.UTF-8", "chưa nêu đường dẫn cần quét"),
                          ("en_GB.UTF-8", "no path to scan")):
        same(khien("scan", lang=lang)[2], "khien scan: %s\n" % message)


@test
def a_signature_is_never_called_what_the_law_calls_a_digital_one(khien):
    for verb in (("scan",), ("db", "build"), ("db", "info")):
        out = khien(*verb, "--help", lang="vi_VN.UTF-8")[1]
        has(out, "bộ")
        same("chữ ký" in out.lower(), False)


@test
def a_path_that_the_agent_cannot_scan_is_named_with_the_reason(khien):
    code, out, err = khien("agent", "scan", "no/such", lang="en")
    same((code, out, err), (3, "", "khien agent scan: no/such: "
                            "No such file or directory\n"))


@test
def a_set_is_built_told_about_and_used(khien):
    khien.write("s/a.ndb", b"Worm.A:0:*:61626364\n# fine\nworse\n")
    code, out, err = khien("db", "build", "-o", "set", "--set-version", "12",
                           "s")
    same((code, err), (0, "s/a.ndb:3: 1 fields, name:target:offset:body"
                          "[:min[:max]] expected\n"))
    has(out, "Body signatures: 2\n")
    has(out, "Skipped: 1\n")
    code, out, _ = khien("db", "info", "set")
    same(code, 0)
    has(out, "Signature set: 12\n")
    info = json.loads(khien("db", "info", "--json", "set")[1])
    same((info["set_version"], info["bodies"], info["skipped"]), (12, 2, 1))
    khien.write("w", b"xx abcd")
    same(khien("scan", "--db", "set", "w")[:2], (1, "w: Worm.A FOUND\n"))


@test
def a_bad_set_is_refused_and_exits_3(khien):
    khien.write("fine", b"fine")
    khien.write("bad", b"KHIENSET" + bytes(5000))
    for named, args in (
            ("bad", ("scan", "--db", "bad", "fine")),
            ("gone", ("scan", "--db", "gone", "fine")),
            ("bad", ("db", "info", "bad")),
            ("gone.ndb", ("db", "build", "-o", "out", "gone.ndb")),
            ("", ("db", "build", "-o", "no/such/out", "fine"))):
        code, out, err = khien(*args)
        same((code, out), (3, ""))
        same(err.count("\n"), 1)
        has(err, named)


@test
def without_its_worker_nothing_is_scanned(khien):
    khien.write("e", EICAR)
    os.environ["KHIEN_WORKER"] = "/nowhere/khien-worker"
    try:
        code, out, err = khien("scan", "e")
    finally:
        del os.environ["KHIEN_WORKER"]
    same((code, out), (3, ""))
    has(err, "/nowhere/khien-worker")


LOGICAL = ("Own.Worm;Engine:51-255,Target:0;0&(1|2)>1;"
           "6e617374792d776f726d::i;6e6565646c65;686179\n")


@test
def lists_of_links_are_counted_found_and_explained(khien):
    khien.write("own.pdb", b"H:bank.com\nR:.+:.+[.]shop[.]com:17-\nbad\n")
    khien.write("own.wdb", b"M:mail.com:bank.com\n")
    khien.write("own.gdb", b"S1:P:00112233\nS1:F:" + b"0" * 64 + b"\n")
    code, out, err = khien("db", "build", "-o", "set", "own.pdb", "own.wdb",
                           "own.gdb")
    same(code, 0)
    has(err, "own.pdb:3: ")
    has(out, "Link patterns: 3\n")
    has(khien("db", "info", "--json", "set")[1], '"links":3')
    code, out, _ = khien("db", "find", "set", "bank.com")
    same(sorted(line.split("  ")[0] for line in out.splitlines()),
         ["H:bank.com", "M:mail.com:bank.com"])
    has(out, "own.wdb")
    out = khien("db", "explain", "set", "R:.+:.+")[1]
    has(out, "(?:.+:.+[.]shop[.]com)/")
    has(khien("db", "find", "set", "URL.Blocked")[1], "own.gdb")
    khien.write("letter", b"From: a@b.example\nTo: c@d.example\n"
                b"Content-Type: text/html\n\n"
                b"<a href=http://evil.com>www.bank.com</a>\n")
    code, out, _ = khien("scan", "--json", "--db", "set", "letter")
    same(code, 1)
    found = json.loads(out.splitlines()[0])
    same((found["outcome"], found["name"], found["source"]), (
        "suspicious", "Heuristics.Phishing.Email.SpoofedDomain", "own.pdb"))


@test
def icons_are_counted_found_and_explained(khien):
    digits = "20" + "0000000" * 6 + "000000" * 12 + "00000000"
    khien.write("own.idb", b"Own.Icon:Docs:Word:%s\nbad:a:b:00\n"
                % digits.encode())
    khien.write("own.ldb", b"Own.Fake;Engine:51-255,Target:1,"
                b"IconGroup1:Docs;0;4d5a\n")
    code, out, err = khien("db", "build", "-o", "set", "own.idb", "own.ldb")
    same(code, 0)
    has(err, "own.idb:2: ")
    has(out, "Icons: 1\n")
    has(khien("db", "info", "--json", "set")[1], '"icons":1')
    has(khien("db", "find", "set", "Own.Icon")[1], "Own.Icon  icon ")
    has(khien("db", "explain", "set", "Own.Icon")[1],
        "pattern: Docs:Word:%s\n" % digits)
    has(khien("db", "explain", "set", "Own.Fake")[1],
        "condition: IconGroup:Docs:*\n")
    khien.write("own.idb", b"Own.Icon:Docs:Excel:%s\n" % digits.encode())
    same(khien("db", "build", "-o", "other", "own.idb", "own.ldb")[0], 0)
    code, out, _ = khien("db", "diff", "set", "other")
    same((code, out.count("Own.Icon"), out.count("Own.Fake")), (1, 2, 0))


@test
def a_set_can_be_found_in_and_explained(khien):
    khien.write("s/own.ldb", LOGICAL.encode())
    khien.write("s/own.hdb", b"5d41402abc4b2a76b9719d911017c592:5:Own.Hash\n")
    same(khien("db", "build", "-o", "set", "s")[0], 0)
    same(khien("db", "verify", "set")[0], 0)
    code, out, _ = khien("db", "find", "set", "Own.")
    same(code, 0)
    has(out, "Own.Hash  hash 5d41402abc4b2a76b9719d911017c592:5  own.hdb\n")
    has(out, "Own.Worm  body ")
    same(khien("db", "find", "set", "Nobody")[0], 1)
    code, out, _ = khien("db", "explain", "set", "Own.Worm")
    same(code, 0)
    has(out, "expression: (0&((1|2))>1)\n")
    has(out, "pattern: 6e617374792d776f726d i\n")
    has(out, "anchor")


@test
def two_sets_are_compared(khien):
    khien.write("a/own.ldb", LOGICAL.encode())
    khien.write("b/own.ldb", LOGICAL.replace("686179", "6861797a").encode())
    khien.write("b/own.hdb", b"5d41402abc4b2a76b9719d911017c592:5:Own.Hash\n")
    for name in "ab":
        same(khien("db", "build", "-o", name + ".set", name)[0], 0)
    same(khien("db", "diff", "a.set", "a.set")[:2], (0, ""))
    code, out, _ = khien("db", "diff", "a.set", "b.set")
    same(code, 1)
    same(out.count("removed"), 1)
    same(out.count("added"), 2)


@test
def a_changed_byte_is_found_by_verify(khien):
    khien.write("own.ldb", LOGICAL.encode())
    same(khien("db", "build", "-o", "set", "own.ldb")[0], 0)
    data = bytearray((khien.folder / "set").read_bytes())
    data[9000] ^= 1
    khien.write("set", bytes(data))
    code, _, err = khien("db", "verify", "set")
    same(code, 3)
    has(err, "damaged in bytes")


@test
def strict_refuses_a_bad_line(khien):
    khien.write("own.ndb", b"Bad:0:*:6\nGood:0:*:6e6565646c65\n")
    code, _, err = khien("db", "build", "--strict", "-o", "set", "own.ndb")
    same(code, 3)
    has(err, "own.ndb:1: ")
    same((khien.folder / "set").exists(), False)
    same(khien("db", "build", "-o", "set", "own.ndb")[0], 0)


@test
def an_ignored_name_is_left_out_whatever_the_order(khien):
    khien.write("s/a.ndb", b"One:0:*:6e6565646c65\nTwo:0:*:6e6565646c65\n")
    khien.write("s/z.ign2", b"One\n")
    same(khien("db", "build", "-o", "set", "s")[0], 0)
    khien.write("f", b"a needle")
    same(khien("scan", "--db", "set", "f")[1], "f: Two FOUND\n")


@test
def all_matches_are_named(khien):
    khien.write("s/a.ndb", b"One:0:*:6e6565646c65\nTwo:0:*:6e6565646c65\n")
    same(khien("db", "build", "-o", "set", "s")[0], 0)
    khien.write("f", b"a needle")
    out = khien("scan", "--all", "--db", "set", "f")[1]
    same(sorted(out.splitlines()), ["f: One FOUND", "f: Two FOUND"])


@test
def what_is_suspicious_is_told_when_asked_for(khien):
    def z(name, data):
        khien.write("m/" + name, data)
        subprocess.run(["zip", "-qj", name + ".zip", "m/" + name],
                       cwd=khien.folder, check=True)

    z("bill.pdf.exe", b"x")
    z("picture.jpg", (khien.folder / khien.program).read_bytes()[:4000])
    z("fine.pdf", b"%PDF-1.4")
    khien.write("n/doc.rtf", b"{\\rtf{\\object{\\*\\objdata 0102}}}")
    subprocess.run(["zip", "-qj", "-P", "x", "secret.zip", "m/fine.pdf"],
                   cwd=khien.folder, check=True)
    khien.write("k/picture.jpg",
                (khien.folder / khien.program).read_bytes()[:4000])
    paths = ("k", "bill.pdf.exe.zip", "picture.jpg.zip", "fine.pdf.zip",
             "secret.zip", "n/doc.rtf")
    same([line for line in khien("scan", *paths)[1].splitlines()
          if not line.startswith("secret")], [])
    code, out, _ = khien("scan", "--suspicious", "all", *paths)
    same(code, 1)
    same(sorted(out.splitlines()),
         ["bill.pdf.exe.zip: Heuristics.Disguised.Ending FOUND",
          "k/picture.jpg: Heuristics.Disguised.Program FOUND",
          "n/doc.rtf: Heuristics.Rtf.Object FOUND",
          "picture.jpg.zip: Heuristics.Disguised.Program FOUND",
          "secret.zip: Heuristics.Encrypted.Archive FOUND"])
    same(khien("scan", "--suspicious", "macro", *paths[:3])[:2], (0, ""))
    same(khien("scan", "--suspicious", "none", "m")[0], 2)


@test
def macro_sheets_of_excel_4_are_told_in_every_kind_of_workbook(khien):
    shell = [documents.wide("calc") + documents.call(documents.EXEC)]
    khien.write("a.xls", documents.workbook_of(shell))
    khien.write("b.xlsb", documents.binary_workbook_of(shell))
    khien.write("c.xlsm", zip_of([("xl/workbook.xml", b"<workbook/>"), (
        "xl/macrosheets/sheet1.xml", b"<xm:macrosheet/>")]))
    khien.write("d.xls", documents.workbook_of(shell, 0))
    khien.write("e.xlsx", zip_of([("xl/workbook.xml", b"<workbook/>"), (
        "xl/worksheets/sheet1.xml", b"<worksheet/>")]))
    paths = ("a.xls", "b.xlsb", "c.xlsm", "d.xls", "e.xlsx")
    same(khien("scan", *paths)[:2], (0, ""))
    code, out, _ = khien("scan", "--suspicious", "macro", *paths)
    same(code, 1)
    same(sorted(out.splitlines()), [
        name + ": Heuristics.Macro.XLM FOUND" for name in paths[:3]])


@test
def names_within_an_installer_can_be_read(khien):
    for name in ("Binary.setup.exe", "Icon._odd.ico"):
        khien.write("a.msi", documents.compound_of(
            [(documents.installer_name(name), EICAR)]))
        code, out, _ = khien("scan", "--json", "a.msi")
        same(code, 1)
        same(json.loads(out.splitlines()[0])["inner"], name)


@test
def an_unsigned_container_is_refused(khien):
    khien.write("main.cvd", b"ClamAV-VDB:1:1:1:1:" + b"0" * 32
                + b":aaaa:me:1".ljust(460) + b"rubbish")
    code, _, err = khien("db", "build", "-o", "set", "main.cvd")
    same(code, 3)
    has(err, "main.cvd")


@test
def an_unchanged_file_is_passed_over(khien):
    khien.write("d/clean", b"clean")
    khien.write("d/bad", EICAR)
    time.sleep(2.1)  # what changed just now may change again unseen
    first = khien("scan", "--cache", "cache", "d")
    second = khien("scan", "--cache", "cache", "d")
    same(first[:2], second[:2])
    has(first[2], "Unchanged since they were clean: 0\n")
    has(second[2], "Unchanged since they were clean: 1\n")
    khien.write("d/clean", EICAR)
    same(khien("scan", "--cache", "cache", "d")[1].count("FOUND"), 2)


sys.exit(run(tests))
