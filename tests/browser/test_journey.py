"""The main job as the administrator of a province sees it, in a browser, on
both databases: computers protected, detections dealt with, gaps named."""
import os
import signal
import unittest

from support.agent import Agent, EICAR, centre_of_agents, nested, until
from support.centre import PASSWORD, Postgres
from support.webdriver import Browser, ELEMENT


class Journey:
    """Mixed into one class for each database; one walk, step by step."""
    postgres = None

    @classmethod
    def store_url(cls):
        return ""

    @classmethod
    def setUpClass(cls):
        cls.agents = []
        cls.centre = centre_of_agents(cls.store_url()).start()

    @classmethod
    def tearDownClass(cls):
        for agent in cls.agents:
            agent.close()
        cls.centre.close()
        if cls.postgres:
            cls.postgres.close()

    def sign_in_for_the_first_time(self):
        b = self.browser
        b.go("/")
        self.assertEqual(b.title, "Đăng nhập · Khiên")
        b.type("#login", self.centre.login)
        b.type("#password", self.centre.first_password)
        b.follow("main button")
        self.assertEqual(b.path, "/password")
        b.go("/computers")  # nothing else is to be had before
        self.assertEqual(b.path, "/password")
        b.type("#current", self.centre.first_password)
        b.type("#password", PASSWORD)
        b.type("#again", PASSWORD)
        b.follow("main button")
        self.assertEqual(b.path, "/")
        self.assertEqual(b.title, "Tổng quan · Khiên")

    def enrol(self):
        """A token from the console, used on a computer."""
        b = self.browser
        b.go("/computers")
        b.type("#token-agency", "TQ")
        b.follow("section[aria-labelledby=enrol] button")
        command = b.text(".report code")
        self.assertTrue(command.startswith("khien agent enrol --token "))
        agent = Agent(self.centre, command.split()[-1]).start()
        self.agents.append(agent)
        return agent

    def figure(self, name):
        return int(self.browser.text(
            f"[data-figure='{name}'] .value").replace(".", ""))

    def coverage(self):
        self.browser.go("/")
        return self.figure("protection.computers.protected")

    def rows(self, agent):
        """{path: row element} of the detections page."""
        b = self.browser
        b.go(f"/detections?q={agent.dir.name}")
        return {b.run("return arguments[0].querySelector('.path code')"
                      ".textContent", {ELEMENT: row}): row
                for row in b.all("tr[data-detection]")}

    def fate(self, agent, path):
        row = self.rows(agent).get(str(path))
        return row and self.browser.text(".fate", within=row)

    def act(self, agent, path, what):
        """Opens the act's question in its row, and confirms it."""
        b, row = self.browser, self.rows(agent)[str(path)]
        act = b.all(f"form[action$='/{what}']", within=row)[0]
        b.run("arguments[0].closest('details').open = true", {ELEMENT: act})
        b.follow("button", within=act)

    def test_it(self):
        with Browser(self.centre) as self.browser:
            self.sign_in_for_the_first_time()
            one, other = self.enrol(), self.enrol()
            until(lambda: self.coverage() == 2, what="two are protected")
            self.find_and_deal_with(one)
            self.fall_silent(other)

    def find_and_deal_with(self, agent):
        plain, packed = agent.home / "eicar.com", agent.home / "d.tar.gz"
        odd = agent.home / "a\nb.com"
        plain.write_bytes(EICAR)
        packed.write_bytes(nested(EICAR))
        odd.write_bytes(EICAR)
        os.chmod(plain, 0o640)
        os.utime(plain, ns=(1_600_000_000_123_456_789,) * 2)
        os.setxattr(plain, "user.note", "ghi chú".encode())
        before = plain.stat()
        agent.scan()
        until(lambda: {self.fate(agent, p) for p in (plain, packed, odd)} ==
              {"Đã cách ly"}, what="three are in quarantine")
        self.assertEqual(len(self.rows(agent)), 3)
        self.assertFalse(plain.exists() or packed.exists() or odd.exists())
        self.browser.go("/")
        self.assertEqual(self.figure("protection.detections"), 3)

        self.act(agent, plain, "restore")
        until(lambda: self.fate(agent, plain) == "Đã khôi phục",
              what="it is restored")
        after = plain.stat()
        self.assertEqual(plain.read_bytes(), EICAR)
        self.assertEqual(os.getxattr(plain, "user.note"), "ghi chú".encode())
        for what in ("st_mode", "st_uid", "st_gid", "st_mtime_ns"):
            self.assertEqual(getattr(after, what), getattr(before, what))
        self.act(agent, odd, "delete")
        until(lambda: self.fate(agent, odd) == "Đã xóa", what="it is deleted")
        self.assertEqual(self.fate(agent, packed), "Đã cách ly")
        self.assertFalse(odd.exists())

    def fall_silent(self, agent):
        self.assertEqual(self.coverage(), 2)
        self.assertIn("100 %", self.browser.text("[data-figure=percent]"))
        agent.stop(signal.SIGKILL)
        until(lambda: self.coverage() == 1, what="coverage fell")
        b = self.browser
        self.assertIn("50 %", b.text("[data-figure=percent]"))
        self.assertEqual(self.figure("protection.computers.unknown"), 1)
        self.assertIn("Tác tử im lặng", b.text("[data-reason=silent]"))
        b.follow("[data-reason=silent] a")
        row = b.one("tr[data-state=unknown]")
        self.assertIn("Tác tử im lặng", b.text(".state", within=row))
        self.assertEqual(b.all("tr[data-state=protected]"), [])
        agent.start()
        until(lambda: self.coverage() == 2, what="it is heard of again")


class OnSqlite(Journey, unittest.TestCase):
    pass


class OnPostgres(Journey, unittest.TestCase):
    @classmethod
    def store_url(cls):
        cls.postgres = Postgres()
        return cls.postgres.url
