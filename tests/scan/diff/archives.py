"""Containers around a file."""
import bz2
import gzip
import io
import tarfile
import zipfile


def zip_of(members, stored=False):
    out = io.BytesIO()
    how = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(out, "w", how) as z:
        for name, data in members:
            z.writestr(zipfile.ZipInfo(name), data, how)
    return out.getvalue()


def tar_of(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w",
                      format=tarfile.USTAR_FORMAT) as t:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def gz_of(data):
    return gzip.compress(data, mtime=0)


# What a wrapper makes of one file, and the type that it then has.
LAYERS = {
    "CL_TYPE_ZIP": lambda data: zip_of([("m.bin", data)]),
    "CL_TYPE_POSIX_TAR": lambda data: tar_of([("m.bin", data)]),
    "CL_TYPE_GZ": gz_of,
    "CL_TYPE_BZ": bz2.compress,
}


def wrap(data, types):
    """The outermost type comes first."""
    for name in reversed(types):
        data = LAYERS[name](data)
    return data
