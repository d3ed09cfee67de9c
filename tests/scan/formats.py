"""Files of the formats that Python and the tools of Debian can make."""
import base64
import bz2
import lzma
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent / "diff"))
from archives import gz_of, tar_of, zip_of  # noqa: E402
from documents import compound_of, hangul_of, message_of  # noqa: E402


def tool(data, *command, name="m.bin", out="out"):
    """What a tool makes of a file in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / name).write_bytes(data)
        subprocess.run(command, cwd=folder, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return (place / out).read_bytes()


def zstd_of(data):
    return tool(data, "zstd", "-q", "m.bin", "-o", "out")


def seven_of(data):
    return tool(data, "7z", "a", "out.7z", "m.bin", out="out.7z")


def iso_of(data):
    return tool(data, "genisoimage", "-quiet", "-J", "-R", "-o", "out",
                "m.bin")


def ar_of(data):
    head = b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (b"m.bin/", 0, 0, 0, b"100644",
                                               len(data))
    return b"!<arch>\n" + head + data + b"\n" * (len(data) % 2)


def cpio_of(data):
    def entry(name, body, number):
        head = b"070701" + b"".join(b"%08X" % n for n in (
            number, 0o100644, 0, 0, 1, 0, len(body), 0, 0, 0, 0,
            len(name) + 1, 0))
        row = head + name + b"\0"
        row += bytes(-len(row) % 4)
        return row + body + bytes(-len(body) % 4)
    return entry(b"m.bin", data, 1) + entry(b"TRAILER!!!", b"", 0)


def mail_of(data):
    text = base64.encodebytes(data)
    return (b"From: a@example.com\r\nTo: b@example.com\r\nSubject: x\r\n"
            b"MIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=\"=_b1\"\r\n\r\n"
            b"--=_b1\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
            b"--=_b1\r\nContent-Type: application/octet-stream; "
            b"name=\"m.bin\"\r\nContent-Transfer-Encoding: base64\r\n"
            b"Content-Disposition: attachment; filename=\"m.bin\"\r\n\r\n"
            + text.replace(b"\n", b"\r\n") + b"--=_b1--\r\n")


def pdf_of(data, filters=1):
    for _ in range(filters):
        data = zlib.compress(data)
    names = b"[" + b"/FlateDecode " * filters + b"]"
    out = b"%PDF-1.5\n1 0 obj\n<</Type /Catalog>>\nendobj\n"
    at = len(out)
    out += b"2 0 obj\n<</Length %d /Filter %s>>\nstream\n" % (
        len(data), names)
    out += data + b"\nendstream\nendobj\n"
    table = len(out)
    out += b"xref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n%010d " \
        b"00000 n \ntrailer\n<</Size 3 /Root 1 0 R>>\nstartxref\n%d\n" \
        b"%%%%EOF\n" % (at, table)
    return out


def document_of(data):
    return zip_of([("[Content_Types].xml", b"<?xml version=\"1.0\"?><Types/>"),
                   ("word/document.xml", b"<w:document/>"),
                   ("word/media/m.bin", data)])


def sis_of(data):
    """An installer of Symbian 6 to 8: one language, one file."""
    name, packed = "!:\\m.bin".encode("utf-16-le"), zlib.compress(data)
    head = struct.pack("<4I4H", 0x01000000, 0x10003a12, 0x10000419, 0, 0, 1,
                       1, 0).ljust(36, b"\0")
    head += struct.pack("<H", 1).ljust(16, b"\0") + struct.pack("<I", 100)
    head = head.ljust(100, b"\0")
    at = len(head) + 4 * 12
    return head + struct.pack(
        "<12I", 0, 0, 0, 0, 0, len(name), at, len(packed), at + len(name),
        len(data), 0, 0) + name + packed


def sisx_of(data):
    """One of Symbian 9: fields within fields."""
    def field(kind, body):
        return (struct.pack("<I", kind) * (kind > 0)
                + struct.pack("<I", len(body)) + body + bytes(-len(body) % 4))

    def compressed(bytes_):
        return field(3, struct.pack("<IQ", 1, len(bytes_))
                     + zlib.compress(bytes_))

    def array(kind, body):
        return field(2, struct.pack("<I", kind) + field(0, body))
    return struct.pack("<4I", 0x10201a7a, 0, 0, 0) + field(12, b"".join((
        field(34, b"\0\0"), field(35, b"\0\0"), compressed(b"script"),
        field(30, array(31, array(32, compressed(data)))))))


WRAPPERS = {
    "zip": lambda d: zip_of([("one", b"1"), ("m.bin", d)]),
    "stored": lambda d: zip_of([("m.bin", d)], True),
    "tar": lambda d: tar_of([("one", b"1"), ("m.bin", d)]),
    "gz": gz_of,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd_of,
    "7z": seven_of,
    "iso": iso_of,
    "ar": ar_of,
    "cpio": cpio_of,
    "eml": mail_of,
    "pdf": pdf_of,
    "docx": document_of,
    "sis": sis_of,
    "sisx": sisx_of,
    "msg": message_of,
    "hwp": lambda d: hangul_of(d, "BinData/BIN0001.bin"),
    "ole2": lambda d: compound_of([("one", b"1"), ("Folder/m.bin", d)]),
}
