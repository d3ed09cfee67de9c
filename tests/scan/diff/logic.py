"""Families of logical signatures."""
import re

from bodies import wide, word_of
from harness import BINARY, one

BLOCK = "Engine:51-255,Target:0"


def expression(rng, subs, depth, least):
    """Each of clamscan's forms; it refuses groups of one operand."""
    operator = rng.choice("&|")
    parts = []
    for _ in range(rng.randint(least, 3)):
        if depth and rng.random() < 0.35:
            parts.append("(" + expression(rng, subs, depth - 1, 2) + ")"
                         + rng.choice(("", "", ">1", ">2", "=2", "<3", ">1,2",
                                       ">2,2", "=3,2", "<5,2")))
            continue
        sub = str(rng.randrange(subs))
        if rng.random() < 0.5:
            sub += rng.choice(("=0", "=1", "=2", ">0", ">1", ">2", "<2",
                               "<3"))
        parts.append(sub)
    if rng.random() < 0.3:
        return "".join(p + rng.choice("&|") for p in parts)[:-1]
    return operator.join(parts)


def sub_body(rng):
    """A subsignature, and forms that match it or narrowly do not."""
    word = word_of(rng, rng.choice((4, 6, 9, 12)))
    modifiers = rng.choice(("",) * 5 + ("::i", "::w", "::wa", "::f", "::fw"))
    forms = [word]
    if modifiers == "::i":
        forms = [word.upper(), word.lower(), word]
    elif "f" in modifiers:
        forms = [b" " + word + b" ", b"." + word + b",", b"a" + word + b" ",
                 b" " + word + b"9"]
    if "w" in modifiers:
        forms = [wide(f) for f in forms] + (forms if "a" in modifiers else [])
    return word.hex() + modifiers, forms


def expressions(rng, name):
    """clamscan wants the last subsignature named in the expression; it is
    one that must be there, or the signature might match all files."""
    logic = expression(rng, rng.choice((2, 3, 4)), 2, 2)
    count = max(int(n) for n in re.findall(r"(?<![=<>,0-9])\d+", logic)) + 2
    logic = "(%s)&%d" % (logic, count - 1)
    bodies = [sub_body(rng) for _ in range(count)]
    pieces = [rng.choice(forms) for _, forms in bodies
              for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    rng.shuffle(pieces)
    data = BINARY + rng.randbytes(20) + b"\1\2".join(pieces) + b"\0\0\3\4"
    block = ""
    if rng.random() < 0.5:
        size = len(data) + rng.choice((0, 0, 0, 1))
        block = ",FileSize:%d-%d" % (size, size + 9)
    return one("ldb", "%s;%s%s;%s;%s" % (name, BLOCK, block, logic, ";".join(
        b for b, _ in bodies)), data)


def regex(rng, word):
    """A pattern of a word, and a text that it may match."""
    half = len(word) // 2
    left, right = word[:half].decode(), word[half:].decode()
    return rng.choice((
        (left + right, word),
        (left + "." + right, word[:half] + rng.choice((b"x", b"\n"))
         + word[half:]),
        ("^" + left + ".*" + right + "$", word[:half] + b"__" + word[half:]
         + rng.choice((b"", b"\n"))),
        (left + "[0-9]+?" + right, word[:half] + b"1234" + word[half:]),
        (left + " " + right, word[:half] + rng.choice((b"", b" "))
         + word[half:]),
        ("(?<=Q)" + left + "(?:" + right + "|zz)", b"Q" + word),
        (left + r"\x00{2}" + right, word[:half] + b"\0\0" + word[half:])))


def regexes(rng, name):
    """Flags, offsets and triggers of regular expressions."""
    trigger, word = word_of(rng, 6), word_of(rng, 8, b"abcdefgh")
    pattern, form = regex(rng, word)
    flags = "".join(f for f in "gismxAEUre" if rng.random() < 0.2)
    if rng.random() < 0.3:
        form = form.upper()
    head = BINARY + rng.choice((b"", trigger)) + b"\1\2"
    head += rng.choice((b"", b"\n"))
    again = b"".join(form + rng.choice((b"", b"\n", b"\3"))
                     for _ in range(rng.randint(1, 3)))
    data = head + again + rng.choice((b"", b"\1\2")) + rng.choice(
        (b"", trigger))
    at = len(head) + rng.choice((0, 0, -1, 1))
    offset = rng.choice(("", "", "%d:" % at, "%d,%d:" % (
        at, rng.choice((2, len(form) + 1, 40)))))
    on = rng.choice(("0", "0", "0", "0=0", "0>1", "0=1"))
    test = rng.choice(("1", "1", "1", "1=1", "1=2", "1>1", "1=0"))
    return one("ldb", "%s;%s;%s&2;%s;%s%s/%s/%s;%s" % (
        name, BLOCK, test, trigger.hex(), offset, on, pattern, flags,
        BINARY.hex()), data)


def number(rng, kind, value, width, order):
    """Text or bytes of a value.  Numbers of `a` after blanks, of `a` in less
    than 3 bytes, and swapped ones that do not fill their bytes are read
    there in ways that no signature can rely on: README.md."""
    if kind == "i":
        return (value % 256 ** width).to_bytes(
            width, "little" if order == "l" else "big")
    if order == "l":
        return b"%0*x" % (width, value % 16 ** width)
    text = {"d": "%d", "h": rng.choice(("%x", "%X", "0x%x")),
            "a": rng.choice(("%d", "0x%x"))}[kind] % value
    text = text[:width]
    forms = [text.ljust(width), text.rjust(width, "0"),
             text.ljust(width, "z")]
    return rng.choice(forms if kind == "a" else forms + [
        text.rjust(width)]).encode()


def byte_compare(rng, name):
    word = word_of(rng, 8)
    kind = rng.choice("idha")
    order = {"i": rng.choice("lb"), "d": rng.choice(("", "b")),
             "h": rng.choice("lb"), "a": "b"}[kind]
    width = rng.choice((1, 2, 4, 8)) if kind == "i" else \
        rng.choice((2, 4, 6, 8)) if order == "l" else \
        rng.randint(3 if kind == "a" else 1, 8)
    value = rng.choice((0, 1, 7, 12, 99, 200, 255, 256, 4660, 70000))
    exact = rng.choice(("", "", "e"))
    gap = rng.randint(0, 5)
    read = number(rng, kind, value, width, order)
    if rng.random() < 0.7:
        where, data = ">>%d" % (len(word) + gap), word + b"\1" * gap + read
    else:
        where = "<<%d" % (width + gap)
        data = read + b"\1" * gap + word
    tests = ",".join(rng.choice("<>=") + rng.choice(("%d", "0x%x", "%d"))
                     % max(value + rng.choice((-1, 0, 0, 1)), 0)
                     for _ in range(rng.choice((1, 1, 2))))
    body = rng.choice(("", "\1"))
    return one("ldb", "%s;%s;0&1;%s;0(%s#%s%s%s%d#%s)" % (
        name, BLOCK, word.hex(), where, kind, order, exact, width, tests),
        BINARY + b"\1\2\3" + data + body.encode())


def macros(rng, name):
    """One group, one macro for each word: more depend on the order of files
    there."""
    first, second = word_of(rng, 6), word_of(rng, 6)
    low = rng.randint(0, 12)
    high = low + rng.randint(0, 9)
    pieces = [rng.choice((first, second)) for _ in range(rng.randint(2, 6))]
    data = BINARY + b"".join(p + b"\1" * rng.randint(0, 9) for p in pieces)
    case = one("ldb", "%s;%s;0&1;%s;${%d-%d}1$" % (
        name, BLOCK, first.hex(), low, high), data + b"\1\2")
    case.lines.append(("ndb", "%sg:0:$1:%s" % (name, second.hex())))
    return case


FAMILIES = (expressions, regexes, byte_compare, macros)
