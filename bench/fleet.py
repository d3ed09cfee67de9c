#!/usr/bin/python3
"""Syncs and detections a second that the whole centre takes and has stored,
over TLS from agents with certificates (bench/fleet.c), on both databases.

The peer is the database alone, given the same rows by as many clients, each
row committed before the next.
Agents, centre and database share this machine's processors.
"""
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from support.centre import BUILD, Centre, Postgres  # noqa: E402
from common import begin, ratio  # noqa: E402

AGENTS, SECONDS = 320, 5
ROWS = (0, 1, 20)  # records in a sync; most syncs carry none
PGBENCH = "/usr/lib/postgresql/15/bin/pgbench"
TABLE = """CREATE TABLE peer (agency_id {uuid} NOT NULL, id {uuid} NOT NULL,
    agent_id {uuid} NOT NULL, at_ms bigint NOT NULL, path text NOT NULL,
    name text NOT NULL, PRIMARY KEY (agency_id, id))"""


def run(centre, rows):
    token = centre.verb("token", "TQ", str(AGENTS)).strip()
    done = subprocess.run(
        [BUILD / "bench/bench_fleet", centre.ca, token, str(AGENTS), "sync",
         str(rows), str(SECONDS)], text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout.strip()


def sqlite_alone():
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as folder:
        db = sqlite3.connect(f"{folder}/peer.db", isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(TABLE.format(uuid="blob"))
        n, end = 0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            db.execute("INSERT INTO peer VALUES (?, ?, ?, ?, ?, ?)", (
                uuid.uuid4().bytes, uuid.uuid4().bytes, uuid.uuid4().bytes,
                time.time_ns() // 1000000,
                "/home/canbo/Downloads/bao_cao.doc.exe",
                "Win.Trojan.Agent-36001"))
            n += 1
        return n / SECONDS


def postgres_alone(url):
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as folder:
        os.chmod(folder, 0o755)
        script = pathlib.Path(folder) / "insert.sql"
        script.write_text(
            "INSERT INTO peer VALUES (gen_random_uuid(), gen_random_uuid(),"
            " gen_random_uuid(), 1, '/home/canbo/Downloads/bao_cao.doc.exe',"
            " 'Win.Trojan.Agent-36001');\n")
        subprocess.run(["psql", "-q", url, "-c",
                        "DROP TABLE IF EXISTS peer", "-c",
                        TABLE.format(uuid="uuid")], check=True,
                       stderr=subprocess.DEVNULL)
        out = subprocess.run(
            [PGBENCH, "-n", "-c", "32", "-j", "2", "-T", str(SECONDS), "-f",
             script, url], text=True, capture_output=True, check=True).stdout
        return float(re.search(r"tps = ([0-9.]+)", out)[1])


def compare(name, url, alone):
    print(f"{name:11} alone, a row a commit  {alone:9.0f} rows/s", flush=True)
    with Centre(url) as centre:
        for rows in ROWS:
            got = run(centre, rows)
            print(f"{name:11} {rows:2} records a sync    {got}", flush=True)
            if rows > 0:
                stored = int(re.search(r"(\d+) detections/s", got)[1])
                ratio(f"{name} detections/s, {rows} a sync, over TLS",
                      "rows/s of the database alone", stored / alone)


def main():
    begin()
    compare("sqlite", "", sqlite_alone())
    os.environ["KHIEN_POSTGRES_DURABLE"] = "1"
    postgres = Postgres()
    try:
        compare("postgresql", postgres.url, postgres_alone(postgres.url))
    finally:
        postgres.close()


if __name__ == "__main__":
    main()
