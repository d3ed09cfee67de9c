"""A real browser for tests: Chromium, driven over the W3C WebDriver protocol
(https://www.w3.org/TR/webdriver2/) by chromedriver on a loopback port.

	with Browser(centre) as b:
	    b.go("/signin")
	    b.type("#login", "quantri")
"""
import base64
import http.client
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

from support.centre import free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008"}
SIZES = {"desk": (1366, 768), "phone": (390, 844)}


class WebDriverError(Exception):
    pass


class Browser:
    """One window with a profile of its own.  Without JavaScript no page may
    run a script; ours run in an isolated world all the same."""

    def __init__(self, centre, javascript=True):
        self.centre, self.javascript = centre, javascript
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="khien-browser-"))
        self.downloads = self.dir / "downloads"

    def __enter__(self):
        port = free_port()
        self.log = open(self.dir / "driver.log", "wb")
        self.process = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=self.log,
            stderr=self.log)
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.session = ""
        try:
            self.wait_for_driver()
            self.session = "/session/" + self.ask("POST", "/session", {
                "capabilities": {"alwaysMatch": self.wishes()}})["sessionId"]
        except BaseException:
            self.close()
            raise
        return self

    def wait_for_driver(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                return self.ask("GET", "/status")
            except OSError:
                self.http.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def wishes(self):
        prefs = {"intl.accept_languages": "vi,en"}
        if not self.javascript:
            prefs["profile.managed_default_content_settings.javascript"] = 2
        return {
            "browserName": "chrome",
            # The centre's own authority is in no store; TLS itself is
            # tested elsewhere.
            "acceptInsecureCerts": True,
            "goog:chromeOptions": {
                "prefs": prefs,
                "args": ["--headless=new", "--no-sandbox", "--disable-gpu",
                         "--disable-dev-shm-usage", "--no-proxy-server",
                         "--disable-background-networking",
                         "--hide-scrollbars", "--force-color-profile=srgb",
                         f"--user-data-dir={self.dir}/profile"],
            },
        }

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.session:
            try:
                self.ask("DELETE", self.session)
            except (OSError, WebDriverError):
                pass
        self.http.close()
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def ask(self, method, path, body=None):
        data = None if method != "POST" else json.dumps(body or {})
        self.http.request(method, path, data)
        answer = json.loads(self.http.getresponse().read())["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise WebDriverError(f"{method} {path}: {answer['error']}: "
                                 f"{answer['message']}")
        return answer

    def do(self, method, path, body=None):
        return self.ask(method, self.session + path, body)

    # ---- pages ----

    def go(self, path):
        self.do("POST", "/url", {"url": self.centre.url + path})

    @property
    def path(self):
        return self.do("GET", "/url").removeprefix(self.centre.url)

    @property
    def title(self):
        return self.do("GET", "/title")

    @property
    def source(self):
        return self.do("GET", "/source")

    def run(self, script, *args):
        return self.do("POST", "/execute/sync",
                       {"script": script, "args": list(args)})

    def run_async(self, script, *args):
        return self.do("POST", "/execute/async",
                       {"script": script, "args": list(args)})

    def devtools(self, command, **params):
        return self.do("POST", "/goog/cdp/execute",
                       {"cmd": command, "params": params})

    def size(self, name):
        """The viewport, exactly."""
        width, height = SIZES[name]
        self.devtools("Emulation.setDeviceMetricsOverride", width=width,
                      height=height, deviceScaleFactor=1,
                      mobile=name == "phone")

    def media(self, scheme="light", kind="screen"):
        self.devtools("Emulation.setEmulatedMedia", media=kind, features=[
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}])

    def screenshot(self, file, top=20000):
        """The page, from its top to at most so many pixels."""
        width, height = self.run("""
            const e = document.documentElement;
            return [e.clientWidth, e.scrollHeight];""")
        shot = self.devtools(
            "Page.captureScreenshot", format="png",
            captureBeyondViewport=True,
            clip={"x": 0, "y": 0, "width": width,
                  "height": min(height, top), "scale": 1})
        pathlib.Path(file).write_bytes(base64.b64decode(shot["data"]))

    # ---- elements ----

    def all(self, css, within=None):
        path = "/elements" if within is None else f"/element/{within}/elements"
        found = self.do("POST", path, {"using": "css selector", "value": css})
        return [e[ELEMENT] for e in found]

    def one(self, css, within=None):
        found = self.all(css, within)
        if len(found) != 1:
            raise WebDriverError(f"{len(found)} elements are {css} on "
                                 f"{self.path}:\n{self.text('body')}")
        return found[0]

    def text(self, css, within=None):
        return self.do("GET", f"/element/{self.one(css, within)}/text")

    def texts(self, css):
        return self.run("return [...document.querySelectorAll(arguments[0])]"
                        ".map(e => e.innerText)", css)

    def attribute(self, css, name):
        return self.do("GET", f"/element/{self.one(css)}/attribute/{name}")

    def type(self, css, text):
        element = self.one(css)
        self.do("POST", f"/element/{element}/clear")
        self.do("POST", f"/element/{element}/value", {"text": str(text)})

    def choose_file(self, css, path):
        self.do("POST", f"/element/{self.one(css)}/value",
                {"text": str(path)})

    def click(self, css, within=None):
        self.do("POST", f"/element/{self.one(css, within)}/click")

    def follow(self, css, within=None):
        """Clicks, and waits for the page that comes after this one."""
        self.leave(lambda: self.click(css, within))

    def leave(self, act):
        """Does what leads to another page, and waits until that is there."""
        self.run("window.khienOld = true")
        act()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if self.run("return !window.khienOld &&"
                            " document.readyState === 'complete'"):
                    return
            except WebDriverError:
                pass  # between two pages
            time.sleep(0.01)
        raise WebDriverError("no other page came within 30 s")

    def press(self, *keys):
        """Keys as a hand would: down and up, one after another."""
        actions = []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value},
                        {"type": "keyUp", "value": value}]
        self.do("POST", "/actions", {"actions": [
            {"type": "key", "id": "keyboard", "actions": actions}]})

    def focused(self):
        """Tag, name or text, and whether the focus can be seen."""
        return self.run("""
            const e = document.activeElement, s = getComputedStyle(e);
            const r = e.getBoundingClientRect();
            return {tag: e.tagName, name: e.name || '', id: e.id,
                text: (e.innerText || e.value || '').trim(),
                seen: r.width > 0 && r.height > 0 && r.right > 0 &&
                    (s.outlineStyle !== 'none' && s.outlineWidth !== '0px' ||
                     s.boxShadow !== 'none')};""")
