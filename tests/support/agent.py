"""Real agents for tests, and what they shall find."""
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import zipfile

from support.centre import BUILD, Centre

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + \
    b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def nested(content):
    """EICAR in a zip in a tar.gz."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("sub/e.com", content)
    outer = io.BytesIO()
    with tarfile.open(fileobj=outer, mode="w:gz") as t:
        info = tarfile.TarInfo("a.zip")
        info.size = len(inner.getvalue())
        t.addfile(info, io.BytesIO(inner.getvalue()))
    return outer.getvalue()


def until(condition, seconds=30, what="condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what} not met within {seconds} s")


def centre_of_agents(store=""):
    """Not started.  Its agents speak every second, are silent after five,
    and scan nothing by themselves that this machine has."""
    centre = Centre(store, settings={
        "agents.sync_seconds": 1, "protection.silent_seconds": 5})
    file = centre.share() / "data/policy.json"
    file.write_text(json.dumps(
        {**json.loads(file.read_text()), "paths": ["/nonexistent"],
         "suspicious": ["disguised"]}))
    return centre


class Agent:
    """khien-agent with a state folder and a home folder of its own."""

    def __init__(self, centre, token):
        self.centre = centre
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="khien-a-"))
        self.state, self.home = self.dir / "state", self.dir / "home"
        self.home.mkdir()
        self.process = None
        done = self.khien("agent", "enrol", "--token", token)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    def khien(self, *args):
        return subprocess.run(
            [BUILD / "prog/khien", *args, "--state", self.state], text=True,
            capture_output=True, timeout=60,
            env={**os.environ, "LANG": "en_US.UTF-8"})

    def start(self):
        self.log = open(self.dir / "agent.log", "ab")
        self.process = subprocess.Popen(
            [BUILD / "prog/khien-agent", "run", "--state", self.state],
            stderr=self.log)
        until(lambda: self.khien("agent", "status").returncode == 0,
              what="agent answers")
        return self

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        status = self.process.wait(30)
        self.process = None
        self.log.close()
        return status

    def status(self):
        return json.loads(self.khien("agent", "status", "--json").stdout)

    def scan(self, *paths):
        done = self.khien("agent", "scan", *(paths or (self.home,)))
        assert done.returncode == 0, done.stderr

    def idle(self):
        until(lambda: (lambda s: not s["scanning"] and
                       not s["scans_waiting"])(self.status()),
              what="scan ended")

    def close(self):
        if self.process is not None:
            self.stop(signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)
