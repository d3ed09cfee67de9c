"""YARA rules in the manner of public sets, made at random, and objects in
which some of them match.  Nothing in here is malware: strings are made of
words and random bytes."""

WORDS = ("update service report invoice loader inject hollow remote beacon "
         "shell stage config token cookie wallet mutex driver kernel hidden "
         "install persist startup logger screen capture upload collect drop "
         "crypt decode encode socket proxy tunnel client server agent worker "
         "panel admin login passwd secret backup archive temp cache profile "
         "session handler thread module plugin payload archive helper").split()
# What public rules look for and clean files hold as well.
COMMON = ("http://", "https://", "cmd.exe", "/bin/sh", "Mozilla/5.0", "GET ",
          "POST ", "User-Agent:", "This program cannot be run in DOS mode",
          "kernel32.dll", "LoadLibraryA", "GetProcAddress", "VirtualAlloc",
          "CreateProcess", "WriteFile", "socket", "connect", "password",
          "%s%s", "eval(", "base64_decode", "powershell", "<script", "import",
          "Copyright", "python", "#!/", "function", "License", "README",
          "error", "Content-Type", "/tmp/", "libc.so.6", "__libc_start_main",
          "xmlns", "<?php", "document.write", "unescape(", "fromCharCode")
MODULES = ("pe", "elf", "math", "hash", "dotnet", "macho")
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def quoted(data):
    out = []
    for c in data:
        if c in b'"\\':
            out.append("\\" + chr(c))
        elif 32 <= c < 127:
            out.append(chr(c))
        else:
            out.append("\\x%02x" % c)
    return '"' + "".join(out) + '"'


def wide(data):
    return b"".join(bytes((c, 0)) for c in data)


class Text:
    """A text string; bytes() is something it matches."""

    def __init__(self, rng, rare=False, xors=0.03):
        self.rng = rng
        kind = 0.13 + 0.77 * rng.random() if rare else rng.random()
        if kind < 0.13:
            text = rng.choice(COMMON)
        elif kind < 0.55:
            text = rng.choice(("\\", "_", " ", "/", "-", ".")).join(
                rng.choice(WORDS).capitalize() if rng.random() < 0.3
                else rng.choice(WORDS)
                for _ in range(rng.randint(2, 4))) + rng.choice(
                    ("", ".exe", ".dll", "%d", ": %s", ".php?id=", "=1"))
        elif kind < 0.9:
            text = rng.choice(WORDS) + "".join(
                rng.choice("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_$@!")
                for _ in range(rng.randint(4, 20)))
        else:
            text = "".join(rng.choice("abcdefMZ01 ") for _ in
                           range(rng.choice((2, 3, 4, 5, 6, 6, 6, 6))))
        self.data = text.encode()
        if rng.random() < 0.03:
            self.data = rng.randbytes(rng.randint(4, 30))
        self.mods = self.modifiers(xors)

    def modifiers(self, xors):
        rng, mods = self.rng, []
        if rng.random() < xors and len(self.data) >= 4:
            mods.append(rng.choice(("xor", "xor(1-255)", "xor(0x20)")))
            if rng.random() < 0.3:
                mods.append("wide")
            return mods
        if rng.random() < 0.02 and len(self.data) >= 6:
            mods.append(rng.choice(("base64", "base64wide")))
            return mods
        if rng.random() < 0.3:
            mods.append("wide")
        if rng.random() < (0.5 if mods else 0.4):
            mods.append("ascii")
        if rng.random() < 0.15:
            mods.append("nocase")
        if rng.random() < 0.25:
            mods.append("fullword")
        rng.shuffle(mods)
        return mods

    def declare(self):
        return " ".join([quoted(self.data)] + self.mods)

    def bytes(self):
        rng, data = self.rng, self.data
        if "nocase" in self.mods:
            data = bytes(c ^ 0x20 if chr(c).isalpha() and c < 128 and
                         rng.random() < 0.3 else c for c in data)
        if "wide" in self.mods and ("ascii" not in self.mods or
                                    rng.random() < 0.5):
            data = wide(data)
        for mod in self.mods:
            if mod.startswith("xor"):
                key = 0x20 if "0x20" in mod else rng.randint(1, 255)
                data = bytes(c ^ key for c in data)
            if mod.startswith("base64"):
                data = encode64(rng.randbytes(rng.randint(0, 2)) + data +
                                rng.randbytes(rng.randint(0, 3)))
                if mod == "base64wide":
                    data = wide(data)
        if "fullword" in self.mods and rng.random() < 0.7:
            data = b" \0" + data + b" \0"
        return data


def encode64(data):
    bits = "".join(format(c, "08b") for c in data)
    bits += "0" * (-len(bits) % 6)
    return "".join(BASE64[int(bits[i:i + 6], 2)]
                   for i in range(0, len(bits), 6)).encode()


class Hex:
    def __init__(self, rng, rare=False):
        self.rng = rng
        self.parts = [("literal", rng.randbytes(6))] if rare else []
        for _ in range(rng.randint(1, 5)):
            self.add()
        if all(kind != "literal" for kind, _ in self.parts):
            self.parts.append(("literal", rng.randbytes(4)))
        if self.parts[0][0] not in ("literal", "nibble"):
            self.parts.insert(0, ("literal", rng.randbytes(2)))
        if self.parts[-1][0] not in ("literal", "nibble"):
            self.parts.append(("literal", rng.randbytes(2)))

    def add(self):
        rng = self.rng
        self.parts.append(("literal", rng.choice((
            rng.randbytes(rng.randint(2, 12)),
            bytes(rng.choice(b"\x00\x8b\x48\xff\xe8\x90\x55\xec\x83")
                  for _ in range(rng.randint(2, 8)))))))
        kind = rng.random()
        if kind < 0.3:
            self.parts.append(("any", rng.randint(1, 4)))
        elif kind < 0.5:
            self.parts.append(("nibble", rng.randrange(16)))
        elif kind < 0.7:
            low = rng.randint(0, 6)
            self.parts.append(("jump", (low, low + rng.randint(1, 20))))
        elif kind < 0.85:
            self.parts.append(("choice", [
                rng.randbytes(rng.randint(1, 3)) for _ in range(2)]))

    def declare(self):
        out = []
        for kind, value in self.parts:
            if kind == "literal":
                text = value.hex(" ")
                out.append(text if self.rng.random() < 0.5 else text.upper())
            elif kind == "any":
                out.append(" ".join(["??"] * value))
            elif kind == "nibble":
                out.append("%x?" % value)
            elif kind == "jump":
                out.append("[%d-%d]" % value)
            else:
                out.append("( " + " | ".join(v.hex(" ") for v in value) +
                           " )")
        if self.rng.random() < 0.05:
            out.insert(1, "/* a } comment */" if self.rng.random() < 0.0
                       else "// a comment\n")
        return "{ " + " ".join(out) + " }"

    def bytes(self):
        rng, out = self.rng, b""
        for kind, value in self.parts:
            if kind == "literal":
                out += value
            elif kind == "any":
                out += rng.randbytes(value)
            elif kind == "nibble":
                out += bytes((value << 4 | rng.randrange(16),))
            elif kind == "jump":
                out += rng.randbytes(rng.randint(*value))
            else:
                out += rng.choice(value)
        return out


class Regex:
    def __init__(self, rng, rare=False):
        self.rng = rng
        self.parts = [self.word(), self.word()] if rare else []
        for _ in range(rng.randint(1, 4)):
            self.parts.append(rng.choice((
                self.word, self.word, self.word, self.klass, self.either,
                self.optional, self.repeat, self.dot))())
        if all(p[2] < 3 for p in self.parts):
            self.parts.append(self.word())
        self.mods = []
        if rng.random() < 0.3:
            self.mods.append("wide")
        if rng.random() < 0.4:
            self.mods.append("ascii")
        if rng.random() < 0.15:
            self.mods.append("nocase")
        if rng.random() < 0.1:
            self.mods.append("fullword")
        self.flags = rng.choice(("", "", "", "i", "s", "is"))

    # Each gives source, a function that makes a match, fixed letters.
    def word(self):
        text = self.rng.choice(WORDS) + self.rng.choice(("", "_", "/", "."))
        source = text.replace(".", "\\.").replace("/", "\\/")
        return source, lambda: text, len(text)

    def klass(self):
        count = self.rng.randint(1, 4)
        return ("[a-f0-9]{%d}" % count, lambda: "".join(
            self.rng.choice("abcdef0123456789") for _ in range(count)), 0)

    def either(self):
        words = self.rng.sample(WORDS, self.rng.randint(2, 3))
        return ("(" + "|".join(words) + ")",
                lambda: self.rng.choice(words), 3)

    def optional(self):
        word = self.rng.choice(WORDS)
        return ("(" + word + ")?",
                lambda: self.rng.choice(("", word)), 0)

    def repeat(self):
        word = self.rng.choice(WORDS)
        return (word + self.rng.choice(("+", "{1,3}", "{2}")),
                lambda: word + word[-1], len(word))

    def dot(self):
        return ".{1,9}", lambda: "xyz"[:self.rng.randint(1, 3)], 0

    def declare(self):
        return " ".join(["/" + "".join(p[0] for p in self.parts) + "/" +
                         self.flags] + self.mods)

    def bytes(self):
        data = "".join(p[1]() for p in self.parts)
        if "i" in self.flags or "nocase" in self.mods:
            data = "".join(c.upper() if self.rng.random() < 0.3 else c
                           for c in data)
        data = data.encode()
        if "wide" in self.mods and "ascii" not in self.mods:
            data = wide(data)
        return data


MAGICS = (
    ("uint16(0) == 0x5A4D", b"MZ", 60),
    ("uint16(0) == 0x5a4d", b"MZ", 30),
    ("uint16be(0) == 0x4d5a", b"MZ", 2),
    ("(uint16(0) == 0x5a4d and uint32(uint32(0x3C)) == 0x00004550)",
     b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0", 5),
    ("uint32(0) == 0x464c457f", b"\x7fELF\2\1\1", 8),
    ("(uint32(0) == 0x464c457f or uint16(0) == 0x5a4d)", b"\x7fELF", 3),
    ("uint32be(0) == 0x504b0304", b"PK\3\4", 3),
    ("uint32(0) == 0xe011cfd0", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 4),
    ("uint32(0) == 0x46445025", b"%PDF-1.4\n", 3),
    ("uint16(0) == 0x3c3f", b"?<", 1),
    ("uint8(0) == 0x3c", b"<", 1),
)


NOISY = ("true", "not $s1", "none of ($s*)", "for any of them : ( not $ )",
         "50% of them", "uint32(4) & 0xff == 1 or $s1",
         "uint16(filesize - 2) == 0x0a0a or $s1")


class Rule:
    def __init__(self, rng, name, refs, quiet=False):
        self.rng, self.name, self.refs = rng, name, refs
        self.quiet, self.rare = quiet, False
        self.strings = {}
        self.magic = b""
        self.modules = set()
        self.private = False
        self.make()

    def string(self, prefix):
        name = "$%s%d" % (prefix, len(self.strings) + 1)
        kind = self.rng.random()
        self.strings[name] = (Text(self.rng, self.rare,
                                   0.004 if self.quiet else 0.03)
                              if kind < 0.72 else
                              Hex(self.rng, self.rare) if kind < 0.9 else
                              Regex(self.rng, self.rare))
        return name

    def head(self):
        """The magic and size tests that most public rules begin with."""
        rng, out = self.rng, []
        if rng.random() < 0.72:
            if rng.random() < 0.86:
                source, self.magic, _ = rng.choices(
                    MAGICS, [m[2] for m in MAGICS])[0]
                out.append(source)
            if not out or rng.random() < 0.75:
                out.append("filesize < %s" % rng.choice(
                    ("100KB", "200KB", "500KB", "1MB", "2MB", "3000KB",
                     "10MB", "0x20000")))
        return out

    def make(self):
        rng = self.rng
        shapes = (
            (self.some, 40), (self.all, 16), (self.any, 14), (self.mixed, 10),
            (self.counted, 3), (self.placed, 4), (self.loops, 3),
            (self.imports, 5), (self.hashes, 1), (self.entropy, 1),
            (self.other_modules, 1), (self.referring, 2), (self.negated, 3),
            (self.odd, 1))
        head = self.head()
        shape = rng.choices([s[0] for s in shapes],
                            [s[1] for s in shapes])[0]
        # A set that is in use is quiet on clean files.
        self.rare = self.quiet and shape not in (self.some, self.all)
        if self.quiet and shape in (self.odd, self.entropy, self.loops):
            shape = self.any if rng.random() < 0.7 else shape
        self.body = shape()
        while self.quiet and self.body in NOISY:
            self.strings = {}
            self.body = shape()
        parts = head + ([self.body] if self.body else [])
        self.condition = (" and ".join(parts) if rng.random() < 0.8 or
                          not head else "\n\t\t\tand ".join(parts))
        for name in self.strings:  # libyara wants each to be used
            base = name.rstrip("0123456789")
            if (name not in self.condition and "them" not in self.condition
                    and base + "*" not in self.condition):
                self.condition = "(%s) or (%s)" % (self.condition, name)

    def group(self, prefix, low, high):
        for _ in range(self.rng.randint(low, high)):
            self.string(prefix)

    def some(self):
        if self.rng.random() < 0.5:
            self.group("s", 5, 12)
            return "%d of them" % self.rng.randint(3, 4)
        self.rare = self.quiet
        self.group("x", 1, 4)
        self.rare = False
        self.group("s", 4, 9)
        return "( 1 of ($x*) or %d of ($s*) )" % self.rng.randint(3, 4)

    def all(self):
        self.group("a", 2 if self.quiet else 1, 6)
        return "all of them"

    def any(self):
        self.group("s", 1, 8)
        return self.rng.choice(("any of them", "1 of them"))

    def mixed(self):
        a, b, c = (self.string("m") for _ in range(3))
        return self.rng.choice((
            "%s and (%s or %s)", "(%s and %s) or %s", "%s and %s and %s",
            "(%s or %s) and not %s", "%s or %s or %s")) % (a, b, c)

    def counted(self):
        a = self.string("c")
        count = "#" + a[1:]
        return self.rng.choice((
            "%s > 2" % count, "%s >= 1" % count, "%s == 2" % count,
            "3 < %s" % count, "%s < 3 and %s" % (count, a),
            "@%s[1] < 2000" % a[1:], "!%s[1] > 3" % a[1:],
            "%s in (0..5000) > 0" % count))

    def placed(self):
        a = self.string("p")
        self.group("s", 1, 3)
        return self.rng.choice((
            "%s at 0 and any of ($s*)", "%s in (0..2048) and all of ($s*)",
            "(%s at 16 or 1 of ($s*))", "%s and any of ($s*) in "
            "(filesize-5000..filesize)")) % a

    def loops(self):
        self.group("s", 2, 4)
        return self.rng.choice((
            "for any of ($s*) : ( $ in (0..4096) )",
            "for all of them : ( # > 0 )",
            "for 2 of ($s*) : ( @ > 3 and $ )",
            "for any of them : ( not $ )",
            "for any i in (0..4) : ( uint8(i) == 0x4d and any of ($s*) )",
            "50% of them", "any of ($s1,$s2)", "none of ($s*)",
            "for any i in (1..#s1) : ( @s1[i] < 1000 ) or all of ($s*)"))

    def imports(self):
        rng = self.rng
        self.modules.add("pe")
        self.magic = self.magic or b"MZ"
        body = rng.choice((
            'pe.imphash() == "%s"' % rng.randbytes(16).hex(),
            'pe.imports("kernel32.dll", "CreateRemoteThread")',
            'pe.exports("%s")' % rng.choice(WORDS),
            "pe.number_of_sections == %d" % rng.randint(1, 9),
            'for any i in (0..pe.number_of_sections - 1) : '
            '( pe.sections[i].name == ".%s" )' % rng.choice(WORDS)[:6],
            "pe.machine == pe.MACHINE_AMD64 and pe.timestamp < 1000000000",
            'pe.version_info["CompanyName"] contains "%s"'
            % rng.choice(WORDS),
            "pe.is_dll()", "pe.characteristics & pe.DLL != 0"))
        if rng.random() < 0.6:
            self.group("s", 1, 5)
            body = "( %s %s %s )" % (
                body, rng.choice(("or", "and")),
                rng.choice(("all of them", "2 of them", "any of them")))
        return body

    def hashes(self):
        rng = self.rng
        self.modules.add("hash")
        return ("filesize > %d and filesize < %d and hash.md5(0, filesize) "
                '== "%s"' % (rng.randint(1, 50000), rng.randint(60000, 90000),
                             rng.randbytes(16).hex()))

    def entropy(self):
        self.modules.add("math")
        self.group("s", 1, 3)
        return self.rng.choice((
            "math.entropy(0, filesize) > 7.2 and 1 of them",
            "math.in_range(math.mean(0, 200), 10.0, 30.0) and all of them"))

    def other_modules(self):
        module, body = self.rng.choice((
            ("elf", "elf.machine == elf.EM_X86_64 and "
             "elf.number_of_sections < 5"),
            ("elf", "elf.type == elf.ET_EXEC"),
            ("dotnet", 'dotnet.assembly.name == "%s"'
             % self.rng.choice(WORDS)),
            ("macho", "macho.cputype == macho.CPU_TYPE_X86_64")))
        self.modules.add(module)
        return body

    def referring(self):
        if not self.refs:
            return self.any()
        ref = self.rng.choice(self.refs)
        self.group("s", 1, 4)
        return self.rng.choice((
            "%s and any of them", "%s or all of them",
            "not %s and 2 of ($s*)" if len(self.strings) > 1
            else "not %s and any of them")) % ref

    def negated(self):
        self.group("s", 2, 5)
        self.group("fp", 1, 2)
        return "1 of ($s*) and not 1 of ($fp*)"

    def odd(self):
        self.group("s", 1, 2)
        return self.rng.choice((
            "uint32(4) & 0xff == 1 or $s1", "filesize - 10 > 100 and $s1",
            "not $s1", "defined uint16(10) and $s1",
            "int16(0) == -1 or $s1", "uint16(filesize - 2) == 0x0a0a or $s1",
            "true", "filename == \"\" and $s1",
            "uint8(0) ^ 0x4d == 0 and $s1"))

    def source(self):
        rng = self.rng
        out = ["%srule %s%s {" % (
            "private " if self.private else "", self.name,
            rng.choice(("", "", " : apt malware", " : hktl")))]
        out += ["\tmeta:", '\t\tdescription = "Detects %s \\"%s\\""'
                % (rng.choice(WORDS), self.name),
                '\t\tauthor = "Author %d"' % rng.randint(1, 40),
                '\t\tscore = %d' % rng.randint(40, 100)]
        if self.strings:
            out.append("\tstrings:")
            for name, s in self.strings.items():
                out.append("\t\t%s = %s%s" % (
                    name, s.declare(),
                    " // rule x { condition: true }"
                    if rng.random() < 0.02 else ""))
        out += ["\tcondition:", "\t\t" + self.condition, "}", ""]
        return "\n".join(out)

    def object(self):
        """Bytes that this rule might match."""
        rng = self.rng
        out = self.magic if rng.random() < 0.9 else b""
        for s in self.strings.values():
            if rng.random() < 0.8:
                for _ in range(rng.choice((1, 1, 1, 2, 3))):
                    out += s.bytes() + rng.choice(
                        (b"", b"\n", b" ", rng.randbytes(rng.randint(0, 40))))
        if rng.random() < 0.3:
            out += rng.randbytes(rng.randint(1, 500))
        return out


def make_file(rng, number, count, quiet):
    """The rules of one source file, and its text."""
    rules, refs = [], []
    for i in range(count):
        rule = Rule(rng, "Gen_%d_%d" % (number, i), refs, quiet)
        rule.private = rng.random() < 0.02
        rules.append(rule)
        if rng.random() < 0.1:
            refs.append(rule.name)
    text = ["/* Made at random: rule %d { condition: false } */" % number]
    for module in sorted(set().union(*(r.modules for r in rules))):
        text.append('import "%s"' % module)
    if rng.random() < 0.03:
        text.append("global %srule G_%d { condition: filesize < %dKB }"
                    % ("private " if quiet else rng.choice(("", "private ")),
                       number,
                       rng.choice((1, 20, 900))))
    if rng.random() < 0.2:
        text.append("private rule IsPE { condition: uint16(0) == 0x5A4D }")
        refs.append("IsPE")
        for rule in rules[::7]:
            rule.condition = "IsPE and (%s)" % rule.condition
    text += [rule.source() for rule in rules]
    return rules, "\n".join(text)


def make_set(rng, count, each=60, quiet=False):
    """[(rules, text)] of `count` rules altogether; quiet: few of them match
    what was not made for them."""
    out = []
    while count > 0:
        n = min(each, count)
        out.append(make_file(rng, len(out), n, quiet))
        count -= n
    return out
