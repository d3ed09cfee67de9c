#!/usr/bin/python3
"""Every gate that a change must pass, from the fastest to the slowest.

	script/test			all of them
	script/test lint unit ...	only those named

The last line is `N passed, N failed`: each TAP line of a gate counts, and a
gate that broke or could not run counts as one failure; a test that says it
cannot run here (not root) counts as neither.  Output of a gate is kept in
build-test/GATE.log, and its end is shown when it fails.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build-test"
GCC = ROOT / "build"
CLANG = ROOT / "build-clang"
CLANG_OPTIONS = ("-Dfuzz=true", "-Db_lundef=false",
                 "-Db_sanitize=address,undefined", "-Doptimization=1")
JOBS = len(os.sched_getaffinity(0))
FUZZ_SECONDS = 60
TAP = re.compile(r"^(not )?ok\b(.*)")
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:"
                    "allocator_may_return_null=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


class Gate:
    """Runs commands and counts what they report."""

    def __init__(self, name):
        self.name, self.passed, self.skipped, self.failures = name, 0, 0, []
        self.log = open(LOGS / f"{name}.log", "w", errors="replace")

    def run(self, *args, env=None, seconds=900, log=True):
        """(exit code, output); a command that hangs is a failure."""
        try:
            done = subprocess.run(
                [str(a) for a in args], cwd=ROOT, text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=seconds,
                env={**os.environ, **(env or {})})
            code, text = done.returncode, done.stdout
        except subprocess.TimeoutExpired as e:
            code, text = -1, f"{(e.output or b'').decode(errors='replace')}\n"
            text += f"stopped after {seconds} s"
        if log:
            self.log.write(f"$ {' '.join(map(str, args))}\n{text}\n")
        return code, text

    def step(self, name, *args, **options):
        """One command that passes or fails as a whole."""
        code, text = self.run(*args, **options)
        self.count(name, code == 0, text)
        return code == 0

    def count(self, name, good, text=""):
        if good:
            self.passed += 1
        else:
            self.failures.append((name, text))

    def tap(self, name, code, text):
        """Count the TAP lines; a bad end without `not ok` is a failure."""
        lines = [m for m in map(TAP.match, text.splitlines()) if m]
        before = len(self.failures)
        for m in lines:
            if "# SKIP" in m[2].upper():
                self.skipped += 1
                continue
            self.count(f"{name}{m[2]}", not m[1], text)
        if not lines and code == 0:
            self.count(name, "1..0" not in text, "it ran no test\n" + text)
        if code != 0 and len(self.failures) == before:
            self.count(f"{name}: exit {code}", False, text)


def setup(gate, folder, compiler, *options):
    if (folder / "build.ninja").exists():
        return True
    return gate.step(f"configure with {compiler}", "meson", "setup", folder,
                     *options, env={"CC": compiler})


def meson_tests(gate, folder, env=None):
    gate.run("meson", "test", "-C", folder, "--no-rebuild",
             "--timeout-multiplier", "4", env=env)
    log = folder / "meson-logs/testlog.json"
    for line in log.read_text().splitlines():
        test = json.loads(line)
        good = test["result"] in ("OK", "EXPECTEDFAIL")
        gate.tap(test["name"].removeprefix("khien / "), 0 if good else test["returncode"] or 1,
                 test.get("stdout", "") + "\n" + test.get("stderr", ""))


def need(gate, folder):
    """What a gate runs is what the sources say now."""
    code, _ = gate.run("ninja", "-C", folder, "-k", "0")
    if code != 0:
        raise RuntimeError(f"{folder.name}/ does not build")


def lint(gate):
    gate.tap("lint", *gate.run("script/lint"))


def build_gcc(gate):
    gate.step("build with gcc", "script/build")


def build_clang(gate):
    """With the sanitizers and the fuzz targets, for the gates below."""
    if setup(gate, CLANG, "clang", *CLANG_OPTIONS):
        gate.step("build with clang", "ninja", "-C", CLANG, "-k", "0")


def unit(gate):
    need(gate, GCC)
    meson_tests(gate, GCC)


def folder_of_tests(gate, folder):
    need(gate, GCC)
    gate.tap(folder, *gate.run("tests/run.py", folder, seconds=600))


def e2e(gate):
    folder_of_tests(gate, "tests/e2e")


def browser(gate):
    folder_of_tests(gate, "tests/browser")


def tools(gate):
    folder_of_tests(gate, "tests/tools")


def sanitize(gate):
    need(gate, CLANG)
    meson_tests(gate, CLANG, SANITIZERS)


def tidy_inputs():
    """The files that each object of build-clang was made of."""
    text = subprocess.run(["ninja", "-C", CLANG, "-t", "deps"], text=True,
                          stdout=subprocess.PIPE, check=True).stdout
    inputs = {}
    for block in text.split("\n\n"):
        names = [(CLANG / n.strip()).resolve()
                 for n in block.splitlines()[1:]]
        ours = [n for n in names if n.is_relative_to(ROOT)]
        if ours:
            inputs.setdefault(ours[0], ours)
    return inputs


def tidy_key(names):
    """Changes with the file, its headers, the rules and the analyser."""
    digest = hashlib.sha256(subprocess.check_output(
        ["dpkg-query", "-W", "clang-tidy-14"]))
    for name in [ROOT / ".clang-tidy", ROOT / "tests/.clang-tidy", *names]:
        digest.update(name.read_bytes())
    return digest.hexdigest()


def tidy_one(gate, source, names, cache):
    mark = cache / tidy_key(names)
    name = f"tidy {source.relative_to(ROOT)}"
    if mark.exists():
        return name, True, ""
    code, text = gate.run("clang-tidy", "-p", CLANG, "--quiet", source,
                          log=False)
    if code == 0:
        mark.touch()
    errors = [t for t in text.splitlines() if " error: " in t]
    return name, code == 0, "\n".join([text, *errors])


def tidy(gate):
    need(gate, CLANG)
    cache = LOGS / "tidy"
    cache.mkdir(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        jobs = [pool.submit(tidy_one, gate, source, names, cache)
                for source, names in sorted(tidy_inputs().items())]
        for job in jobs:
            gate.count(*job.result())


def fuzz_one(gate, target, seconds):
    name = target.name.removeprefix("fuzz_")
    found = LOGS / "fuzz" / name
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir(parents=True)
    code, text = gate.run(
        target, f"-max_total_time={seconds}", "-timeout=20",
        "-rss_limit_mb=2048", "-print_final_stats=1",
        f"-artifact_prefix={found}/", found, ROOT / "fuzz/corpus" / name,
        env=SANITIZERS, seconds=seconds + 120)
    return f"fuzz {name}", code == 0, "\n".join(text.splitlines()[-60:])


def fuzz(gate):
    need(gate, CLANG)
    targets = sorted(p for p in (CLANG / "fuzz").glob("fuzz_*")
                     if p.is_file() and os.access(p, os.X_OK))
    if not targets:
        gate.count("fuzz targets are built", False)
        return
    rounds = -(-len(targets) // JOBS)
    each = max(1, FUZZ_SECONDS // rounds)
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        jobs = [pool.submit(fuzz_one, gate, t, each) for t in targets]
        for job in jobs:
            gate.count(*job.result())


GATES = (lint, build_gcc, build_clang, unit, tools, e2e, browser, sanitize,
         tidy, fuzz)


def run_gate(function):
    gate = Gate(function.__name__)
    start = time.monotonic()
    try:
        function(gate)
    except Exception as e:  # a gate that could not run is a failure
        gate.count(f"could not run: {e}", False)
    if not gate.passed and not gate.failures:
        gate.count("it checked nothing", False)
    for name, text in gate.failures:
        gate.log.write(f"\nFAILED {name}\n{text}\n")
        print(f"FAILED {gate.name}: {name}")
        print("\n".join("    " + t for t in text.splitlines()[-40:]))
    gate.log.close()
    skipped = f", {gate.skipped} skipped" if gate.skipped else ""
    print(f"{gate.name:12}{time.monotonic() - start:7.1f} s  "
          f"{gate.passed} passed, {len(gate.failures)} failed{skipped}",
          flush=True)
    return gate


def main():
    names = {f.__name__: f for f in GATES}
    wanted = sys.argv[1:] or list(names)
    if any(w not in names for w in wanted):
        sys.exit("usage: script/test [" + "|".join(names) + "]...")
    LOGS.mkdir(exist_ok=True)
    gates = [run_gate(names[w]) for w in wanted]
    passed = sum(g.passed for g in gates)
    failed = sum(len(g.failures) for g in gates)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
