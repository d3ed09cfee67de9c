#!/usr/bin/python3
"""Run FOLDER/test_*.py (unittest) and print TAP: adding a file suffices.

	tests/run.py FOLDER [NAME...]	only files, classes or tests of that name
"""
import pathlib
import sys
import time
import traceback
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Tap(unittest.TestResult):
    """One line for each test, and its failure as diagnostics."""

    def __init__(self):
        super().__init__()
        self.number, self.bad = 0, 0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def line(self, good, test, text=""):
        self.number += 1
        self.bad += not good
        name = test.id() if hasattr(test, "id") else str(test)
        took = time.monotonic() - getattr(self, "began", time.monotonic())
        print(f"{'ok' if good else 'not ok'} {self.number} - {name} "
              f"({took:.1f} s)")
        for row in text.splitlines():
            print("# " + row)
        sys.stdout.flush()

    def wrong(self, test, err):
        self.line(False, test, "".join(traceback.format_exception(*err)))

    def addSuccess(self, test):
        self.line(True, test)

    def addError(self, test, err):
        self.wrong(test, err)

    def addFailure(self, test, err):
        self.wrong(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.wrong(subtest, err)

    def addSkip(self, test, reason):
        self.line(False, test, "skipped, which counts as failed: " + reason)

    def addExpectedFailure(self, test, err):
        self.line(True, test)

    def addUnexpectedSuccess(self, test):
        self.line(False, test, "it was expected to fail")


def chosen(suite, names):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from chosen(item, names)
        elif not names or any(n in item.id() for n in names):
            yield item


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    sys.path[:0] = [str(folder), str(ROOT / "tests")]
    tests = unittest.defaultTestLoader.discover(str(folder), "test_*.py")
    result = Tap()
    unittest.TestSuite(chosen(tests, sys.argv[2:])).run(result)
    print(f"1..{result.number}")
    return 1 if result.bad or not result.number else 0


if __name__ == "__main__":
    sys.exit(main())
