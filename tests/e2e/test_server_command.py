"""script/server as a newcomer runs it: from a clone below a closed /root, on
a computer of its own (a mount and a network namespace made here)."""
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import sys
import threading
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from support.agent import EICAR, until  # noqa: E402 (this runs by itself)
from support.centre import PASSWORD  # noqa: E402
CLONE = pathlib.Path("/root/khien")
EMPTY = ("/home", "/root", "/tmp", "/var/tmp", "/opt", "/srv", "/mnt",
         "/media")
URL = "https://127.0.0.1:8443"


def run(*args):
    subprocess.run([str(a) for a in args], check=True)


def lay_out():
    """Every folder that the agent scans is empty but for what we put there;
    this checkout is seen as /root/khien, with a var/ of its own."""
    run("ip", "link", "set", "lo", "up")
    pathlib.Path("/run/khien-clone").mkdir(exist_ok=True)
    run("mount", "--bind", ROOT, "/run/khien-clone")
    for folder in EMPTY:
        run("mount", "-t", "tmpfs", "tmpfs", folder)
    os.chmod("/root", 0o700)
    os.chmod("/tmp", 0o1777)
    CLONE.mkdir()
    run("mount", "--bind", "/run/khien-clone", CLONE)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", CLONE / "var")
    pathlib.Path("/home/a").mkdir()


class Command:
    """script/server, until it says that all of it runs."""

    def __init__(self):
        self.process = subprocess.Popen(
            [CLONE / "script/server"], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "LC_ALL": "C.UTF-8"})
        watchdog = threading.Timer(120, self.process.kill)
        watchdog.start()
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if "Ctrl-C" in line:
                break
        watchdog.cancel()
        if "Ctrl-C" not in self.said:
            raise AssertionError(self.said)

    def interrupt(self):
        """As the terminal does: the whole group hears it."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.stdout.read()
        return self.process.wait(60)


class Person:
    """A browser's side, over TLS with the authority made in var/."""

    def __init__(self):
        context = ssl.create_default_context(
            cafile=CLONE / "var/centre/keys/ca.pem")
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPCookieProcessor())
        self.headers = {"Content-Type": "application/json"}

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        question = urllib.request.Request(
            URL + path, data, self.headers, method=method)
        try:
            with self.opener.open(question, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read())

    def sign_in(self, password):
        status, answer = self.call("POST", "/api/v1/session", {
            "login": "quantri", "password": password})
        if status == 201:
            self.headers["X-CSRF-Token"] = answer["csrf"]
        return status, answer

    def detections(self):
        return self.call("GET", "/api/v1/detections")[1]["rows"]


def programs():
    """[(name, uid)] of ours that run: what was started by script/server."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            name = pathlib.Path(words[0].decode()).name
            if name.startswith("khien") and os.readlink(
                    folder / "ns/net") == os.readlink("/proc/self/ns/net"):
                found.append((name, folder.stat().st_uid))
        except OSError:
            continue
    return found


def inside():
    lay_out()
    check = unittest.TestCase()
    file = pathlib.Path("/home/a/eicar.com")
    file.write_bytes(EICAR)

    first = Command()
    password = re.search(r"Mật khẩu: +(\S+)", first.said)[1]
    check.assertIn(URL, first.said)
    check.assertIn("quantri", first.said)
    check.assertNotIn(password, "".join(
        p.read_text(errors="replace") for p in CLONE.glob("var/*.*")))
    until(lambda: len(dict(programs())) == 3, what="agent, worker and centre run")
    owners = dict(programs())
    check.assertEqual(owners["khien-agent"], 0)
    check.assertNotEqual(owners["khien-server"], 0)
    check.assertNotEqual(owners["khien-server"], owners["khien-worker"])

    person = Person()
    check.assertEqual(person.sign_in(password)[1]["must_change"], True)
    check.assertEqual(person.call("GET", "/api/v1/detections")[0], 403)
    check.assertEqual(person.call("PUT", "/api/v1/password", {
        "current": password, "password": PASSWORD})[0], 200)
    rows = until(person.detections, what="EICAR is seen at the centre")
    check.assertEqual([r["path"] for r in rows], [str(file)])
    until(lambda: not file.exists(), what="EICAR is in quarantine")
    computers = person.call("GET", "/api/v1/computers")[1]["rows"]
    check.assertEqual(len(computers), 1, computers)

    # A second one of it, at the same time, ends with a reason.
    again = subprocess.run([CLONE / "script/server"], text=True,
                           capture_output=True, timeout=120)
    check.assertEqual(again.returncode, 3, again)
    check.assertIn("8443", again.stderr)

    # In order: the agent ended before the centre was told to.
    check.assertEqual(first.interrupt(), 0)
    check.assertEqual(programs(), [])
    centre = (CLONE / "var/centre.log").read_text().splitlines()
    agent = (CLONE / "var/agent.log").read_text().splitlines()
    check.assertEqual(json.loads(centre[-1])["event"], "server.stopping")
    check.assertEqual(json.loads(agent[-1])["event"], "agent.stopped")
    check.assertLessEqual(json.loads(agent[-1])["time"],
                          json.loads(centre[-1])["time"])

    # It takes up where it was: same account, computer and detection.
    second = Command()
    check.assertNotIn("Mật khẩu:", second.said)
    check.assertEqual(person.sign_in(PASSWORD)[1]["must_change"], False)
    check.assertEqual(person.call("GET", "/api/v1/computers")[1]["rows"][0]
                      ["agent"], computers[0]["agent"])
    check.assertEqual(len(person.detections()), 1)

    # Who lost the password gets another one.
    lost = subprocess.run([CLONE / "script/server", "password", "quantri"],
                          text=True, capture_output=True, timeout=120)
    check.assertEqual(person.sign_in(PASSWORD)[0], 401)
    password = re.search(r"^password (\S+)$", lost.stdout, re.M)[1]
    check.assertEqual(person.sign_in(password)[1]["must_change"], True)

    # A centre that falls over takes the agent along, and says so.
    os.kill(next(int(f.name) for f in pathlib.Path("/proc").glob("[0-9]*")
                 if (f / "cmdline").exists() and b"khien-server\0" in
                 (f / "cmdline").read_bytes()), signal.SIGKILL)
    text = second.process.stdout.read()
    check.assertEqual(second.process.wait(60), 3)
    check.assertIn("khien-server", text)
    check.assertEqual(programs(), [])


class ServerCommand(unittest.TestCase):
    def test_it_runs_the_main_job_and_takes_up_where_it_was(self):
        (ROOT / "var").mkdir(exist_ok=True)
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        done = subprocess.run(
            [*sudo, "unshare", "--mount", "--net", "--pid", "--fork",
             "--mount-proc", sys.executable, __file__],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    inside()
