"""What the programs' --help shows and what the manuals tell are the same."""
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KHIEN_BUILD", ROOT / "build"))

HELPS = {  # manual: the commands whose --help it covers
    "khien.1": [["khien"]],
    "khien-scan.1": [["khien", "scan"]],
    "khien-db.1": [["khien", "db", verb] for verb in (
        "build", "info", "verify", "find", "explain", "diff")],
    "khien-agent.8": [["khien-agent"]] + [
        ["khien", "agent", verb] for verb in ("enrol", "status", "scan")],
    "khien-server.8": [["khien-server"]],
}


def shown(command):
    return subprocess.run(
        [BUILD / "prog" / command[0], *command[1:], "--help"], text=True,
        capture_output=True, check=True, env=os.environ | {"LC_ALL": "C"},
        timeout=60).stdout


def manual(page):
    return (ROOT / "man" / f"{page}.scd").read_text()


def options(text):
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))


class Manuals(unittest.TestCase):
    def test_an_option_is_in_help_and_in_the_manual(self):
        for page, commands in HELPS.items():
            if page == "khien.1":  # its options are those of its verbs
                continue
            told = options("".join(
                re.findall(r"^\*-.*$", manual(page), re.M)))
            helped = set().union(*map(options, map(shown, commands)))
            with self.subTest(page):
                self.assertEqual(
                    told - {"--help", "--version"},
                    helped - {"--help", "--version"})

    def test_a_verb_is_in_help_and_in_the_manual(self):
        self.assertEqual(
            set(re.findall(r"^khien-server ([a-z]+)",
                           shown(["khien-server"]), re.M)),
            set(re.findall(r"^\*([a-z]+)\*", manual("khien-server.8"), re.M)))
        helped = set(re.findall(
            r"^(khien [a-z]+(?: [a-z]+)?) [\[A-Z-]", shown(["khien"]), re.M))
        told = "\n".join(
            re.findall(r"^\*khien .*$", manual("khien.1"), re.M))
        self.assertEqual(
            helped - {"khien"},
            set(re.findall(r"\*(khien [a-z ]+)\*", told)))

    def test_a_configuration_key_is_in_the_table_and_in_the_manual(self):
        table = (ROOT / "prog/khien-server/config.c").read_text()
        self.assertEqual(
            set(re.findall(r'KEY\("(\w+)"', table)),
            set(re.findall(
                r"^\*(\w+)\*$", manual("khien-server.ini.5"), re.M)))


if __name__ == "__main__":
    unittest.main()
