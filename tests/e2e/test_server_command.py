"""script/server as a newcomer runs it, in a copy of this checkout below a
folder that others may not enter, such as /root."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from support.agent import EICAR, until
from support.centre import Centre, PASSWORD, ROOT, free_port

LEFT_OUT = shutil.ignore_patterns(".git", "build-*", "var", "node_modules")


class Clone:
    """A copy with a port of its own, whose policy scans one folder of ours
    and nothing else of this machine."""

    def __init__(self):
        self.closed = pathlib.Path(tempfile.mkdtemp(prefix="khien-closed-"))
        self.dir = self.closed / "khien"
        self.home = self.closed / "home"
        self.home.mkdir()
        shutil.copytree(ROOT, self.dir, symlinks=True, ignore=LEFT_OUT)
        policy = self.dir / "data/policy.json"
        policy.write_text(json.dumps({
            **json.loads(policy.read_text()), "paths": [str(self.home)]}))
        self.port = free_port()
        script = self.dir / "script/server"
        text = script.read_text()
        assert "\nport=8443\n" in text
        script.write_text(text.replace("\nport=8443\n",
                                       f"\nport={self.port}\n"))

    def log(self, name):
        return [json.loads(line) for line in
                (self.dir / f"var/{name}.log").read_text().splitlines()]

    def programs(self):
        """{name: user id} of what runs from this copy."""
        found = {}
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "exe").startswith(f"{self.dir}/"):
                    name = os.readlink(folder / "exe").split("/")[-1]
                    found[name] = folder.stat().st_uid
            except OSError:
                continue
        return found

    def run(self, *args):
        return subprocess.run([self.dir / "script/server", *args], text=True,
                              capture_output=True, timeout=120,
                              env={**os.environ, "LC_ALL": "C.UTF-8"})

    def start(self):
        """(process, what it said until all of it ran)"""
        process = subprocess.Popen(
            [self.dir / "script/server"], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
            # A shell cannot trap what was ignored when it began.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            env={**os.environ, "LC_ALL": "C.UTF-8"})
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        watchdog.cancel()
        if "Ctrl-C" not in said:
            raise AssertionError(said)
        return process, said

    def close(self):
        shutil.rmtree(self.closed, ignore_errors=True)


class Person(Centre):
    """What a browser needs of the centre that script/server set up."""

    def __init__(self, clone):
        self.dir, self.port = clone.dir, clone.port
        self.login = "quantri"

    @property
    def ca(self):
        return self.dir / "var/centre/keys/ca.pem"

    def sign_in(self, password):
        c = self.client()
        a = c.call("POST", "/api/v1/session",
                   {"login": self.login, "password": password})
        c.csrf = a.json.get("csrf")
        return c, a


def interrupt(process):
    """As the terminal does: the whole group hears it."""
    os.killpg(process.pid, signal.SIGINT)
    said = process.stdout.read()
    return process.wait(60), said


class ServerCommand(unittest.TestCase):
    def setUp(self):
        self.clone = Clone()
        self.addCleanup(self.clone.close)
        self.person = Person(self.clone)
        self.file = self.clone.home / "eicar.com"
        self.file.write_bytes(EICAR)

    def test_it_runs_the_main_job_and_takes_up_where_it_was(self):
        process, said = self.clone.start()
        self.addCleanup(process.kill)
        computer = self.first_start(said)
        self.not_twice_at_once()
        self.assertEqual(interrupt(process), (0, ""))
        self.ended_in_order()

        process, said = self.clone.start()
        self.addCleanup(process.kill)
        self.goes_on(said, computer)
        self.replace_lost_password()
        self.fall_over(process)

    def first_start(self, said):
        password = re.search(r"Mật khẩu: +(\S+)", said)[1]
        self.assertIn(f"https://127.0.0.1:{self.clone.port}", said)
        self.assertIn("quantri", said)
        for file in self.clone.dir.glob("var/*.*"):
            self.assertNotIn(password, file.read_text())
        owners = until(lambda: (lambda p: len(p) == 3 and p)(
            self.clone.programs()), what="agent, worker and centre run")
        self.assertEqual(owners["khien-agent"], 0)
        self.assertNotEqual(owners["khien-server"], 0)
        self.assertNotEqual(owners["khien-server"], owners["khien-worker"])

        c, a = self.person.sign_in(password)
        self.assertTrue(a.json["must_change"])
        self.assertEqual(c.get("/api/v1/detections").status, 403)
        self.assertEqual(c.call("PUT", "/api/v1/password", {
            "current": password, "password": PASSWORD}).status, 200)
        rows = until(lambda: c.get("/api/v1/detections").json["rows"],
                     what="EICAR is seen at the centre")
        self.assertEqual([r["path"] for r in rows], [str(self.file)])
        until(lambda: not self.file.exists(), what="it is in quarantine")
        computers = c.get("/api/v1/computers").json["rows"]
        self.assertEqual(len(computers), 1, computers)
        return computers[0]["agent"]

    def not_twice_at_once(self):
        again = self.clone.run()
        self.assertEqual(again.returncode, 3, again)
        self.assertIn(str(self.clone.port), again.stderr)

    def ended_in_order(self):
        self.assertEqual(self.clone.programs(), {})
        centre, agent = self.clone.log("centre"), self.clone.log("agent")
        self.assertEqual(centre[-1]["event"], "server.stopping")
        self.assertEqual(agent[-1]["event"], "agent.stopped")
        self.assertLessEqual(agent[-1]["time"], centre[-1]["time"])

    def goes_on(self, said, computer):
        self.assertNotIn("Mật khẩu:", said)
        c, a = self.person.sign_in(PASSWORD)
        self.assertFalse(a.json["must_change"])
        rows = c.get("/api/v1/computers").json["rows"]
        self.assertEqual([r["agent"] for r in rows], [computer])
        self.assertEqual(len(c.get("/api/v1/detections").json["rows"]), 1)

    def replace_lost_password(self):
        lost = self.clone.run("password", "quantri")
        self.assertEqual(self.person.sign_in(PASSWORD)[1].status, 401)
        password = re.search(r"^password (\S+)$", lost.stdout, re.M)[1]
        self.assertTrue(self.person.sign_in(password)[1].json["must_change"])

    def fall_over(self, process):
        """A centre that falls takes the agent along, and it is said."""
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "exe") == \
                        f"{self.clone.dir}/build/prog/khien-server":
                    os.kill(int(folder.name), signal.SIGKILL)
            except OSError:
                continue
        text = process.stdout.read()
        self.assertEqual(process.wait(60), 3)
        self.assertIn("khien-server", text)
        self.assertEqual(self.clone.programs(), {})


if __name__ == "__main__":
    unittest.main()
