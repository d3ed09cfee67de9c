"""Certificates (.crb): the rules with their answers, and a random family."""
import functools

import archives
import programs
import signed
from bodies import word_of
from harness import Case
from signed import Cert, sign

IN, AFTER = 1600000000, 1700000000  # the certificate OLD ends between them
ENDS = 1640000000


@functools.lru_cache(None)
def key(number):
    return signed.Key(number)


def program(word, plus=False):
    return programs.pe(None, [bytes(16) + word + b"\2" * 600, b"x" * 90],
                       0, 16, plus).data


# Number of the key, issuer, what Cert() takes; made when they are asked for.
CERTS = {
    "ca": (0, None, {"ca": True}),
    "leaf": (1, "ca", {"purpose": ["code"]}),
    "old": (2, "ca", {"purpose": ["code"], "until": ENDS}),
    "tsa": (3, "ca", {"purpose": ["stamp"]}),
    "late": (3, "ca", {"purpose": ["stamp"], "until": IN - 9}),
    "any": (4, "ca", {}),
    "server": (4, "ca", {"purpose": ["server"]}),
    "mid": (5, "ca", {"ca": True}),
    "stamps": (5, "ca", {"purpose": ["stamp"], "ca": True}),
    "none": (5, "ca", {"ca": False}),
    "low": (1, "mid", {"purpose": ["code"]}),
    "low_stamps": (1, "stamps", {"purpose": ["code"]}),
    "low_none": (1, "none", {"purpose": ["code"]}),
    "weak": (1, "ca", {"purpose": ["code"], "digest": "md5"}),
    "other": (4, None, {"ca": None}),
}


class Family:
    """Certificates of one authority, with names of their own."""

    def __init__(self, tag):
        self.tag = tag

    def __getattr__(self, name):
        number, issuer, options = CERTS[name]
        cert = Cert("%s %s" % (self.tag, name),
                    issuer and getattr(self, issuer), key=key(number),
                    **options)
        setattr(self, name, cert)
        return cert


def changed(data, at):
    out = bytearray(data)
    out[at] ^= 1
    return bytes(out)


# ---- rules ------------------------------------------------------------------


def trust_rows(row):
    """@ is a body in all of them: what is trusted is not found."""
    word = b"trustword"
    p = program(word)
    f = Family("trust")

    def of(data, signer, *certs, **more):
        return sign(data, signer, [signer, *certs], **more)
    plus = program(word, True)
    good = [of(p, f.leaf, f.ca), of(p, f.leaf), of(p, f.any, f.ca),
            of(plus, f.leaf, f.ca), of(p, f.low, f.mid),
            of(p, f.old, f.tsa, f.ca, stamp=(f.tsa, IN))]
    good += [of(p, f.leaf, f.ca, kind=k) for k in ("sha1", "sha384", "sha512")]
    good.append(archives.zip_of([("a", good[0])]))
    first = good[0]
    table = first[len(p):]
    good += [signed.with_table(p, table + bytes(8)),
             signed.with_table(p, bytes(4) + table[4:]),
             signed.with_table(p, table + sign(p, f.other, [])[len(p):])]
    bad = [p, of(p, f.other), of(p, f.server), of(p, f.old),
           of(p, f.low, f.ca), of(p, f.low), of(p, f.low_stamps, f.stamps),
           sign(p, f.leaf, []), sign(p, f.leaf, [f.ca]),
           of(p, f.old, f.tsa, stamp=(f.tsa, AFTER)),
           of(p, f.old, f.leaf, stamp=(f.leaf, IN)),
           of(p, f.leaf, f.other, stamp=(f.other, IN)),
           of(p, f.leaf, stamp=(f.tsa, IN)),
           changed(first, 1000), changed(first, len(first) - 60),
           first + b"more", first + bytes(8),
           signed.with_table(p, sign(p, f.other, [])[len(p):] + table),
           signed.with_table(p, table[:4] + b"\0\1" + table[6:]),
           signed.with_table(p, table[:6] + b"\1\0" + table[8:])]
    row("trusted by the authority", "ndb", "@:0:*:" + word.hex(), bad, good,
        more=[("crb", f.ca.line("Trusted", 1))],
        here=[of(p, f.leaf, f.ca, kind="md5"), of(p, f.weak, f.ca),
              of(p, f.low_none, f.none),
              of(p, f.old, f.late, stamp=(f.late, IN))])


def use_rows(row):
    """What a line must allow: code and certificates, whoever it names."""
    for i, (of, uses, good) in enumerate((
            ("ca", "111", 1), ("ca", "101", 1), ("ca", "011", 0),
            ("ca", "110", 0), ("leaf", "111", 1), ("leaf", "101", 1),
            ("leaf", "100", 0), ("leaf", "001", 0))):
        word = b"usesword%d" % i
        f = Family("uses %d" % i)
        files = [sign(program(word), f.leaf, [f.leaf, f.ca])]
        row("trusted %s with uses %s" % (of, uses), "ndb",
            "@:0:*:" + word.hex(), [program(word), *files[good:]],
            files[:good], more=[("crb", getattr(f, of).line("T", 1, uses))])
    zeros = "0" * 40
    for i, (of, options, good) in enumerate((
            ("leaf", {"serial": zeros}, 0),
            ("ca", {"serial": zeros}, 1), ("ca", {"since": "4000000000"}, 1),
            ("ca", {"exponent": "03"}, 1), ("ca", {"level": ";300"}, 0),
            ("ca", {"level": ";73;100"}, 0), ("ca", {"level": ";73"}, 1),
            ("ca", {"key": "AB" * 128}, 0))):
        word = b"lineword%d" % i
        f = Family("line %d" % i)
        files = [sign(program(word), f.leaf, [f.leaf, f.ca])]
        row("trusted %s with %s" % (of, options), "ndb",
            "@:0:*:" + word.hex(), [program(word), *files[good:]],
            files[:good], more=[("crb", getattr(f, of).line("T", 1,
                                                            **options))])


def block_rows(row):
    p = program(b"nothing")
    for i, (of, options, good) in enumerate((
            ("leaf", {}, 1), ("ca", {}, 1), ("leaf", {"uses": "000"}, 1),
            ("leaf", {"serial": "0" * 40}, 0), ("leaf", {"level": ";300"}, 0),
            ("leaf", {"key": "AB" * 128}, 0),
            ("leaf", {"subject": "0" * 40}, 0))):
        f = Family("block %d" % i)
        file = sign(p, f.leaf, [f.leaf, f.ca])
        both = [file, changed(file, 1000), archives.zip_of([("a", file)])]
        row("blocked %s with %s" % (of, options), "crb",
            getattr(f, of).line("@", 0, **options), both if good else [],
            [p, sign(p, f.leaf, [])] + ([] if good else both),
            here=[file + b"more"] if good else [])
    f = Family("block all")
    row("blocked beats trusted", "crb", f.leaf.line("@", 0),
        [sign(p, f.leaf, [f.leaf, f.ca])], [sign(p, f.any, [f.any])],
        more=[("crb", f.ca.line("Trusted", 1))])
    f = Family("block stamp")
    row("blocked, whatever it is there for", "crb", f.tsa.line("@", 0),
        [sign(p, f.leaf, [f.leaf, f.tsa, f.ca])], [sign(p, f.leaf, [f.leaf])])


def serial_row(row):
    """The last: there one empty serial number empties those of all lines
    behind it."""
    word = b"serialword"
    f = Family("serial")
    row("trusted with any serial number", "ndb", "@:0:*:" + word.hex(),
        [program(word)], [sign(program(word), f.leaf, [f.leaf])],
        more=[("crb", f.leaf.line("T", 1, serial=""))])


def refused():
    f = Family("refused")
    good = f.leaf.line("@", 0).split(";")
    odd = {1: "2", 2: "00" * 19, 3: "00" * 19, 4: "zz", 6: "", 7: "x", 8: "2"}
    lines = [";".join(good[:i] + [text] + good[i + 1:])
             for i, text in odd.items()]
    lines += [";".join(good[:-1]), ";".join(good) + ";x",
              ";".join(good) + ";1;300;5", f.leaf.line("@", 1, key=""),
              f.leaf.line("@", 0, key="")]
    return [("crb", line) for line in lines]


def rows(row):
    trust_rows(row)
    use_rows(row)
    block_rows(row)
    serial_row(row)


# ---- at random --------------------------------------------------------------


def signers(rng, name):
    """A signed program with a body, and a line about one of the
    certificates: found by its body unless that line vouches for it."""
    f = Family(name)
    signer, *above = (getattr(f, n) for n in rng.choice((
        "leaf ca", "leaf", "any ca", "server ca", "old ca", "low mid ca",
        "low mid", "low ca", "low_stamps stamps ca", "other")).split())
    stamp = None
    if rng.random() < 0.4:
        stamp = (getattr(f, rng.choice(("tsa", "tsa", "any", "leaf",
                                        "other"))),
                 rng.choice((IN, IN, AFTER)))
    certs = [signer, *above] + ([stamp[0]] if stamp else [])
    rng.shuffle(certs)
    word = word_of(rng, 9)
    data = sign(program(word, rng.random() < 0.3), signer, certs,
                kind=rng.choice(("sha1", "sha256", "sha256", "sha512")),
                stamp=stamp)
    if rng.random() < 0.15:
        data = changed(data, rng.choice((70, 1000, len(data) - 60)))
    about = rng.choice([f.ca, f.ca, signer, rng.choice(certs)])
    uses = rng.choice(("111", "111", "111", "101", "110", "011", "100"))
    serial = rng.choice((None, None, None, "0" * 40))
    lines = [("crb", about.line("T" + name, 1, uses, serial)),
             ("ndb", "%s:0:*:%s" % (name, word.hex()))]
    if rng.random() < 0.3:
        lines = [("crb", about.line(name, 0, uses, serial))]
    return Case(lines, [data])


FAMILIES = (signers,)
