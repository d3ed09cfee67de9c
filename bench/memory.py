#!/usr/bin/python3
"""Memory of the centre for each agent that is connected and waits, and of an
agent that waits (PSS: shared pages are counted in parts).

The peer is nginx, which keeps the same connections and knows nothing of whom
it keeps them for.
"""
import pathlib
import resource
import socket
import ssl
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from common import begin, ratio  # noqa: E402
from support.agent import Agent, centre_of_agents  # noqa: E402
from support.centre import BUILD, Centre, free_port  # noqa: E402

AGENTS = 3000


def pss(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no Pss")


def family(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid] + [p for c in children.split() for p in family(int(c))]


def centre():
    """Bytes a waiting agent costs khien-server."""
    with Centre() as c:
        token = c.verb("token", "TQ", str(AGENTS)).strip()
        few = many = 0
        for count in (32, AGENTS - 32):
            waiting = subprocess.Popen(
                [BUILD / "bench/bench_fleet", c.ca, token, str(count),
                 "wait"], text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE)
            if waiting.stdout.readline() != "ready\n":
                sys.exit("the agents did not connect")
            time.sleep(1)
            few, many = many, pss(c.process.pid)
            waiting.stdin.close()
            waiting.wait()
        return (many - few) / (AGENTS - 64)


def nginx():
    """The same for nginx, with the centre's certificates."""
    with Centre() as c:
        keys, port, folder = c.dir / "data/keys", free_port(), c.dir / "nginx"
        folder.mkdir()
        (folder / "nginx.conf").write_text(
            "daemon off; worker_processes 1; user root; pid nginx.pid;\n"
            f"error_log error.log; events {{ worker_connections {2 * AGENTS};"
            " }\nhttp { access_log off; keepalive_timeout 300s; server {\n"
            f"listen 127.0.0.1:{port} ssl backlog=4096;\n"
            f"ssl_certificate {keys}/server.pem;\n"
            f"ssl_certificate_key {keys}/server.key;\n"
            f"ssl_client_certificate {keys}/ca.pem;\n"
            "ssl_verify_client optional; location / { return 204; } } }\n")
        server = subprocess.Popen(["nginx", "-p", folder, "-c", "nginx.conf",
                                   "-e", "error.log"])
        context = ssl.create_default_context(cafile=c.ca)
        time.sleep(1)
        worker, held, few = family(server.pid)[-1], [], 0
        for i in range(AGENTS):
            if i == 32:
                few = pss(worker)
            s = context.wrap_socket(
                socket.create_connection(("127.0.0.1", port)),
                server_hostname="127.0.0.1")
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            s.recv(4096)
            held.append(s)
        many = pss(worker)
        server.terminate()
        server.wait()
        return (many - few) / (AGENTS - 32)


def agent():
    with centre_of_agents() as c:
        one = Agent(c, c.verb("token", "TQ").strip()).start()
        time.sleep(3)
        one.idle()
        total = {}
        for pid in family(one.process.pid):
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            name = " ".join(words.decode().split("\0")[:2]).split("/")[-1]
            total[name] = total.get(name, 0) + pss(pid)
        one.close()
        return total


def main():
    begin()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    ours = centre()
    print(f"centre, a waiting agent     {ours / 1024:8.1f} KiB")
    theirs = nginx()
    print(f"nginx, a waiting client     {theirs / 1024:8.1f} KiB")
    ratio("centre, memory a waiting agent", "nginx", theirs / ours)
    parts = agent()
    for name, bytes_ in sorted(parts.items()):
        print(f"agent, {name:20} {bytes_ / 1e6:8.1f} MB")
    print(f"agent, all of it            {sum(parts.values()) / 1e6:8.1f} MB")


if __name__ == "__main__":
    main()
