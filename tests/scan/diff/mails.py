"""Links of mails: lists of hosts and expressions (.pdb, .wdb), hashes of
links (.gdb).  What is found has one name for all of them, so that each case
has hosts of its own."""
import base64
import hashlib
import quopri

from harness import Case

PHISHING = "Heuristics.Phishing.Email."
SPOOF, SSL, NULL = (PHISHING + n for n in (
    "SpoofedDomain", "SSL-Spoof", "Cloaked.Null"))
NUMBER = PHISHING + "Cloaked.NumericIP"
URLS = {"S": "Heuristics.Safebrowsing.Suspected-malware_safebrowsing."
             "clamav.net",
        "S1": "Heuristics.Phishing.URL.Blocked",
        "S2": "Heuristics.Safebrowsing.Suspected-phishing_safebrowsing."
              "clamav.net"}
HEAD = "From: a@b.example\nTo: c@d.example\nSubject: x\nMIME-Version: 1.0\n"


def mail(body, kind="text/html", more=""):
    return ("%sContent-Type: %s\n%s\n%s\n" % (HEAD, kind, more, body)
            ).encode("latin-1")


def link(real, shown):
    return '<html><body><a href="%s">%s</a></body></html>' % (real, shown)


def letter(real, shown):
    return mail(link(real, shown))


def parts(kind, *bodies):
    return mail("".join("--BB\n%s\n" % b for b in (
        "Content-Type: text/plain\n\nhello",) + bodies) + "--BB--",
        "multipart/%s; boundary=BB" % kind)


# ---- exact ------------------------------------------------------------------

EVIL = "http://evil.com/x"


def pair_rows(row):
    """row(rule, ext, line, hits, misses, more, here, there, name)"""
    def host(rule, hits, misses=(), name=SPOOF, **more):
        word = "exact%d" % len(made)
        made.append(word)
        more.update(hits=hits, misses=misses)
        row("pdb: " + rule, "pdb", "H:%s.com" % word, name=name,
            **{k: [letter(*(t.replace("bank", word) for t in pair))
                   for pair in pairs] for k, pairs in more.items()})

    made = []
    host("a host, and what is below it",
         [(EVIL, s) for s in ("bank.com", "www.bank.com",
                              "http://a.b.bank.com/c", "(WWW.bank.COM)",
                              "<b>www</b>.bank.com", "See http://bank.com")],
         [(EVIL, s) for s in ("xbank.com", "bank.com.vn", "bank",
                              "go to bank.com now", "x@bank.com")])
    host("another owner", [("http://x.com", "www.bank.com"),
                           ("http://bank.com@x.com/", "bank.com")],
         [("mailto:x@x.com", "bank.com"), ("/x", "bank.com")])
    host("https", [(EVIL, "https://bank.com"),
                   ("ftp://evil.com", "https://www.bank.com"),
                   ("http://bank.com", "https://bank.com")],
         [("https://bank.com", "https://www.bank.com")], SSL)
    host("a zero byte", [("http://evil.com%00.x.com", "https://bank.com"),
                         ("http://evil.com%01@x/", "bank.com")], (), NULL)
    host("four numbers", [], [], NUMBER, here=[("http://1.2.3.4", "bank.com")])
    host("what clamscan does not read", [], [], here=[
        (EVIL, "www.bank.com&nbsp;"), (EVIL, "www.bank.com:80"),
        ("HTTP://evil.com", "bank.com"), ("evil.example/x", "bank.com"),
        (EVIL, "www.bank.com#x")])
    host("https in capitals", [], [], SSL, here=[(EVIL, "HTTPS://bank.com")])


def list_rows(row):
    def lists(rule, pdb, wdb, hits, misses, **more):
        word = "list%d" % len(made)
        made.append(word)
        sub = lambda t: t.replace("bank", word)  # noqa: E731
        row("wdb: " + rule if wdb else "pdb: " + rule, "pdb", sub(pdb),
            [letter(sub(r), sub(s)) for r, s in hits],
            [letter(sub(r), sub(s)) for r, s in misses],
            more=[("wdb", sub(wdb))] if wdb else [], name=SPOOF, **more)

    made = []
    lists("an expression", "R:.+:.+\\.bank\\.com", "",
          [(EVIL, "www.bank.com"), (EVIL, "http://a.bank.com/")],
          [(EVIL, "bank.com")])
    lists("the usual end", "R:.+:.+\\.bank\\.(com|de)([/?].*)?", "",
          [(EVIL, "www.bank.de")], [(EVIL, "bank.de")])
    lists("its beginning is anywhere", "R:vil\\.com:bank\\.com", "",
          [(EVIL, "bank.com"), ("http://www.evil.com", "bank.com")],
          [(EVIL, "http://bank.com"), ("http://evil.net", "bank.com")])
    lists("with schemes", "R:http://evil\\.com:http://bank\\.com", "",
          [(EVIL, "http://bank.com/")], [(EVIL, "bank.com")])
    lists("https is no matter where only the pair fits", "R:.+:.+bank\\.com",
          "", [(EVIL, "https://bank.com")], [("http://bank.com",
                                             "https://www.bank.com")])
    lists("paths are not there", "R:.+:bank\\.com/x", "", [],
          [(EVIL, "bank.com/x")])
    lists("a level", "H:bank.com:17-300", "", [(EVIL, "bank.com")], [])
    lists("a level below", "H:bank.com:17-100", "", [], [(EVIL, "bank.com")])
    lists("letters behind the kind", "H3F:bank.com", "",
          [(EVIL, "bank.com")], [])
    lists("a pair of hosts", "H:bank.com", "M:evil.com:bank.com",
          [(EVIL, "www.bank.com"), ("http://aevil.com", "bank.com")],
          [(EVIL, "bank.com"), ("http://a.evil.com", "http://bank.com")])
    lists("an expression", "H:bank.com", "X:.+evil\\.com:.+bank\\.com",
          [(EVIL, "bank.com")], [(EVIL, "www.bank.com")])
    lists("without schemes as well", "H:bank.com", "X:evil\\.com:bank\\.com",
          [("http://evil.net", "bank.com")],
          [(EVIL, "bank.com"), (EVIL, "http://bank.com")])
    lists("Y is the same", "H:bank.com", "Y:bank\\.com", [],
          [(EVIL, "bank.com"), (EVIL, "www.bank.com")])


def part_rows(row):
    def part(rule, good, build):
        word = "part%d" % len(made)
        made.append(word)
        data = build(link(EVIL, "www.%s.com" % word))
        row("mail: " + rule, "pdb", "H:%s.com" % word, name=SPOOF,
            **{good: [data]})

    made = []
    html = "Content-Type: text/html\n"
    part("a part", "hits", lambda h: parts("mixed", html + "\n" + h))
    part("base64", "hits", lambda h: parts(
        "alternative", html + "Content-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(h.encode()).decode()))
    part("quoted-printable", "hits", lambda h: parts(
        "alternative", html + "Content-Transfer-Encoding: quoted-printable"
        "\n\n" + quopri.encodestring(h.encode()).decode()))
    part("plain text", "hits", lambda h: mail(h, "text/plain"))
    part("a page alone", "misses", lambda h: h.encode())
    part("an attached page", "here", lambda h: parts(
        "mixed", "Content-Type: text/html; name=a.html\nContent-Disposition: "
        "attachment; filename=a.html\n\n" + h))
    part("a forwarded mail", "here", lambda h: parts(
        "mixed", "Content-Type: message/rfc822\n\n" + mail(h).decode()))
    part("a form around a link", "hits", lambda h: mail(
        '<form action="http://evil.com">' + h.replace(
            EVIL, h.split(">")[3].split("<")[0].join(("http://", "/")))
        + "</form>"))
    part("a picture in a link", "hits", lambda h: mail(
        h.replace(">www.", '><img src="http://www.').replace(
            "</a>", '/x.gif"></a>')))
    part("a title", "hits", lambda h: mail(
        h.replace(">www.", ' title="www.').replace("</a>", '">x</a>')))


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def url_rows(row):
    for number, (kind, name) in enumerate(sorted(URLS.items())):
        host = "hash%d.com" % number
        row("gdb: " + kind, "gdb", "%s:F:%s" % (kind, sha(host + "/")),
            [letter("http://%s" % u, "x") for u in (
                host, host + "/x?y", "a.b." + host, host + ":80/")],
            [letter("http://x" + host, "x")], name=name,
            here=[letter("HTTP://u:p@" + host, "x")])
        path = host + "/a/b?c"
        row("gdb: with a path", "gdb", "%s:F:%s:17-" % (kind, sha("p" + path)),
            [letter("https://p" + path, "x")],
            [letter("https://p" + path[:-2], "x")], name=name,
            here=[letter("https://p" + path + "#d", "x")])
        row("gdb: allowed", "gdb", "%s:F:%s" % (kind, sha("w" + host + "/")),
            [], [letter("http://w" + host, "x")], name=name,
            more=[("gdb", "S:W:" + sha("w" + host + "/"))])


def rows(row):
    for some in (pair_rows, list_rows, part_rows, url_rows):
        some(row)


REFUSED = [("pdb", line) for line in (
    "X:a:b", "M:a:b", "foo", "h:bank.com", "H", "H:", "R:", "R:(", "  x")] + [
    ("wdb", line) for line in ("H:bank.com", "R:.+:bank\\.com", "foo")] + [
    ("gdb", line) for line in (
        "S:Q:" + "0" * 64, "S:F:zz", "S:F", "F:" + "0" * 64,
        "S:F:" + "0" * 64 + ":foo")]
# Expressions that end in no letters.
TAKEN = [("pdb", "R:.+"), ("pdb", "R:.+:.+"), ("wdb", "X:.+evil.*:.+")]


# ---- random -----------------------------------------------------------------


def page(rng, real, shown):
    before = rng.choice(("", "<p>text</p>", "<b>x", "<a name=y></a>"))
    inner = rng.choice(("%s", "%s", "<b>%s</b>", " %s ", "<i>%s", "%s\n"))
    tag = rng.choice(('<a href="%s">', "<A HREF='%s'>", "<a href=%s>",
                      '<a class=x href="%s" target=_top>'))
    return "<html>%s%s%s</a></html>" % (before, tag % real, inner % shown)


def wrapped(rng, html):
    kind = rng.randrange(4)
    if kind == 0:
        return parts(rng.choice(("mixed", "alternative")),
                     "Content-Type: text/html\n\n" + html)
    if kind == 1:
        return mail(base64.encodebytes(html.encode()).decode(), "text/html",
                    "Content-Transfer-Encoding: base64\n")
    return mail(html, rng.choice(("text/html", "text/plain")))


def link_pairs(rng, name):
    word, evil = name + "bank", name + "evil"
    scheme = rng.choice(("http://", "http://", "https://"))
    real = scheme + rng.choice(("", "www.", "a.b.")) + rng.choice((
        evil + ".com", evil + ".com", evil + ".net", word + ".com",
        word + ".com.vn", "x" + word + ".com")) + rng.choice((
            "", "/", "/a/b?c=d", ":8080/", "?x"))
    shown = rng.choice(("", "", "http://", "https://")) + rng.choice((
        "", "www.", "a.b.", "x")) + rng.choice((
            word + ".com", word + ".com", word + ".org", word,
            word + ".COM")) + rng.choice(("", "", "/", "/login", "?a", "."))
    lines = [("pdb", rng.choice((
        "H:%s.com", "H:%s.com:17-", "H:www.%s.com", "R:.+:.+\\.%s\\.com",
        "R:.+:.*%s\\.com", "R:.+:(.+\\.)?%s\\.(com|org)([/?].*)?",
        "R:http://.+:www\\.%s\\.com", "R1:[a-z:/.]+evil\\.com:%s\\.com",
        "H:%s.com:1-50")) % word)]
    if rng.random() < 0.4:
        lines.append(("wdb", rng.choice((
            "M:{e}.com:{w}.com", "M:www.{e}.com:www.{w}.com",
            "X:.+{e}\\.com:.+{w}\\.com", "X:{e}\\.com:{w}\\.com",
            "X:http://.*{e}\\.(com|net):.*{w}\\.com:17-",
            "Y:{w}\\.com", "M:{e}.com:{w}.com:1-50")).format(e=evil, w=word)))
    return Case(lines, [wrapped(rng, page(rng, real, shown))])


def url_hashes(rng, name):
    """Hashes of a link's forms, or of something near them."""
    host = ".".join(rng.choice("abc") for _ in range(rng.randrange(7)))
    host = (host + "." if host else "") + name + ".com"
    path = "/" + "/".join(rng.choice("xyz") for _ in range(rng.randrange(6)))
    query = rng.choice(("", "", "?q", "?a=b/c"))
    labels = host.split(".")
    folders = path.split("/")
    of = ".".join(labels[rng.randrange(len(labels) - 1):]) + rng.choice((
        path + query, path, "/", "/".join(
            folders[:rng.randrange(1, len(folders) + 1)]) + "/"))
    kind = rng.choice(sorted(URLS))
    lines = [("gdb", "%s:F:%s" % (kind, sha(of)))]
    if rng.random() < 0.2:
        lines.append(("gdb", "S:W:" + sha(of)))
    return Case(lines, [wrapped(rng, page(
        rng, "http://" + host + path + query, "here"))])


FAMILIES = (link_pairs, url_hashes)
