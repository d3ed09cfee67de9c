"""Programs signed as Authenticode has it, by authorities made here: DER,
X.509 and PKCS #7 as far as that takes, nothing else."""
import hashlib
import random
import struct
import time

OIDS = {
    "rsa": "1.2.840.113549.1.1.1", "md5-rsa": "1.2.840.113549.1.1.4",
    "sha1-rsa": "1.2.840.113549.1.1.5", "sha256-rsa": "1.2.840.113549.1.1.11",
    "sha384-rsa": "1.2.840.113549.1.1.12",
    "sha512-rsa": "1.2.840.113549.1.1.13", "md5": "1.2.840.113549.2.5",
    "sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3",
    "name": "2.5.4.3", "signed": "1.2.840.113549.1.7.2",
    "data": "1.2.840.113549.1.7.1", "indirect": "1.3.6.1.4.1.311.2.1.4",
    "image": "1.3.6.1.4.1.311.2.1.15", "type": "1.2.840.113549.1.9.3",
    "digest": "1.2.840.113549.1.9.4", "time": "1.2.840.113549.1.9.5",
    "counter": "1.2.840.113549.1.9.6", "constraints": "2.5.29.19",
    "purpose": "2.5.29.37", "code": "1.3.6.1.5.5.7.3.3",
    "server": "1.3.6.1.5.5.7.3.1", "stamp": "1.3.6.1.5.5.7.3.8",
}

# ---- DER --------------------------------------------------------------------


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body).to_bytes(max((len(body).bit_length() + 7) // 8, 1), "big")
    if len(body) > 127:
        size = bytes([0x80 | len(size)]) + size
    return bytes([tag]) + size + body


def seq(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *parts)


def number_bytes(n):
    return n.to_bytes(n.bit_length() // 8 + 1, "big")


def number(n):
    return tlv(2, number_bytes(n))


def oid(name):
    first, second, *rest = (int(x) for x in OIDS[name].split("."))
    out = bytes([40 * first + second])
    for n in rest:
        digits = [n & 127]
        while n > 127:
            n >>= 7
            digits.append(n & 127 | 128)
        out += bytes(reversed(digits))
    return tlv(6, out)


def algorithm(name):
    return seq(oid(name), tlv(5))


def moment(seconds):
    return tlv(0x17, time.strftime("%y%m%d%H%M%SZ",
                                   time.gmtime(seconds)).encode())


# ---- RSA --------------------------------------------------------------------


def is_prime(n, rng):
    d, r = n - 1, 0
    while d % 2 == 0:
        d, r = d // 2, r + 1
    for _ in range(12):
        x = pow(rng.randrange(2, n - 1), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(r - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(bits, rng):
    while True:
        n = rng.getrandbits(bits) | 3 << (bits - 2) | 1
        if all(n % p for p in (3, 5, 7, 11, 13, 17, 19, 23)) and \
                n % 65537 != 1 and is_prime(n, rng):
            return n


class Key:
    def __init__(self, seed, bits=1024):
        rng = random.Random("key %s" % seed)
        p, q = prime(bits // 2, rng), prime(bits // 2, rng)
        self.n, self.size = p * q, bits // 8
        self.d = pow(65537, -1, (p - 1) * (q - 1))

    def sign(self, data, kind):
        info = seq(algorithm(kind), tlv(4, hashlib.new(kind, data).digest()))
        padded = b"\0\1" + b"\xff" * (self.size - 3 - len(info)) + b"\0" + \
            info
        return pow(int.from_bytes(padded, "big"), self.d, self.n).to_bytes(
            self.size, "big")

    def public(self):
        return seq(algorithm("rsa"), tlv(3, b"\0", seq(
            number(self.n), number(65537))))


# ---- certificates -----------------------------------------------------------

YEAR = 365 * 86400


class Cert:
    """`purpose`: names of extended uses, or None; `ca` None: not said."""

    def __init__(self, name, issuer=None, purpose=None, ca=False, serial=None,
                 since=1577836800, until=1577836800 + 29 * YEAR,
                 digest="sha256", key=None):
        self.key = key or Key(name)
        self.issuer = issuer or self
        self.name = set_of(seq(oid("name"), tlv(0x0c, name.encode())))
        self.serial = serial or int.from_bytes(
            hashlib.md5(name.encode()).digest()[:8], "big")
        extensions = b""
        if ca is not None:
            extensions += seq(oid("constraints"), tlv(1, b"\xff"), tlv(
                4, seq(tlv(1, b"\xff") if ca else b"")))
        if purpose is not None:
            extensions += seq(oid("purpose"), tlv(4, seq(
                *(oid(p) for p in purpose))))
        body = seq(tlv(0xa0, number(2)), number(self.serial),
                   algorithm(digest + "-rsa"), seq(self.issuer.name),
                   seq(moment(since), moment(until)), seq(self.name),
                   self.key.public(),
                   tlv(0xa3, seq(extensions)) if extensions else b"")
        self.der = seq(body, algorithm(digest + "-rsa"), tlv(
            3, b"\0", self.issuer.key.sign(body, digest)))

    def line(self, name, trusted, uses="111", serial=None, key=None,
             subject=None, **more):
        """A line of a .crb file; uses: code, time, certificates."""
        if serial is None:
            serial = hashlib.sha1(number_bytes(self.serial)).hexdigest()
        return ";".join((
            name, str(trusted),
            subject or hashlib.sha1(self.name).hexdigest(), serial,
            "%0*X" % (2 * self.key.size, self.key.n) if key is None else key,
            more.get("exponent", "010001"), *uses, more.get("since", ""),
            "test")) + more.get("level", "")


# ---- signatures -------------------------------------------------------------


def places(data):
    """Where CheckSum and the entry of the certificate table are."""
    head = struct.unpack_from("<I", data, 60)[0]
    plus = struct.unpack_from("<H", data, head + 24)[0] == 0x20b
    return head + 88, head + (168 if plus else 152)


def image_digest(data, kind):
    checksum, entry = places(data)
    return hashlib.new(kind, data[:checksum] + data[checksum + 4:entry] +
                       data[entry + 8:]).digest()


def signer_info(cert, kind, attributes, more=b""):
    return seq(number(1), seq(seq(cert.issuer.name), number(cert.serial)),
               algorithm(kind), tlv(0xa0, attributes), algorithm("rsa"),
               tlv(4, cert.key.sign(set_of(attributes), kind)), more)


def attribute(name, *values):
    return seq(oid(name), set_of(*values))


def counter(cert, signature, kind, when):
    """A countersignature as PKCS #9 has it."""
    return tlv(0xa1, attribute("counter", signer_info(cert, kind, b"".join((
        attribute("type", oid("data")), attribute("time", moment(when)),
        attribute("digest", tlv(4, hashlib.new(kind, signature).digest())))))))


def pkcs7(data, signer, certs, kind="sha256", stamp=None, more=b""):
    """`stamp`: certificate of who counts the time, and when that was; `more`:
    what is not signed."""
    content = seq(oid("image"), seq(tlv(3, b"\0"), tlv(0xa0, tlv(
        0xa2, tlv(0x80))))), seq(algorithm(kind), tlv(
            4, image_digest(data, kind)))
    attributes = attribute("type", oid("indirect")) + attribute(
        "digest", tlv(4, hashlib.new(kind, b"".join(content)).digest()))
    if stamp:
        signature = signer.key.sign(set_of(attributes), kind)
        more = counter(stamp[0], signature, "sha1", stamp[1])
    return seq(oid("signed"), tlv(0xa0, seq(
        number(1), set_of(algorithm(kind)),
        seq(oid("indirect"), tlv(0xa0, seq(*content))),
        tlv(0xa0, *(c.der for c in certs)),
        set_of(signer_info(signer, kind, attributes, more)))))


def with_table(data, table):
    """`data` with certificates behind it."""
    _, entry = places(data)
    out = bytearray(data)
    struct.pack_into("<II", out, entry, len(data), len(table))
    return bytes(out) + table


def sign(data, signer, certs, **more):
    data += bytes(-len(data) % 8)
    sig = pkcs7(data, signer, certs, **more)
    sig += bytes(-len(sig) % 8)
    return with_table(data, struct.pack("<IHH", len(sig) + 8, 0x200, 2) + sig)
