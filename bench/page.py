#!/usr/bin/python3
"""What the console's pages weigh and when they are seen first, with the data
of 150 agencies, in Chromium with an empty cache.

The peer is the same page as one finished file from nginx, over the same TLS:
what making the page anew costs; 1.00 would be nothing.
"""
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from common import begin, ratio  # noqa: E402
from support import province  # noqa: E402
from support.centre import BUILD, Centre, PASSWORD, free_port  # noqa: E402
from support.webdriver import Browser  # noqa: E402

PAGES = ("/", "/agencies", "/computers", "/detections")
ROUNDS = 9
WEIGH = """
    const all = [...performance.getEntriesByType('navigation'),
                 ...performance.getEntriesByType('resource')];
    const paint = performance.getEntriesByName('first-contentful-paint')[0];
    return [all.length, all.reduce((n, e) => n + e.transferSize, 0),
            all.reduce((n, e) => n + e.decodedBodySize, 0),
            paint ? paint.startTime : -1];"""


class Nginx:
    """The pages as files, for the browser to tell apart by nothing."""

    def __init__(self, centre, pages):
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        folder = centre.dir / "nginx"
        shutil.copytree(ROOT / "web", folder / "root/assets")
        for file in (BUILD / "web").iterdir():
            shutil.copy(file, folder / "root/assets")
        for path, html in pages.items():
            file = folder / "root" / (path.strip("/") or "overview")
            file.with_suffix(".html").write_text(html)
        keys = centre.dir / "data/keys"
        (folder / "nginx.conf").write_text(
            "daemon off; worker_processes 1; user root; pid nginx.pid;\n"
            "error_log error.log; events {}\n"
            "http { include /etc/nginx/mime.types; access_log off; gzip on;\n"
            "gzip_types text/css application/javascript image/svg+xml;\n"
            f"server {{ listen 127.0.0.1:{self.port} ssl;\n"
            f"ssl_certificate {keys}/server.pem;\n"
            f"ssl_certificate_key {keys}/server.key;\n"
            f"root {folder}/root; location = / {{ try_files /overview.html"
            " =404; } location / { try_files $uri $uri.html =404; } } }\n")
        self.process = subprocess.Popen(
            ["nginx", "-p", folder, "-c", "nginx.conf", "-e", "error.log"])
        time.sleep(0.5)

    def close(self):
        self.process.terminate()
        self.process.wait()


def load(b, url):
    """(requests, bytes on the wire, bytes, ms to first paint)"""
    b.devtools("Network.clearBrowserCache")
    b.do("POST", "/url", {"url": url})
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        got = b.run(WEIGH)
        if got[3] >= 0:
            return got
        time.sleep(0.02)
    raise RuntimeError(f"{url} was never painted")


def main():
    begin()
    with Centre() as centre:
        province.settle(centre)
        centre.stop()
        province.age(centre)
        centre.start()
        with Browser(centre) as b:
            b.size("desk")
            b.go("/signin")
            b.type("#login", centre.login)
            b.type("#password", PASSWORD)
            b.follow("main button")
            pages = {}
            for path in PAGES:
                b.go(path)
                pages[path] = b.run(
                    "return document.documentElement.outerHTML")
            nginx = Nginx(centre, pages)
            try:
                for path in PAGES:
                    compare(b, centre, nginx, path)
            finally:
                nginx.close()


def compare(b, centre, nginx, path):
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(load(b, centre.url + path))
        theirs.append(load(b, nginx.url + path))
    requests, wire, size, _ = ours[-1]
    paint = statistics.median(r[3] for r in ours)
    still = statistics.median(r[3] for r in theirs)
    print(f"{path:12} {requests} requests {wire / 1000:6.1f} kB on the wire "
          f"({size / 1000:.0f} kB) first paint {paint:.0f} ms, "
          f"as a file {still:.0f} ms", flush=True)
    ratio(f"{path} first paint", "a file from nginx", still / paint)
    ratio(f"{path} weight", "a file from nginx", theirs[-1][1] / wire)


if __name__ == "__main__":
    main()
