"""khien run in a folder of its own, and tests of it that print TAP."""
import argparse
import os
import pathlib
import subprocess
import tempfile

EICAR = (b"X5O!P%@AP[4\\PZX54(P^)" + b"7CC)7}$EICAR-STANDARD"
         + b"-ANTIVIRUS-TEST-" + b"FILE!$H+H*")


class Place:
    """A folder, and khien run in it."""

    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)

    def __call__(self, *args, lang="en_US.UTF-8"):
        run = subprocess.run(
            [self.program, *args], cwd=self.folder, capture_output=True,
            env={**os.environ, "LC_ALL": lang}, timeout=60)
        out = run.stdout.decode(errors="surrogateescape")
        err = run.stderr.decode(errors="surrogateescape")
        return run.returncode, out, err

    def write(self, name, data):
        path = os.fsencode(self.folder) + b"/" + os.fsencode(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)


def same(got, want):
    if got != want:
        raise AssertionError("got %r, want %r" % (got, want))


def has(text, want):
    if want not in text:
        raise AssertionError("no %r in %r" % (want, text))


def run(tests):
    """Each test in a new folder; returns how to exit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--khien", required=True)
    args = parser.parse_args()
    os.environ.pop("KHIEN_WORKER", None)
    bad = 0
    for number, function in enumerate(tests, 1):
        name = function.__name__.replace("_", " ")
        with tempfile.TemporaryDirectory() as folder:
            try:
                function(Place(os.path.abspath(args.khien), folder))
                print("ok %d - %s" % (number, name))
            except (AssertionError, subprocess.SubprocessError,
                    ValueError) as e:
                bad += 1
                print("not ok %d - %s\n# %s" % (number, name, e))
            finally:
                subprocess.run(["rm", "-rf", folder], check=True)
                os.mkdir(folder)
    print("1..%d" % len(tests))
    return 1 if bad else 0
