"""Lines that are not quite right.  What clamscan takes must match the same
here, unless khien names the line as one that it cannot use.  Each line is a
run of its own, since clamscan refuses the whole file for a bad one."""
from bodies import word_of
from harness import BINARY, one

BLOCK = "Engine:51-300,Target:0"
SEEDS = {
    "ndb": ("{n}:0:*:{w}", "{n}:0:6:{w}", "{n}:0:EOF-19:{w}{{2-4}}4243",
            "{n}:0:4,3:{w}", "{n}:0:*:{w}01(41|42)4243:51:300",
            "{n}:0:*:{w}??41*4243", "{n}:0:*:{w}[2-4]42"),
    "ldb": ("{n};" + BLOCK + ";0&1;{w};4142::i",
            "{n};" + BLOCK + ";(0|1)>1,2;{w};4142",
            "{n};" + BLOCK + ";0;{w}::wa",
            "{n};Engine:51-300,FileSize:1-90,Target:0;0=1;{w}",
            "{n};" + BLOCK + ";1;{w};0/ab+c/gi",
            "{n};" + BLOCK + ";0&1;{w};0(>>8#ib1#=1)"),
}
LETTERS = ":;,*{}[]()|&=<>-+/#0129afxgEOF? "


def bent(rng, line):
    """One character lost, doubled, added or changed."""
    at = rng.randrange(len(line))
    kind = rng.randrange(4)
    if kind == 0:
        return line[:at] + line[at + 1:]
    if kind == 1:
        return line[:at] + line[at] + line[at:]
    return line[:at] + rng.choice(LETTERS) + line[at + (kind == 3):]


def bent_line(rng, name):
    word = word_of(rng, 8)
    ext = rng.choice(tuple(SEEDS))
    line = rng.choice(SEEDS[ext]).format(n=name, w=word.hex())
    head, _, rest = line.partition(":" if ext == "ndb" else ";")
    line = head + line[len(head)] + bent(rng, rest)
    return one(ext, line, BINARY + word + b"\1ABCDabbcBC")


FAMILIES = ()
ALONE = (bent_line,)
