"""Each rule of docs/dev/clamscan.md as an exact case, with the answer that
both engines must give, or the one that only one of them gives, knowingly."""
import collections
import gzip
import hashlib

import archives
import documents
import icons
import mails
import programs
import signers
from harness import BINARY, Broken, build, clamscan, write

B = BINARY
BLOCK = "Engine:51-255,Target:0"
A, C, D = "41416161", "43436363", "44446464"  # AAaa, CCcc, DDdd
Row = collections.namedtuple(
    "Row", "rule ext line hits misses more here there name")
ROWS, REFUSED, TAKEN = [], [], []


def row(rule, ext, line, hits=(), misses=(), more=(), here=(), there=(),
        name="@"):
    """@ is the name; files of `here` and `there` are hits of one alone."""
    ROWS.append(Row(rule, ext, line, hits, misses, more, here, there, name))


def ndb(rule, body, hits, misses=(), **more):
    row(rule, "ndb", "@:0:*:" + body, [B + h + b"\1" for h in hits],
        [B + m + b"\1" for m in misses], **more)


def ldb(rule, logic, subs, hits, misses=(), block=BLOCK, **more):
    row(rule, "ldb", ";".join(("@", block, logic, subs)),
        [B + b"\1\2" + h + b"\1\2" for h in hits],
        [B + b"\1\2" + m + b"\1\2" for m in misses], **more)


def letters(text):
    """a, c, d stand for the words of the three subsignatures."""
    return b"\1".join({"a": b"AAaa", "c": b"CCcc", "d": b"DDdd"}[c]
                      for c in text) if text else b"\2"


def logic(rule, expression, hits, misses, last=2):
    subs = ";".join((A, C, D)[:last + 1])
    ldb(rule, expression, subs, [letters(t) for t in hits],
        [letters(t) for t in misses])


# ---- expressions ------------------------------------------------------------

logic("a row groups to the right", "0&1|2", ["ac", "ad"], ["cd", "a", "d"])
logic("or first is no precedence", "0|1&2", ["a", "cd"], ["c", "d"])
logic("in parentheses the last splits first", "(0&1|2)", ["d", "ac"],
      ["a", "c"])
logic("exactly once", "0=1&1", ["ac"], ["aac", "c"], 1)
logic("never", "0=0&1", ["c"], ["ac", "a"], 1)
logic("less than one is never", "0<1&1", ["c"], ["ac"], 1)
logic("less than none is false", "0<0|1", ["c", "ac"], ["a", ""], 1)
logic("the second number after an id is ignored", "0>0,2&1", ["ac"],
      ["c"], 1)
logic("a sum of two", "(0&1)=2", ["ac"], ["aac", "a"], 1)
logic("a sum of a failed and is 0", "(0&1)<3&2", ["acd", "d", "ad"],
      ["aacd"])
logic("at least two of two different", "(0|1)>1,2&2", ["acd"],
      ["ad", "aad", "d"])
logic("a failed test adds nothing", "(0>1|1)>2&2", ["aacd"], ["accd"])
logic("never adds nothing", "(0=0|1)>0&2", ["cd"], ["d", "ad"])
logic("double parentheses", "((0))&1", ["ac"], ["a", "c"], 1)
for odd in ("0<=1&1", "0=1=1&1", "0,1&1"):
    row("malformed, read somehow", "ldb", "@;%s;%s;%s;%s" % (
        BLOCK, odd, A, C), there=[B + letters("ac")], misses=[B + b"CCcc"])
for bad in ("0&", "&0", "()", "0)", "(0", "!0", "0=", "0&2"):
    REFUSED.append(("ldb", "@;%s;%s;%s;%s" % (BLOCK, bad, A, C)))
REFUSED.append(("ldb", "@;%s;1;%s" % (BLOCK, A)))

# ---- counts, bodies ---------------------------------------------------------

ldb("overlaps count", "0=3&1", "7a7a7a;4343", [b"zzzzz\2CC"],
    [b"zzzz\2CC", b"zzzzzz\2CC"])
ldb("each end counts once", "0=1&1", "4141*4242;4343", [b"AA\1AA\1BB\2CC"],
    [b"AA\1BB\1BB\2CC"])
ldb("every end with any start counts", "0=2&1", "4141*4242;4343",
    [b"AA\1BB\1BB\2CC", b"AA\1BB\1AA\1BB\2CC"], [b"AA\1BB\2CC"])
ldb("a short gap counts its ends", "0=4&1", "4343{-3}4444;4545",
    [b"CCDDDDD\2EE"], [b"CCDDDDDD\2EE"][:0] + [b"CCDDD\2EE"])
ldb("every place of a part counts", "0", "41414141{300-310}42424242",
    [b"AAAA" + bytes(2) + b"AAAA\2" * 20 + bytes(199) + b"BBBB"],
    [b"AAAA\2" * 20 + bytes(400) + b"BBBB"])
row("a wild byte must be there", "ndb", "@:0:*:51524142??",
    [B + b"QRABC"], [B + b"QRAB"])
row("a wild byte before, too", "ndb", "@:0:*:??6a6b6c6d",
    [b"\xffjklm" + B], [b"jklm" + B])
for gap in ("{0}", "{-0}", "{-}", "{}"):
    ndb("%s is any gap" % gap, "5152%s5354" % gap,
        [b"QRST", b"QR" + bytes(90) + b"ST"])
ndb("an impossible gap", "5152{3-2}5354", [], [b"QRST", b"QR\1\1ST"])
ndb("a gap of n is n wild bytes", "5152{2}5354", [b"QR..ST"],
    [b"QR.ST", b"QR...ST"])
ldb("a gap of n is not widened", "0", "6865{1}6c6f::w", [],
    [b"h\0e\0x\0l\0o\0"])
ldb("a wild byte is widened", "0", "6865??6c6f::w", [b"h\0e\0x\0l\0o\0"],
    [b"hexlo"])
ndb("a jump", "5152[1-2]53", [b"QR.S", b"QR..S"], [b"QRS", b"QR...S"])
ndb("a jump before", "51[1-2]5354", [b"Q.ST", b"Q..ST"], [b"QST"])
ndb("jumps on both sides", "51[1-2]5354[1-2]55", [b"Q.ST.U", b"Q..ST..U"],
    [b"QST.U", b"Q.STU"])
ndb("[2] is exactly 2", "5152[2]53", [b"QR..S"], [b"QR...S"])
ndb("negated alternatives, one byte", "5152!(41|42)53", [b"QRCS"],
    [b"QRAS", b"QRBS", b"QRS"])
ndb("negated alternatives, two bytes", "5152!(4141|4242)53",
    [b"QRABS", b"QRCCS"], [b"QRAAS", b"QRBBS"])
ldb("half bytes are not folded", "0", "68656c6c6?::i", [b"HELLo"],
    [b"HELLO"])
ndb("alternatives", "5152(41|42)53", [b"QRAS", b"QRBS"], [b"QRCS"])
ndb("half bytes", "51524?535?", [b"QRASX", b"QROS_"], [b"QRaSX"])
for bad in ("4141[1-33]42", "4141[1-2]4242[1-2]",
            "68!(6d|6d6d)6f", "48", "4865*6c??20", "41 42", "4142zz",
            "686"):
    REFUSED.append(("ndb", "@:0:*:" + bad))
for bad in ("6868::q", "6868::I"):
    REFUSED.append(("ldb", "@;%s;0;%s" % (BLOCK, bad)))

# ---- markers, modifiers -----------------------------------------------------

LEFT = {"B": b" -./<@_", "L": b"\n"}
RIGHT = {"B": b" \n\r\"'-/=>_", "L": b"\n"}
ALNUM = bytes(c for c in range(128) if chr(c).isalnum())
NOT_ALNUM = bytes(c for c in range(256) if c not in ALNUM)


def every_byte(mark, good, left, number):
    word = b"edge%02d" % number
    body = mark + word.hex() if left else word.hex() + mark
    files = {c: B + (bytes([c]) + word if left else word + bytes([c]))
             + b"\1" for c in range(256)}
    row("%s on the %s, every byte" % (mark, "left" if left else "right"),
        "ndb", "@:0:*:" + body, [files[c] for c in good] + [
            word + b"\1" + B if left else B + word],
        [data for c, data in files.items() if c not in good])


for number, mark in enumerate("BLW"):
    every_byte("(%s)" % mark, LEFT.get(mark, NOT_ALNUM), True, number)
    every_byte("(%s)" % mark, RIGHT.get(mark, NOT_ALNUM), False, number + 3)
row("(L) takes a line end of two", "ndb", "@:0:*:6c696e6565(L)",
    [B + b"linee\r\n\1", B + b"linee\r\n"], [B + b"linee\r\1"])
row("an offset counts from the first byte", "ndb", "@:0:9:(W)6d61726b6b",
    [B + b"\1\2\3markk\1"], [B + b"\1\2markk\1", B + b"\1\2xmarkk\1"])
ndb("inside a marker eats", "6861616c6c(W)776f", [b"haall wo"],
    [b"haalltwo"])
ndb("inside a marker eats one", "6862626c6c(W)20776f", [b"hbbll  wo"],
    [b"hbbll wo"])
ndb("inside (L) eats two", "6863636c6c(L)776f", [b"hccll\r\x0awo",
    b"hccll\x0awo"], [b"hccll wo"])
ldb("a full word", "0", "66756c6c::f", [b" full ", b"\1full."],
    [b"afull ", b" full9"])
ldb("modifiers in any order", "0", "66756d6d::fi", [b" FUMM "],
    [b"xfumm "])
ldb("wide and not", "0", "77696465::wa", [b"wide", b"w\0i\0d\0e\0"],
    [b"w\0ide"])
ldb("no modifiers at all", "0", "6e6f6e6d::", [b"nonm"], [b"NONM"])
ldb("nocase with a gap", "0", "6e6f6361*7365::i", [b"NOCa..SE"],
    [b"NOC..SE"])

# ---- offsets ----------------------------------------------------------------

MANY = [b"s64%02d" % i for i in range(64)]
ldb("64 subsignatures", "&".join(str(i) for i in range(64)),
    ";".join(w.hex() for w in MANY), [b"".join(MANY)],
    [b"".join(MANY[:63])])
row("an exact place", "ndb", "@:0:8:706c6163", [B + b"\1\2plac"],
    [B + b"\1plac", B + b"\1\2\3plac"])
row("a shift is inclusive", "ndb", "@:0:8,2:706c6164",
    [B + b"\1" * n + b"plad" for n in (2, 3, 4)],
    [B + b"\1" * n + b"plad" for n in (1, 5)])
row("from the end", "ndb", "@:0:EOF-6:706c6165", [B + b"\1\2\3plae\1\2"],
    [B + b"\1\2\3plae\1", B + b"\1plae\1\2\3"])
row("from the end with a shift", "ndb", "@:0:EOF-6,1:706c6166",
    [B + b"\1\2\3plaf\1\2", B + b"\1\2\3plaf\1"], [B + b"\1\2plaf"])
row("an empty offset matches nothing", "ndb", "@:0::706c6167",
    [], [B + b"plag"])
for bad in ("0:EOF", "0:EOF+0", "0:0x8", "0:eof-4", "0:*,5", "0:-4",
            "1:EP", "1:S0", "1:S0-0",
            "1:SL-0", "0:$32"):
    REFUSED.append(("ndb", "@:%s:706c6163" % bad))


def program_rows():
    text, data = b"\1" * 16 + b"ENTRY" + b"\2" * 9, b"DATA0" + b"\3" * 600
    pe = programs.pe(None, [text, data], 0, 16)
    plus = programs.pe(None, [text, data], 0, 16, True)
    elf = programs.elf(None, [text, data], 0, 16)
    mach = programs.macho(None, [text, data])
    other = programs.pe(None, [data, text], 1, 12)
    entry, first = b"ENTRY".hex(), b"DATA0".hex()
    row("EP", "ndb", "@:1:EP+0:" + entry, [pe.data, plus.data],
        [other.data])
    row("EP with an empty shift", "ndb", "@:1:EP+0,:" + entry,
        misses=[other.data], there=[pe.data])
    row("EP minus", "ndb", "@:1:EP-16:01010101", [pe.data], [])
    row("EP of an ELF", "ndb", "@:6:EP+0:" + entry, [elf.data], [pe.data])
    row("Sx", "ndb", "@:1:S1+0:" + first, [pe.data], [other.data])
    row("sections of an ELF count from the null one", "ndb",
        "@:6:S1+16:" + entry, [elf.data], [pe.data])
    row("sections of a Mach-O", "ndb", "@:9:S1+0:" + first, [mach.data],
        [pe.data])
    row("SL", "ndb", "@:1:SL+0:" + first, [pe.data], [other.data])
    row("SEx", "ndb", "@:1:SE1:" + first, [pe.data], [other.data])
    row("SEx with a shift reaches so far behind it", "ndb",
        "@:1:SE0,4:" + b"BEHND".hex(), [programs.pe(None, [
            b"\1" * 512, bytes(n) + b"BEHND"]).data for n in (0, 4)],
        [programs.pe(None, [b"\1" * 512, bytes(5) + b"BEHND"]).data])
    row("a section that is not there", "ndb", "@:1:S9+0:" + first, [],
        [pe.data])
    for target, good in ((1, pe), (6, elf)):
        low = "%d-%d" % (good.entry, good.entry)
        row("EntryPoint is a place in the file", "ldb",
            "@;Engine:51-255,EntryPoint:%s,Target:%d;0;%s"
            % (low, target, entry), [good.data], [other.data])
        n = len(good.sections)
        row("NumberOfSections", "ldb", "@;Engine:51-255,NumberOfSections:"
            "%d-%d,Target:%d;0;%s" % (n, n, target, entry), [good.data])
    section = pe.sections[1]
    raw = pe.data[section.at:section.at + section.size]
    row("mdb", "mdb", "%d:%s:@" % (len(raw), hashlib.md5(raw).hexdigest()),
        [pe.data, plus.data, archives.zip_of([("a", pe.data)])])
    third = programs.pe(None, [b"third" + data])
    raw = third.data[third.sections[0].at:]
    row("msb", "msb", "*:%s:@:73" % hashlib.sha256(raw).hexdigest(),
        [third.data])
    libs = [(b"KERNEL32.dll", [b"Sleep", 7]), (b"a.drv", [b"X"])]
    table = programs.imports(libs, 0x1000)
    digest, size = programs.import_hash(libs)
    odd = [(b"a.dll", [b"One", b"T<o"])]
    name, n = programs.import_hash(odd)
    row("imp: an odd letter voids it", "imp", "%s:%d:@" % (name, n), [], [
        programs.pe(None, [programs.imports(odd, 0x1000)],
                    dirs={1: (0x1000, 40)}).data])
    files = [programs.pe(None, [table + b"z"], plus=p,
                         dirs={1: (0x1000, 60)}).data for p in (0, 1)]
    row("imp, never of PE32+", "imp", "%s:%d:@" % (digest, size), files[:1],
        files[1:])


program_rows()

# ---- regular expressions, bytes ---------------------------------------------


def pcre(rule, sub, hits, misses=(), test="1"):
    ldb(rule, test, "74726967;" + sub, [b"trig" + h for h in hits],
        [b"trig" + m for m in misses] + [hits[0] if hits else b"-"])


pcre("a trigger is needed", "0/help+o/", [b"helppo"], [b"heo"])
pcre("no g counts once", "0/x1y/", [b"x1y x1y"], [b"xy"], "1=1")
pcre("g counts all", "0/x2y/g", [b"x2y x2y"], [b"x2y"], "1=2")
pcre("an offset alone is anchored", "12:0/h3llo/", [b"h3llo"], [b"\1h3llo"])
pcre("r: from there on", "12:0/h4llo/r", [b"h4llo", b"\1\1h4llo"])
pcre("a shift is inclusive", "12,2:0/h5llo/", [b"h5llo", b"\1\1h5llo"],
     [b"\1\1\1h5llo"])
pcre("e: the match ends within the shift", "12,7:0/h6llo/e",
     [b"h6llo", b"\1\1h6llo"], [b"\1\1\1h6llo"])
pcre("g goes on where it ended", "12:0/h9lo/g", [b"h9loh9lo"],
     [b"h9lo", b"h9lo\1h9lo"], "1=2")
pcre("n:e is anchored", "12:0/h7llo/e", [b"h7llo"], [b"\1h7llo"])
pcre("the subject starts at the offset", "12:0/^h8llo/r", [b"h8llo"])
pcre("a slash in a pattern", "0/a9/b/", [b"a9/b"], [b"a9b"])
pcre("i, s", "0/h.llO0/is", [b"H\nLLO0"], [b"h\n\nllo0"])
ldb("a trigger of never", "1&2", "7878;0=0/zy1x/;717171",
    [b"qqqzy1x"], [b"qqqxxzy1x"])
for bad in ("1/ab/;4142", "2/ab/;4142", "0//", "0/ab/q", "0/a(/"):
    REFUSED.append(("ldb", "@;%s;1;74726967;%s" % (BLOCK, bad)))


def bytes_at(rule, sub, hits, misses=(), logic="1", word=b"here"):
    ldb(rule, logic, word.hex() + ";" + sub, [word + h for h in hits],
        [word + m for m in misses])


bytes_at("one byte", "0(>>4#ib1#=7)", [b"\7"], [b"\6"])
bytes_at("two, each order", "0(>>4#il2#=0x102)", [b"\2\1"], [b"\1\2"])
bytes_at("i needs an order", "0(>>4#i2#=0x102)", [], [b"\1\2", b"\2\1"])
bytes_at("decimal", "0(>>4#d4#=12)", [b"12zz", b"  12", b"0012"], [b"1200"])
bytes_at("no digits are 0", "0(>>4#d2#=0)", [b"zz"], [b"1z"])
bytes_at("exact", "0(>>4#de4#=12)", [b"0012"], [b"12zz"])
bytes_at("hex", "0(>>4#hb4#=0x12ab)", [b"12ab", b"12AB"], [b"12ac"])
bytes_at("hex, swapped", "0(>>4#hl4#=0x3412)", [b"1234"], [b"3412"])
bytes_at("either", "0(>>4#ab4#=0x12)", [b"0x12", b"0018"], [b"0012"])
bytes_at("two comparisons", "0(>>4#d2#>10,<20)", [b"12"], [b"20", b"10"])
bytes_at("a failed trigger counts 0", "0(>>4#ib1#=7)", [], [b"\7"], "1=0")
bytes_at("octal", "0(>>4#ib1#=010)", [b"\x08"], [b"\x0a"])
ldb("compared groups count what is not needed", "(0=0|1)>0&2",
    "6b6b6b6b;6c6c6c6c;6d6d6d6d", [b"llllmmmm"], [b"mmmm"])
ldb("two different ones of a group", "(0|1)>0,2&2",
    "6b6b6b6c;6c6c6c6d;6d6d6d6e", [b"kkkl\1lllm\1mmmn"],
    [b"kkkl\1kkkl\1mmmn"])
ldb("the last match of the trigger", "1", "68657270;0(>>4#ib1#=2)",
    [b"herp\1herp\2"], [b"herp\2herp\1"])
for bad in ("0(>>4#i3b#=1)", "0(>>4#ib1#=1,=1,=1)",
            "0(>>4#ib1#==1)"):
    REFUSED.append(("ldb", "@;%s;1;68657265;%s" % (BLOCK, bad)))

# ---- descriptions -----------------------------------------------------------

row("the size of the object", "ldb",
    "@;Engine:51-255,FileSize:10-11,Target:0;0;73697a65",
    [B + b"size", B + b"size\1", archives.zip_of([("a", B + b"size\2")])],
    [B + b"size\1\2"])
row("an empty end is 0", "ldb",
    "@;Engine:51-255,FileSize:1-,Target:0;0;73697a66", [], [B + b"sizf"])
row("the last target wins", "ldb",
    "@;Engine:51-255,Target:1,Target:0;0;73697a67", [B + b"sizg"])
row("other levels", "ldb", "@;Engine:51-100,Target:0;0;73697a68", [],
    [B + b"sizh"])
row("an unknown type", "ldb",
    "@;Engine:51-255,Container:CL_TYPE_NONE1,Target:0;0;73697a69", [],
    [B + b"sizi"])
row("an unknown key", "ldb", "@;Engine:51-255,Foo:1-2,Target:0;0;73697a6a",
    [], [B + b"sizj"])
row("a file of 6 bytes", "ldb", "@;%s,FileSize:6-6;0=0;71717171" % BLOCK,
    [B[:6]], [B[:5], B + b"\1"])
REFUSED.append(("ldb", "@;Engine:51-255,FileSize:9,Target:0;0;4142"))


def nested_rows():
    def in_(word, *kinds):
        return archives.wrap(B + bytes(99) + word.encode() + bytes(9),
                             ["CL_TYPE_" + k for k in kinds])

    def nested(rule, key, word, hits, misses):
        row(rule, "ldb", "@;Engine:81-255,%s,Target:0;0;%s" % (
            key, word.encode().hex()), [in_(word, *k.split()) for k in hits],
            [in_(word, *k.split()) for k in misses])

    nested("the direct parent", "Container:CL_TYPE_ZIP", "parent",
           ["ZIP", "GZ ZIP"], ["", "GZ", "ZIP GZ"])
    nested("no parent", "Container:CL_TYPE_ANY", "noparn", [""],
           ["ZIP", "GZ"])
    nested("a tar in a gzip", "Container:CL_TYPE_POSIX_TAR", "tarred",
           ["GZ POSIX_TAR"], ["GZ"])
    nested("two layers", "Intermediates:CL_TYPE_GZ>CL_TYPE_ZIP", "layers",
           ["GZ ZIP", "BZ GZ ZIP"], ["ZIP", "ZIP GZ", "BZ ZIP"])
    nested("each layer of compression is one",
           "Intermediates:CL_TYPE_BZ>CL_TYPE_GZ", "bzofgz", ["BZ GZ"],
           ["GZ", "BZ", "GZ BZ"])
    for key in ("CL_TYPE_ZIP>CL_TYPE_ANY", "CL_TYPE_ANY>CL_TYPE_ZIP"):
        nested("ANY takes no place", "Intermediates:" + key,
               "anyplc%d" % key.index("ANY"), ["GZ ZIP", "ZIP ZIP"],
               ["ZIP", "ZIP GZ"])


    row("HandlerType is a condition", "ldb", "@;Engine:81-255,HandlerType:"
        "CL_TYPE_ZIP,Target:0;0;%s" % b"handler".hex(), [in_("handler")], [])
    inner = B + b"\1\2fpstored"
    stored = archives.zip_of([("a", inner)], True)
    row("fp of a member leaves its stored copy", "ndb", "@:0:*:" + b"fpstored"
        .hex(), [stored], [inner, archives.zip_of([("a", inner)])],
        [("fp", "%s:%d:Good" % (hashlib.md5(inner).hexdigest(),
                                len(inner)))])


nested_rows()

# ---- text -------------------------------------------------------------------

row("target 7 sees small letters", "ndb", "@:7:*:" + b"tseven".hex(),
    [b"some text TSEVEN and more\n"], [B + b"tseven"])
row("target 7 never sees capitals", "ndb", "@:7:*:" + b"CAPITA".hex(), [],
    [b"some text CAPITA and more\n"])
row("target 0 sees both", "ndb", "@:0:*:" + b"RAWraw".hex(),
    [b"some text RAWraw and more\n"], [b"some text rawraw and more\n"])
row("blanks are one", "ndb", "@:7:*:" + b"one two".hex(),
    [b"text with one  \t two and more\n"], [b"text with onetwo, more\n"])
row("UTF-16 is converted", "ndb", "@:7:*:" + b"utfword".hex(),
    ["some text utfword and more\n".encode("utf-16")],
    [B + "utfword".encode("utf-16-le")])
PAGE = b"<html><body>PAGEpage</body></html>"
row("a page with zeros in it", "ndb", "@:3:*:" + b"pagepage".hex(), [
    PAGE, PAGE + b"\0\0", B + b"\0" + PAGE, bytes(1018) + PAGE,
    PAGE.replace(b"PAGE", b"PA\0GE") + b"\0", b"x" * 3000 + PAGE,
    PAGE.decode().encode("utf-16"),
    PAGE.decode().encode("utf-16") + b"\0\0\0\0"],
    [bytes(1019) + PAGE, PAGE.replace(b"html", b"ht\0ml"),
     PAGE.decode().encode("utf-16-be"), PAGE.replace(b"html>", b"html x>")])
HTML = b"<html><head><title>x</title></head>\n<body>\n<p>a b</p></body></html>"
row("a hash of an HTML file", "hdb", "%s:%d:@" % (
    hashlib.md5(HTML).hexdigest(), len(HTML)), here=[HTML])

# ---- hashes, allow lists ----------------------------------------------------


def hash_rows():
    for i, kind in enumerate((hashlib.md5, hashlib.sha1, hashlib.sha256)):
        data = B + b"hashed %d" % i
        digest, n = kind(data).hexdigest(), len(data)
        for ext in ("hdb", "hsb"):
            row("%s in %s" % (kind.__name__[8:], ext), ext,
                "%s:%d:@" % (digest.upper(), n), [data], [data + b"x"])
            break
        row("any size", "hsb", "%s:*:@:73" % kind(data + b"y").hexdigest(),
            [data + b"y"], [data])
        row("of a member", "hdb", "%s:%d:@" % (
            kind(data + b"z").hexdigest(), n + 1),
            [archives.zip_of([("a", data + b"z")]),
             gzip.compress(data + b"z", mtime=0)])
    data = B + b"a wrong size"
    row("another size", "hdb", "%s:%d:@" % (
        hashlib.md5(data).hexdigest(), len(data) + 1), [], [data])
    data = B + b"leading zeros"
    row("053 is 53", "hdb", "%s:%05d:@" % (
        hashlib.md5(data).hexdigest(), len(data)), [data])
    md5 = "0" * 32
    REFUSED.extend([("hdb", md5 + ":0:@"),
                    ("hdb", md5[1:] + ":9:@"), ("hdb", md5 + ":-9:@")])


def allow_rows():
    def allowed(rule, word, good, found, sized=0, kind=hashlib.sha1):
        inner = B + b"\1\2" + word
        outer = archives.zip_of([("a", inner)])
        data = {"inner": inner, "outer": outer}[good]
        row(rule, "ndb", "@:0:*:" + word.hex(),
            [{"inner": inner, "outer": outer}[f] for f in found],
            [v for k, v in (("inner", inner), ("outer", outer))
             if k not in found],
            more=[("sfp", "%s:%d:Good" % (kind(data).hexdigest(),
                                          len(data) + sized))])

    allowed("fp of the file", b"fpfile", "outer", ["inner"])
    allowed("fp of the member", b"fpmember", "inner", [])
    allowed("fp of another size", b"fpsize", "inner", ["inner", "outer"], 1)
    allowed("fp by another hash", b"fpother", "inner", [], 0, hashlib.md5)


def ignore_rows():
    data = B + b"ignored"
    line = "@:0:*:" + b"ignored".hex()
    row("ign2 by name", "ndb", line, [], [data], [("ign2", "@")])
    row("ign2 by another case", "ndb", line, [data + b"2"], [],
        [("ign2", "E")])
    row("ign by place", "ndb", line, [], [data + b"4"],
        [("ign", "rows.ndb:1:@")])


hash_rows()
allow_rows()
ignore_rows()

# ---- old bodies, levels, members --------------------------------------------

row("an old body", "db", "@=6f6c64626f6479", [B + b"oldbody"])
row("a level below", "ndb", "@:0:*:6c6576656c31:51:216", there=[
    B + b"level1"])
row("a level far above", "ndb", "@:0:*:6c6576656c32:300", [],
    [B + b"level2"])
row("an empty highest level", "ndb", "@:0:*:6c6576656c33::", here=[
    B + b"level3"])
row("an unused target", "ndb", "@:15:*:6c6576656c34", [], [B + b"level4"])
ZIP = [("dir/Evil.exe", B + b"evil"), ("two", b"two")]
for rule, rest, good in (
        ("case counts", "evil:*:*:*:*:*:*", False),
        ("(?i)", "(?i)evil:*:*:*:*:*:*", True),
        ("the path", "^dir/:*:*:*:*:*:*", True),
        ("the size", "Evil:*:10:*:*:*:*", True),
        ("another size", "Evil:*:11:*:*:*:*", False),
        ("the first", "Evil:*:*:*:1:*:*", True),
        ("not the second", "Evil:*:*:*:2:*:*", False),
        ("the checksum is ignored", "Evil:*:*:*:*:1234:*", True)):
    files = [archives.zip_of(ZIP)]
    row("cdb: " + rule, "cdb", "@:CL_TYPE_ZIP:*:" + rest,
        files if good else [], [] if good else files)
REFUSED += [("cdb", "@:*:*:x:1-:*:*:*:*:*"), ("cdb", "@:*:*:x:-9:*:*:*:*:*"),
            ("ndb", "@:0:*"), ("ndb", "@:0:*:4142:x"), ("ndb", "@:x:*:4142"),
            ("ldb", "@;%s;0;4142;" % BLOCK), ("db", "@=zz4142"),
            ("ldb", "@;%s;%s;%s" % (BLOCK, "|".join(
                str(i) for i in range(65)), ";".join(["4142"] * 65)))]
# Refused there and taken here: what they mean is clear, and one line that
# only another engine dislikes shall not cost a signature.
TAKEN += [
    ("ndb", ""), ("ndb", "@:0:*:5b5d"), ("ndb", "@:0:*:4141[-2]42"),
    ("hdb", "0" * 32 + ":*:@"),
    ("ldb", "@;%s;((0|1)>1)=1;4142;4344" % BLOCK),
    ("ldb", "@;%s;0&(1)>0;4142;4344" % BLOCK),
    ("ldb", "@;%s;0;68!(6d)6f::w" % BLOCK),
    ("ldb", "@;%s;1;68657265;0(>>4#dl2#=1)" % BLOCK),
    ("ldb", "@;Target:0,FileSize:1-9;0;4142"),
    ("ldb", "@;Engine:51-255;0;4142"),
    ("ldb", "@;Engine:51-255,EntryPoint:1-9,Target:0;0;4142")]
TAKEN += [("ndb", "@:0:%s:4142" % p) for p in ("EP+0", "S0+0", "SL+0", "VI")]

# ---- certificates -----------------------------------------------------------

signers.rows(row)
REFUSED += signers.refused()

# ---- documents --------------------------------------------------------------


def macro_rows():
    """Macro sheets of Excel 4: what stands in the text, not in the file."""
    def says(rule, text, **found):
        row(rule, "ndb", "@:0:*:" + text.encode().hex(), **found)
    book, call = documents.workbook_of, documents.call
    shell = documents.wide("calc") + call(documents.EXEC)
    says("formulas of macro sheets are text",
         "Cell Formula - R1C1 len=15  ptgStrcalc ptgFuncVarV args 1 func EXEC "
         "(0x006e)", hits=[book([shell])],
         misses=[book([shell], 0), book([call(documents.HALT)])])
    says("each in its line", " - R2C1 len=4  ptgFuncVarV args 2 func HALT (",
         hits=[book([shell, call(documents.HALT, 2)])], misses=[book([shell])])
    says("names that begin by themselves", "built-in-name 1 auto_open",
         hits=[book([shell], names=documents.AUTO_OPEN)],
         misses=[book([shell])])
    says("sheets", "Sheet Information - Excel 4.0 macro sheet, visible\n",
         hits=[book([])], misses=[book([], 0), book([], 2)])
    says("functions above 127", "func <unknown function> (0xff96)",
         hits=[book([call(documents.CALL)])], misses=[book([shell])])
    says("they are named here", "(0xff96) CALL",
         here=[book([call(documents.CALL)])])
    says("tokens that end it there", "ptgUminus ptgParen ptgInt 3",
         here=[book([b"\x1e\1\0\x13\x15\x1e\3\0"])])
    says("binary workbooks become text here",
         "ptgStrcalc ptgFuncVarV args 1 func EXEC (0x006e)",
         here=[documents.binary_workbook_of(
             [documents.wide12("calc") + call(documents.EXEC)])])


macro_rows()
ndb("compressed bodies of messages", b"body of a mail".hex(), [],
    here=[documents.message_of(b"{\\rtf1 body of a mail}")])


def hangul_rows():
    word = b"words of Hangul " * 9
    hangul = documents.hangul_of
    names = ("DocInfo", "BodyText/Section0", "BodyText/section12",
             "Scripts/DefaultJScript", "Scripts/JScriptVersion",
             "BinData/BIN0001.png", "ViewText/Section0", "Other/BIN2")
    row("streams of Hangul are inflated by their names", "ndb",
        "@:0:*:" + word[:16].hex(),
        hits=[hangul(word, n) for n in names],
        misses=[hangul(word, n) for n in (
            "PrvText", "DocOptions/_LinkDoc", "BodyText/Foo", "Foo")])


hangul_rows()
for some, want in (((), True), (("a", "b"), True), (("a", "b", "c"), False),
                   (("mimetype", *"abcdef"), True),
                   (("a", "b", "mimetype", *"cdef"), True),
                   (("a", "b", "c", "mimetype"), False),
                   (("version.xml", *"abc"), True),
                   (("[Content_Types].xml", *"abc"), True),
                   (("docProps/app.xml", *"abc"), True),
                   (("customXml/a", *"abc"), True),
                   (("_rels/.rels", *"abc"), False)):
    for last, kind in (("Contents/content.hpf", "HWP"), ("xl/a", "XL")):
        data = archives.zip_of([*((n, b"-") for n in some),
                                (last, B + b"a part")], True)
        row("what a zip is by its names", "ldb", "@;Engine:51-255,"
            "Container:CL_TYPE_OOXML_%s,Target:0;0;%s" % (
                kind, b"a part".hex()), [data] if want else [],
            [] if want else [data])
# ---- links of mails ---------------------------------------------------------

mails.rows(row)
REFUSED += mails.REFUSED
TAKEN += mails.TAKEN

# ---- icons ------------------------------------------------------------------

icons.rows(row)
REFUSED += icons.refused()
TAKEN += icons.TAKEN

# ---- running them -----------------------------------------------------------


def named(text, number):
    return text.replace("@", "Row%d" % number)


def files_of(r, number):
    """{file: the sides that find it}."""
    both, none, sides = "both", "none", {}
    for side, some in ((both, r.hits), (none, r.misses), ("here", r.here),
                        ("there", r.there)):
        for data in some:
            sides["%d.%d" % (number, len(sides))] = (side, data)
    return sides


def check_rows(both):
    """Links apart: what else is found is more than a suspicion."""
    numbers = range(len(ROWS))
    return [text for links in (False, True) for text in check_some(
        both, [i for i in numbers if (ROWS[i].name != "@") == links])]


def check_some(both, numbers):
    lines, files, bad = [], {}, []
    for i in numbers:
        r = ROWS[i]
        lines += [(ext, named(text, i)) for ext, text in r.more]
        lines.append((r.ext, named(r.line, i)))
        files.update(files_of(r, i))
    theirs, ours, _ = both.run(lines, {k: d for k, (_, d) in files.items()})
    if theirs is None:
        raise Broken("clamscan refuses a row of exact.py: " + find_refused(
            both))
    for name, (side, data) in files.items():
        i = int(name.partition(".")[0])
        pair = (name, named(ROWS[i].name, i))
        for who, found in (("there", theirs), ("here", ours)):
            want = side in ("both", who)
            if (pair in found) != want:
                bad.append("%s (%s): %s %s, on %s" % (
                    ROWS[i].rule, ROWS[i].line[:70],
                    "not found" if want else "found", who,
                    data[:60].hex()))
    return bad


def find_refused(both):
    for i, r in enumerate(ROWS):
        write(both.folder, [(r.ext, named(r.line, i)), *r.more],
              {"f": b"x" * 9})
        if clamscan(both.folder) is None:
            return r.rule + ": " + r.line
    return "none alone"


def check_refused(both):
    bad = []
    for i, (ext, text) in enumerate(REFUSED + TAKEN):
        line = named(text, i)
        write(both.folder, [(ext, line)], {"f": b"x" * 9})
        if clamscan(both.folder) is not None:
            bad.append("taken there: .%s %s" % (ext, line))
        if bool(build(both.program, both.folder)) != (i < len(REFUSED)):
            bad.append("%s here: .%s %s" % (
                "taken" if i < len(REFUSED) else "named", ext, line))
    return bad


def run(both, number):
    bad = []
    for check in (check_rows, check_refused):
        try:
            bad += check(both)
        except Broken as e:
            bad.append(str(e))
    for text in bad:
        print("# " + text.replace("\n", "\n# "))
    print("%s %d - exact: %d rules, %d refused lines, %d differ" % (
        "not ok" if bad else "ok", number, len(ROWS),
        len(REFUSED) + len(TAKEN), len(bad)), flush=True)
    return not bad

