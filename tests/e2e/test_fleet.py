"""Centre and real agents together: what is found on a computer is seen at the
centre, once, whatever falls over between."""
import os
import pathlib
import random
import signal
import sqlite3
import time
import unittest

from support.agent import Agent, EICAR, centre_of_agents, nested, until
from support.centre import Postgres

class Fleet:
    """Mixed into one class for each database."""
    postgres = None

    @classmethod
    def store_url(cls):
        return ""

    @classmethod
    def setUpClass(cls):
        cls.centre = centre_of_agents(cls.store_url()).start()
        cls.admin = cls.centre.signed_in()
        cls.agents = []

    @classmethod
    def tearDownClass(cls):
        for agent in cls.agents:
            agent.close()
        cls.centre.close()
        if cls.postgres:
            cls.postgres.close()

    def agent(self):
        token = self.admin.call("POST", "/api/v1/tokens", {
            "agency": "TQ", "uses": 1}).json["token"]
        agent = Agent(self.centre, token)
        self.agents.append(agent)
        return agent.start()

    def found(self, agent):
        rows = self.admin.get(f"/api/v1/detections?q={agent.dir.name}").json
        return rows["rows"]

    def seen(self, agent, n, state="quarantined"):
        def settled():
            rows = self.found(agent)
            return len(rows) >= n and all(r["state"] == state for r in rows) \
                and rows
        return until(settled, what=f"{n} detections {state}")

    def act(self, row, what):
        a = self.admin.request(
            "POST", f"/api/v1/detections/{row['agency']}/{row['id']}/{what}")
        self.assertEqual(a.status, 202, a.text)

    def test_detections_reach_the_centre_and_files_come_back_whole(self):
        agent = self.agent()
        plain, packed = agent.home / "eicar.com", agent.home / "d.tar.gz"
        odd = agent.home / "a\nb.com"
        plain.write_bytes(EICAR)
        packed.write_bytes(nested(EICAR))
        odd.write_bytes(EICAR)
        (agent.home / "clean.txt").write_text("sạch")
        os.chmod(plain, 0o640)
        os.utime(plain, ns=(1_600_000_000_123_456_789,) * 2)
        os.setxattr(plain, "user.note", "ghi chú".encode())
        before = plain.stat()
        agent.scan()
        rows = self.seen(agent, 3)
        self.assertEqual(len(rows), 3)
        self.assertFalse(plain.exists() or packed.exists() or odd.exists())
        self.assertTrue((agent.home / "clean.txt").exists())
        inner = {r["path"]: r["inner"] for r in rows}
        self.assertTrue(inner[str(packed)].endswith("a.zip/sub/e.com"))
        self.assertIn(str(odd), inner)
        self.assertEqual({r["name"] for r in rows}, {"Eicar-Test-Signature"})
        for path in agent.state.rglob("*"):
            if path.is_file():
                self.assertNotIn(EICAR, path.read_bytes(), path)

        row = next(r for r in rows if r["path"] == str(plain))
        self.act(row, "restore")
        until(plain.exists, what="the file is back")
        until(lambda: [r for r in self.found(agent) if r["id"] == row["id"]
                       and r["state"] == "restored"])
        after = plain.stat()
        self.assertEqual(plain.read_bytes(), EICAR)
        self.assertEqual(os.getxattr(plain, "user.note"), "ghi chú".encode())
        for what in ("st_mode", "st_uid", "st_gid", "st_mtime_ns"):
            self.assertEqual(getattr(after, what), getattr(before, what))
        agent.scan()  # what people restored is left alone
        agent.idle()
        self.assertTrue(plain.exists())

        row = next(r for r in rows if r["path"] == str(odd))
        self.act(row, "delete")
        until(lambda: [r for r in self.found(agent) if r["id"] == row["id"]
                       and r["state"] == "deleted"])
        self.assertFalse(odd.exists())
        self.assertEqual(len(self.found(agent)), 3)

    def test_nothing_is_lost_or_doubled_whatever_falls(self):
        agent = self.agent()
        for i in range(20):
            (agent.home / f"{i}.com").write_bytes(EICAR + b" " * (i % 5))
        self.centre.stop(signal.SIGKILL)  # the centre is away meanwhile
        agent.scan()
        agent.idle()
        self.assertGreater(agent.status()["records_waiting"], 0)
        agent.stop(signal.SIGKILL)
        for i in range(20, 40):
            (agent.home / f"{i}.com").write_bytes(EICAR + b"\n" * (i % 5))
        agent.start()
        agent.scan()
        time.sleep(0.3)
        agent.stop(signal.SIGKILL)  # in the middle of a scan
        self.centre.start()
        type(self).admin = self.centre.signed_in()
        agent.start()
        time.sleep(0.5)
        self.centre.stop(signal.SIGKILL)
        self.centre.start()
        type(self).admin = self.centre.signed_in()
        agent.scan()
        rows = self.seen(agent, 40)
        self.assertEqual(len(rows), 40)
        self.assertEqual(len({r["path"] for r in rows}), 40)
        until(lambda: agent.status()["records_waiting"] == 0)
        self.assertEqual(len(self.found(agent)), 40)

    def test_what_is_but_suspicious_is_told_and_left(self):
        agent = self.agent()
        program = agent.home / "anh.jpg"
        program.write_bytes(pathlib.Path("/bin/true").read_bytes())

        def told():  # once it has the policy
            agent.scan()
            return self.found(agent)
        row, = until(told, what="the report")
        self.assertEqual((row["name"], row["state"]),
                         ("Heuristics.Disguised.Program", "suspicious"))
        self.assertTrue(program.exists())

    def every_detection(self, agent):
        rows, page = [], 1
        while page:
            answer = self.admin.get(f"/api/v1/detections?q={agent.dir.name}"
                                    f"&page={page}").json
            rows += answer["rows"]
            page = answer.get("after", 0)
        return rows

    def test_nothing_is_lost_or_doubled_by_falls_at_random(self):
        seed = int.from_bytes(os.urandom(4), "big")
        chance, agent, files = random.Random(seed), self.agent(), {}
        for _ in range(12):
            for _ in range(chance.randint(1, 30)):
                path = agent.home / f"{len(files)}.com"
                files[str(path)] = EICAR + b" " * (len(files) % 7)
                path.write_bytes(files[str(path)])
            if agent.process is None:
                agent.start()
            if self.centre.process is None and chance.random() < 0.6:
                self.centre.start()
            agent.scan()
            time.sleep(chance.random() * chance.choice([0.05, 0.3, 1]))
            if chance.random() < 0.6:
                agent.stop(signal.SIGKILL)
            if chance.random() < 0.4:
                self.centre.stop(signal.SIGKILL)
        if self.centre.process is None:
            self.centre.start()
        type(self).admin = self.centre.signed_in()
        if agent.process is None:
            agent.start()
        agent.scan()
        with self.subTest(seed=seed):
            until(lambda: len(self.every_detection(agent)) >= len(files) and
                  not agent.status()["records_waiting"], what="all told")
            rows = self.every_detection(agent)
            self.assertEqual(sorted(r["path"] for r in rows), sorted(files))
            self.assertEqual({r["state"] for r in rows}, {"quarantined"})
            for row in chance.sample(rows, 5):
                self.act(row, "restore")
                path = pathlib.Path(row["path"])
                until(path.exists, what="the file is back")
                self.assertEqual(path.read_bytes(), files[row["path"]])

    def test_coverage_falls_when_an_agent_goes_silent_and_says_why(self):
        agent = self.agent()
        host = os.uname().nodename

        def mine():
            status = agent.status() if agent.process else None
            rows = self.admin.get(f"/api/v1/computers?q={host}").json["rows"]
            if status:
                type(self).silent_id = status["agent"]
            return next(r for r in rows if r["agent"] == self.silent_id)
        until(lambda: mine()["reason"] == "", what="protected")
        agent.stop(signal.SIGKILL)
        until(lambda: mine()["reason"] == "silent", what="silent")
        self.assertEqual(mine()["state"], "unknown")

        # Other tests' computers come and go meanwhile.
        def protected():
            rows = self.admin.get("/api/v1/computers").json["rows"]
            return sum(r["reason"] == "" for r in rows)
        until(lambda: self.admin.get("/api/v1/overview").json["totals"]
              ["protected"] == protected(), what="coverage without it")
        after = self.admin.get("/api/v1/overview").json
        reasons = {r["reason"]: r["count"] for r in after["reasons"]}
        self.assertGreaterEqual(reasons["silent"], 1)
        agent.start()
        until(lambda: mine()["reason"] == "", what="protected again")

    def test_revoked_agent_is_not_heard_any_more(self):
        agent = self.agent()
        status = until(lambda: (lambda s: s if "last_sync" in s else None)(
            agent.status()))
        self.admin.request("POST", "/api/v1/agents/"
                           f"{status['agency']}/{status['agent']}/revoke")
        (agent.home / "e.com").write_bytes(EICAR)
        agent.scan()
        agent.idle()
        time.sleep(3)
        self.assertEqual(self.found(agent), [])
        self.assertGreater(agent.status()["records_waiting"], 0)

    def test_token_is_refused_a_second_time_with_the_centres_words(self):
        token = self.admin.call("POST", "/api/v1/tokens", {
            "agency": "TQ", "uses": 1}).json["token"]
        self.agents.append(Agent(self.centre, token))
        with self.assertRaisesRegex(RuntimeError, "used already"):
            Agent(self.centre, token)
        with self.assertRaisesRegex(RuntimeError, "not an enrolment token"):
            Agent(self.centre, "nonsense")

    def test_a_set_that_was_left_half_done_is_taken_up_or_thrown_away(self):
        version = max(int(p.stem) for p in
                      (self.centre.dir / "data/sets").glob("*.kdb"))
        whole = (self.centre.dir / f"data/sets/{version}.kdb").read_bytes()
        for left in (whole, whole[:-1], whole + b"x", b"x" * len(whole),
                     b"x" * 100, b""):
            agent = Agent(self.centre, self.admin.call(
                "POST", "/api/v1/tokens",
                {"agency": "TQ", "uses": 1}).json["token"])
            self.agents.append(agent)
            (agent.state / "sets").mkdir(mode=0o700)
            (agent.state / f"sets/{version}.part").write_bytes(left)
            agent.start()
            until(lambda: agent.status()["set_version"] == version,
                  what="the set is in use")
            self.assertEqual(
                (agent.state / "sets/current.kdb").read_bytes(), whole)

    def test_new_signature_set_reaches_the_agent_and_is_used(self):
        agent = self.agent()
        sig = agent.dir / "own.ndb"
        sig.write_text("Khien.Test.Own:0:*:" + b"khien-own-pattern-17".hex()
                       + "\n")
        out = self.centre.verb("publish", str(sig))
        version = int(out.split()[1].rstrip(":"))
        until(lambda: agent.status()["set_version"] == version,
              what="the set is in use")
        (agent.home / "own.bin").write_bytes(b"..khien-own-pattern-17..")
        agent.scan()
        rows = self.seen(agent, 1)
        self.assertEqual((rows[0]["name"], rows[0]["set_version"]),
                         ("Khien.Test.Own", version))


class OnSqlite(Fleet, unittest.TestCase):
    def publish(self, pattern):
        """(version, file) of a set that finds the pattern."""
        sig = self.centre.dir / "own.ndb"
        sig.write_text(f"Own.{pattern}:0:*:{pattern.encode().hex()}\n")
        version = int(self.centre.verb("publish", str(sig)).split()[1][:-1])
        return version, self.centre.dir / f"data/sets/{version}.kdb"

    def tamper(self, statement, *values):
        with sqlite3.connect(self.centre.dir / "data/khien.db",
                             timeout=10) as db:
            self.assertEqual(db.execute(statement, values).rowcount, 1)

    def test_a_set_that_is_not_what_was_signed_is_never_used(self):
        agent = self.agent()
        until(lambda: agent.status()["set_version"] > 0, what="a set")
        before = agent.status()["set_version"]
        (agent.state / "sets/1000000.part").write_bytes(b"given up")
        version, file = self.publish("first-pattern")
        until(lambda: agent.status()["set_version"] == version)
        self.assertEqual(list((agent.state / "sets").glob("*.part")), [])
        good = (agent.state / "sets/current.kdb").read_bytes()

        # the file was exchanged behind the centre's back
        self.centre.stop()
        bad, file = self.publish("second-pattern")
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        self.centre.start()
        type(self).admin = self.centre.signed_in()
        until(lambda: "not what was signed" in agent.status()["fault"],
              what="it is refused")
        self.assertEqual(agent.status()["set_version"], version)

        # the offer is signed by nobody, or goes back
        self.tamper("UPDATE signature_sets SET signature = ?"
                    " WHERE version = ?", "0" * 128, bad)
        until(lambda: "not signed by the centre" in agent.status()["fault"],
              what="it is refused")
        self.tamper("DELETE FROM signature_sets WHERE version = ?", bad)
        self.tamper("DELETE FROM signature_sets WHERE version = ?", version)
        self.assertGreater(version, before)
        time.sleep(2)
        self.assertEqual(agent.status()["set_version"], version)
        self.assertEqual(
            (agent.state / "sets/current.kdb").read_bytes(), good)
        self.publish("third-pattern")  # for the tests that follow
        self.publish("fourth-pattern")


class OnPostgres(Fleet, unittest.TestCase):
    @classmethod
    def store_url(cls):
        cls.postgres = Postgres()
        return cls.postgres.url


if __name__ == "__main__":
    unittest.main()
