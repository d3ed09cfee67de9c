"""The commands as people at a terminal meet them: in their language, and
with a reason for everything that was not done."""
import json
import os
import subprocess
import unittest

from support.agent import Agent, centre_of_agents, until
from support.centre import BUILD


def run(program, *args, lang="C.UTF-8"):
    return subprocess.run(
        [BUILD / "prog" / program, *args], text=True, capture_output=True,
        timeout=60, env={**os.environ, "LC_ALL": lang})


class Commands(unittest.TestCase):
    def test_help_and_wrong_use_speak_vietnamese_or_english(self):
        for program, vi, en in (
                ("khien", "tìm mã độc", "look for malware"),
                ("khien-server", "in một mã ghi danh", "enrolment token"),
                ("khien-agent", "bảo vệ máy này", "keep this computer")):
            for lang, words in (("C.UTF-8", vi), ("en_US.UTF-8", en)):
                shown = run(program, "--help", lang=lang)
                self.assertEqual((shown.returncode, shown.stderr), (0, ""))
                self.assertIn(words, shown.stdout)
                wrong = run(program, "nonsense", lang=lang)
                self.assertEqual((wrong.returncode, wrong.stdout), (2, ""))
                self.assertNotEqual(wrong.stderr, "")

    def test_every_signature_that_cannot_be_used_is_named(self):
        with centre_of_agents() as centre:
            bad = centre.dir / "own.ndb"
            lines = ["Own.Good:0:*:" + b"khien-own-pattern".hex()]
            lines += [f"Own.Bad-{i}:0:*:zz" for i in range(150)]
            bad.write_text("\n".join(lines) + "\n")
            done = run("khien-server", "--config", centre.config, "publish",
                       bad)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("150 skipped", done.stdout)
            told = [json.loads(t) for t in done.stderr.splitlines()]
            told = [t for t in told if t["event"] == "signature.skipped"]
            self.assertEqual([t["line"] for t in told], list(range(2, 102)))
            self.assertEqual({t["file"] for t in told}, {str(bad)})
            self.assertTrue(all(t["why"] for t in told))
            nothing = run("khien-server", "--config", centre.config,
                          "publish", centre.dir / "no-such.ndb")
            self.assertEqual(nothing.returncode, 3)
            self.assertIn("no-such.ndb", nothing.stderr)

    def test_the_agents_state_is_for_people(self):
        with centre_of_agents() as centre:
            agent = Agent(centre, centre.verb("token", "TQ").strip()).start()
            self.addCleanup(agent.close)
            agent.scan()
            until(lambda: agent.status()["records_waiting"] == 0 and
                  "last_sync" in agent.status(), what="it was told")
            for lang, words in (("C.UTF-8", "Lỗi của tác tử: không có"),
                                ("en_US.UTF-8", "Fault of the agent: none")):
                shown = run("khien", "agent", "status", "--state",
                            agent.state, lang=lang)
                self.assertEqual(shown.returncode, 0, shown.stderr)
                self.assertIn(words, shown.stdout)
                self.assertNotIn("last_sync", shown.stdout)
            agent.stop()
            gone = run("khien", "agent", "status", "--state", agent.state)
            self.assertEqual(gone.returncode, 3)
            self.assertNotEqual(gone.stderr, "")

    def test_a_damaged_state_is_named_and_left_as_it_is(self):
        with centre_of_agents() as centre:
            agent = Agent(centre, centre.verb("token", "TQ").strip())
            self.addCleanup(agent.close)
            file = agent.state / "agent.json"
            whole = file.read_bytes()
            for bad in (whole[:len(whole) // 2], b"", b"[]", b"\xff" * 99):
                file.write_bytes(bad)
                ended = run("khien-agent", "run", "--state", agent.state)
                self.assertEqual(ended.returncode, 3, ended)
                self.assertIn(f"{file} is damaged", ended.stderr)
                self.assertEqual(file.read_bytes(), bad)
            file.write_bytes(whole)
            agent.start()
            until(lambda: "last_sync" in agent.status(), what="it is heard")


if __name__ == "__main__":
    unittest.main()
