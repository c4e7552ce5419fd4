#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Runs all cases of cases/ on every face that can express them, over one transport, with one worker
and with three: a test per case, face and number of workers.

    run.py inproc | ipc | tcp [-k NAME]
    run.py list                           the cases, and why a face does not have one

Over ipc and tcp two clusters serve the whole run, so every case also shows that the one before left
nothing behind."""
import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import case as table
from faces import has_function, json_text, request_of, script_of, why_not, words_of

RUNNER_SECONDS_MAX = 120
USAGE_CODES = {"PLAN", "REFUSED"}  # INVALID is one, too, where it is about words and not about records


def load_cases():
    folder = pathlib.Path(__file__).parent / "cases"
    for path in sorted(folder.glob("*.py")):
        importlib.import_module(f"cases.{path.stem}")
    return table.CASES


class Site:
    """Where cases run: this process, or a cluster; and the C runner that is connected to it."""

    def __init__(self, transport, workers):
        from harness import Cluster
        self.workers = workers
        self.cluster = None if transport == "inproc" else Cluster(transport, workers, slots=1)
        self.runner = None

    def flags(self):
        if self.cluster is None:
            return ["--slots", str(self.workers)]
        return ["--connect", self.cluster.endpoint]

    def ask_runner(self, request):
        """Sends one case to the C runner and returns its answer."""
        if self.runner is None or self.runner.poll() is not None:
            where = f"local:{self.workers}" if self.cluster is None else self.cluster.endpoint
            self.runner = subprocess.Popen([os.environ["RUNNER_PROGRAM"], where], text=True,
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        guard = threading.Timer(RUNNER_SECONDS_MAX, self.runner.kill)
        guard.start()
        try:
            self.runner.stdin.write(json_text(request) + "\n")
            self.runner.stdin.flush()
            answer = self.runner.stdout.readline()
        finally:
            guard.cancel()
        if not answer:
            raise AssertionError(f"the C runner ended with status {self.runner.wait()}")
        return json.loads(answer)

    def close(self):
        """Ends everything in order; returns what did not end well."""
        problems = []
        if self.runner is not None:
            self.runner.stdin.close()
            if self.runner.wait(timeout=60) != 0:
                problems.append(f"the C runner ended with status {self.runner.returncode}")
            self.runner.stdout.close()
        if self.cluster is not None:
            left = self.cluster.scratch_left()
            self.cluster.workers, workers = [], self.cluster.workers
            for worker in workers:
                worker.terminate()
            statuses = [worker.wait(timeout=60) for worker in workers]
            left = self.cluster.scratch_left()
            statuses += self.cluster.close()
            if any(statuses) or left:
                problems.append(f"the cluster ended with {statuses}, left {left}")
        return problems


class Outcome:
    """What a case gave on a face. `code` is known only in C; the program has an exit status."""

    def __init__(self, status, text, lines, counters, code=None):
        self.status, self.text, self.lines = status, text, lines
        self.counters, self.code = counters, code


def counters_of(text):
    """What `--json` prints at the end: name: (sum, min, max, count)."""
    for line in reversed(text.splitlines()):
        if line.startswith('{"event":"done"'):
            counters = json.loads(line)["counters"]
            return {name: [c[key] for key in ("sum", "min", "max", "count")]
                    for name, c in counters.items()}
    return {}


def run_program(site, words, folder, dry_run):
    from harness import PROGRAM
    flags = ["--dry-run"] if dry_run else ["--json", *site.flags()]
    done = subprocess.run([PROGRAM, "run", *flags, *words], cwd=folder, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=RUNNER_SECONDS_MAX)
    text = done.stderr.decode(errors="replace")
    return Outcome(done.returncode, text, done.stdout.decode(errors="replace"), counters_of(text))


def run_cli(site, case, folder, replace):
    words = words_of(case, replace)
    if has_function(case.plan, table.plug):
        words = ["--plugin", os.environ["PLUGIN_FILE"], *words]
    return run_program(site, words, folder, case.explains is not None)


def run_lua(site, case, folder, replace):
    scripts = pathlib.Path(tempfile.mkdtemp(prefix="zonda-script-"))
    try:
        script = scripts / "case.lua"
        script.write_text(script_of(case, replace), encoding="utf-8")
        return run_program(site, [str(script), *map(replace, case.script_args)], folder,
                           case.explains is not None)
    finally:
        shutil.rmtree(scripts)


def run_c(site, case, folder, replace):
    answer = site.ask_runner(request_of(case, replace, stream=site.workers > 1))
    code = answer["code"]
    status = 0 if code == "OK" else 2 if code in USAGE_CODES else 1
    return Outcome(status, answer["text"], answer["lines"], answer["counters"], code)


RUN = {"c": run_c, "lua": run_lua, "cli": run_cli}


def expected_lines(case, replace):
    if case.lines is not None:
        return replace(case.lines)
    records = case.records
    if records is None:
        records = [f"DIR/{path}" for path in case.files]
    return "".join(replace(json_text(record)) + "\n" for record in records)


class Conformance(unittest.TestCase):
    maxDiff = 4000
    face = site = None

    def check(self, case):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="zonda-case-"))
        self.addCleanup(shutil.rmtree, folder)
        for path, content in case.given.items():
            self.write(folder / path, content)

        def replace(text):
            return text.replace("DIR", str(folder)).replace("PLUGIN", os.environ["PLUGIN_FILE"])
        outcome = RUN[self.face](self.site, case, folder, replace)
        self.check_outcome(case, outcome, replace)
        self.check_files(case, folder)

    def write(self, path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = content() if callable(content) else content
        if isinstance(content, table.Packed):
            content = content.pack()
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def check_outcome(self, case, outcome, replace):
        if case.fails is not None:
            if outcome.code is not None:
                self.assertEqual(outcome.code, case.fails, outcome.text)
            self.assertEqual(outcome.status, 2 if case.fails in USAGE_CODES else 1, outcome.text)
            for word in case.words:
                self.assertIn(replace(word), outcome.text)
            return
        self.assertEqual(outcome.status, 0, outcome.text)
        if case.explains is not None:
            at = 0
            for word in case.explains:
                found = outcome.lines.find(replace(word), at)
                self.assertGreaterEqual(found, 0, f"{word!r} is not in, or not after the others:\n"
                                                  f"{outcome.lines}")
                at = found + len(replace(word))
            return
        self.assertEqual(outcome.lines, expected_lines(case, replace), outcome.text)
        self.check_counters(case, outcome.counters)

    def check_counters(self, case, counters):
        for name, expected in case.counters.items():
            self.assertIn(name, counters)
            got = tuple(counters[name])
            self.assertEqual(got if isinstance(expected, tuple) else got[0], expected, name)

    def check_files(self, case, folder):
        expected = dict(case.files or {})
        expected.update({p: c for p, c in case.may_leave.items() if (folder / p).exists()})
        # Every sink leaves a manifest beside its outputs; what is in it is tested elsewhere.
        there = {str(p.relative_to(folder)) for p in folder.rglob("*")
                 if not p.is_dir() and not p.name.endswith(".zonda-manifest.json")}
        self.assertEqual(sorted(there - set(case.given)), sorted(set(expected) - set(case.given)))
        for path, content in expected.items():
            got = (folder / path).read_bytes()
            if isinstance(content, table.Packed):
                got, content = content.unpack(got), content.content()
            self.assertEqual(got, content.encode() if isinstance(content, str) else content, path)


def make_test(case, face, transport):
    def test(self):
        self.check(case)
    test.__doc__ = None
    if face in case.broken or transport in case.broken:
        test = unittest.expectedFailure(test)
    return test


def make_classes(transport, cases):
    """One class per face and number of workers; they are found by unittest as module members."""
    sites = []
    for workers in (1, 3):
        site = Site(transport, workers)
        sites.append(site)
        for face in table.FACES:
            members = {"face": face, "site": site}
            for name, case in cases.items():
                if workers > 1 and "three" in case.not_on:
                    continue
                if why_not(case, face, transport) is None:
                    members["test_" + name] = make_test(case, face, transport)
            title = f"{face.capitalize()}With{workers}Workers"
            globals()[title] = type(title, (Conformance,), members)
    return sites


def list_cases(cases):
    for name, case in cases.items():
        reasons = {face: why_not(case, face, "inproc") for face in table.FACES}
        on = " ".join(face for face in table.FACES if reasons[face] is None)
        print(f"{name}: {on}")
        for face, reason in reasons.items():
            if reason is not None:
                print(f"    not {face}: {reason}")
    print(f"{len(cases)} cases")


def main():
    cases = load_cases()
    transport = sys.argv.pop(1)
    if transport == "list":
        return list_cases(cases)
    sites = make_classes(transport, cases)
    try:
        program = unittest.main(module=sys.modules[__name__], exit=False)
    finally:
        problems = [problem for site in sites for problem in site.close()]
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(0 if program.result.wasSuccessful() and not problems else 1)


if __name__ == "__main__":
    main()
