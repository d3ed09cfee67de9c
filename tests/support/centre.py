"""A real centre for tests: its own folder, port, keys and database, reached
over real TLS.  Also a browser's side (sessions, forms) and a bare agent that
speaks the wire by hand, for what the real agent would never send."""
import base64
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.parse
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KHIEN_BUILD", ROOT / "build"))
PASSWORD = "Khien-dung-vung-2026!"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def now(offset=0.0):
    t = time.time() + offset
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + \
        f".{int(t * 1000) % 1000:03d}Z"


class Postgres:
    """PostgreSQL for one test class; its databases come one after another."""

    def __init__(self):
        self.process = subprocess.Popen(
            [ROOT / "tests/support/postgres", "keep"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("PostgreSQL did not start")

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class Centre:
    """khien-server, set up from nothing; `with Centre(...) as c`."""

    def __init__(self, store="", partitioned=False, agency="TQ",
                 name="UBND tỉnh Tuyên Quang", settings=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="khien-centre-"))
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.config = self.dir / "server.ini"
        self.config.write_text(
            "[server]\n"
            f"port = {self.port}\nurl = {self.url}\n"
            f"data = {self.dir}/data\nshare = {self.share()}\n"
            f"assets = {BUILD}/web\nlocale = {BUILD}/po\n"
            + (f"store = {store}\n" if store else "")
            + ("partitioned = yes\n" if partitioned else ""))
        self.process = None
        out = self.verb("init", "--agency", agency, "--name", name)
        self.login = re.search(r"^account (.*)$", out, re.M)[1]
        self.first_password = re.search(r"^password (.*)$", out, re.M)[1]
        for key, value in (settings or {}).items():
            self.verb("set", key, str(value))

    def share(self):
        """The centre's pages and data; data/ is a copy that a test may
        change."""
        share = self.dir / "share"
        if not share.exists():
            share.mkdir()
            (share / "web").symlink_to(ROOT / "web")
            shutil.copytree(ROOT / "data", share / "data")
        return share

    def verb(self, *args):
        done = subprocess.run(
            [BUILD / "prog/khien-server", "--config", self.config, *args],
            text=True, capture_output=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{args}: {done.stderr}")
        return done.stdout

    def start(self):
        self.log = open(self.dir / "server.log", "ab")
        self.process = subprocess.Popen(
            [BUILD / "prog/khien-server", "--config", self.config, "run"],
            stderr=self.log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError((self.dir / "server.log").read_text())
            try:
                if self.client().get("/health").status == 200:
                    return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the centre did not start")

    def stop(self, how=signal.SIGTERM):
        """Returns the exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(how)
        status = self.process.wait(30)
        self.process = None
        self.log.close()
        return status

    __enter__ = start

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process is not None:
            self.stop(signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def ca(self):
        return self.dir / "data/keys/ca.pem"

    def client(self, cert=None):
        return Client(self, cert)

    def signed_in(self):
        """A client of the administrator, whose password was changed."""
        c = self.client()
        for password in (PASSWORD, self.first_password):
            a = c.call("POST", "/api/v1/session",
                       {"login": self.login, "password": password})
            if a.status == 201:
                break
        else:
            raise RuntimeError(f"sign-in: {a.status} {a.text}")
        c.csrf = a.json["csrf"]
        if a.json["must_change"]:
            a = c.call("PUT", "/api/v1/password",
                       {"current": self.first_password, "password": PASSWORD})
            if a.status != 200:
                raise RuntimeError(f"password: {a.status} {a.text}")
        return c


class Client:
    """A keeps-alive HTTPS client with a cookie jar and a CSRF token."""

    def __init__(self, centre, cert=None):
        self.centre, self.cookies, self.csrf = centre, {}, None
        context = ssl.create_default_context(cafile=centre.ca)
        if cert:
            context.load_cert_chain(*cert)
        self.connection = http.client.HTTPSConnection(
            "127.0.0.1", centre.port, context=context, timeout=30)

    def request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if isinstance(body, str):
            body = body.encode()
        if self.cookies:
            headers["Cookie"] = "; ".join(
                f"{k}={v}" for k, v in self.cookies.items())
        if self.csrf and method != "GET":
            headers.setdefault("X-CSRF-Token", self.csrf)
        for attempt in (1, 2):
            try:
                self.connection.request(method, path, body, headers)
                answer = Answer(self.connection.getresponse())
                break
            except (http.client.RemoteDisconnected, BrokenPipeError,
                    ConnectionResetError):
                self.connection.close()
                if attempt == 2:
                    raise
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return answer

    def get(self, path):
        return self.request("GET", path)

    def call(self, method, path, body=None):
        return self.request(method, path, json.dumps(body),
                            {"Content-Type": "application/json"})

    def form(self, path, **fields):
        return self.request("POST", path, urllib.parse.urlencode(fields), {
            "Content-Type": "application/x-www-form-urlencoded"})

    def csv(self, path, text):
        return self.request("POST", path, text.encode(),
                            {"Content-Type": "text/csv"})


class BareAgent:
    """An agent made by hand: key by openssl, JSON by us."""

    def __init__(self, centre, token, host="may-tay", macs=()):
        self.centre = centre
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="khien-agent-"))
        self.fingerprint = hashlib.sha256(os.urandom(8)).hexdigest()
        self.inventory = {"host": host, "kind": "workstation",
                          "os": "Debian GNU/Linux 12", "macs": list(macs)}
        self.spool, self.number = str(uuid.uuid4()), 0
        self.token = json.loads(base64.urlsafe_b64decode(
            token.removeprefix("khien1.") + "=="))
        self.csr = self.make_csr()

    def make_csr(self):
        subprocess.run(
            ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-keyout",
             self.dir / "key.pem", "-out", self.dir / "csr.pem", "-subj",
             "/CN=x"], check=True, capture_output=True)
        return (self.dir / "csr.pem").read_text()

    def enrol(self):
        t = self.token
        a = self.centre.client().call("POST", "/api/v1/enrol", {
            "agency": t["agency"], "token": t["token"],
            "secret": t["secret"], "csr": self.csr,
            "fingerprint": self.fingerprint, "inventory": self.inventory})
        if a.status == 201:
            self.keep(a.json)
        return a

    def keep(self, enrolled):
        self.id, self.agency = enrolled["agent"], enrolled["agency"]
        self.sign_key = enrolled["sign_key"]
        (self.dir / "cert.pem").write_text(enrolled["certificate"])
        self.client = self.centre.client(
            (self.dir / "cert.pem", self.dir / "key.pem"))

    def record(self, kind, **body):
        self.number += 1
        return {"number": self.number, "kind": kind, "body": body}

    def detection(self, path="/home/a/eicar.com", **more):
        return self.record("detection", **{
            "id": str(uuid.uuid4()), "time": now(), "path": path,
            "name": "Eicar-Test-Signature", "outcome": "infected",
            "size": 68, "set_version": 1, "action": "quarantine", **more})

    def sync(self, *records, **more):
        return self.client.call("POST", "/api/v1/agent/sync", {
            "fingerprint": self.fingerprint, "time": now(),
            "version": "0.1.0", "policy_version": 1, "set_version": 1,
            "last_scan": now(), "spool": self.spool,
            "records": list(records), **more})

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)
