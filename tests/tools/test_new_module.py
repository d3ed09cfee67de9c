"""tools/new-module makes a room that builds and passes."""
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
JOBS = str(len(os.sched_getaffinity(0)))


class NewModule(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="khien-room-")
        self.addCleanup(self.folder.cleanup)
        self.copy = pathlib.Path(self.folder.name)
        names = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT,
            check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
        for name in names:
            if name and (ROOT / name).is_file():
                to = self.copy / name
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes((ROOT / name).read_bytes())
                to.chmod((ROOT / name).stat().st_mode)
        self.run_ok("git", "init", "-q")

    def run_ok(self, *args, **env):
        done = subprocess.run(
            args, cwd=self.copy, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**os.environ, **env})
        self.assertEqual(done.returncode, 0,
                         " ".join(args) + "\n" + done.stdout[-4000:])
        return done.stdout

    def lint(self):
        return subprocess.run(["script/lint"], cwd=self.copy, text=True,
                              stdout=subprocess.PIPE).stdout

    def test_a_new_room_builds_and_passes(self):
        before = self.lint()
        self.run_ok("tools/new-module", "notices", "Notices", "Thông báo")
        self.assertEqual(self.lint(), before)
        self.run_ok("meson", "setup", "-Doptimization=0", "build", CC="gcc")
        self.run_ok("ninja", "-C", "build", "-j", JOBS, "prog/khien-server",
                    "tests/mod/test_mod_notices")
        out = self.run_ok("build/tests/mod/test_mod_notices",
                          CMOCKA_MESSAGE_OUTPUT="TAP")
        self.assertIn("ok 1 - ", out)

    def test_a_room_that_exists_is_not_touched(self):
        done = subprocess.run(
            ["tools/new-module", "agencies", "Agencies", "Cơ quan"],
            cwd=self.copy, text=True, stderr=subprocess.PIPE)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("exists already", done.stderr)


if __name__ == "__main__":
    unittest.main()
