#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""exec and each from the command line, in threads and in slot processes over tcp; and that commands
end with the process that runs them, however it ends."""
import json
import os
import pathlib
import select
import signal
import subprocess
import time
import unittest

from harness import PROGRAM, TestCase, zonda


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(condition, what):
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"no {what} in 30 seconds")
        select.select([], [], [], 0.01)


class Commands(TestCase):
    def test_same_records_in_threads_and_in_slot_processes(self):
        words = ["--quiet", "from-range", "2000", "--shards", "5", "then", "exec",
                 "sed 's/$/.5/'", "then", "exec", "--shell", 'cat; echo "$ZONDA_SHARDS$ZONDA_SHARD"',
                 "then", "exec", "cat", "--format", "msgpack", "then", "each", "printf %s {}",
                 "then", "select", "status,stdout"]
        here = zonda("run", *words)
        self.expect(here, 0)
        lines = [json.loads(line)["stdout"] for line in here.stdout.splitlines()]
        self.assertEqual(len(lines), 2005)
        self.assertEqual(lines[:3] + lines[-1:], ["0.5", "1.5", "2.5", "54"])
        cluster = self.cluster("tcp")
        self.assertEqual(cluster.run(*words).stdout, here.stdout)
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_job_array(self):
        for name in "abc":
            self.write(name, name * 3)
        result = zonda("run", "--quiet", "from-list", "a", "b", "c", "then", "each", "cp {} {}.png",
                       "then", "select", "status", cwd=self.folder)
        self.expect(result, 0)
        self.assertEqual(result.stdout, '{"status":0}\n' * 3)
        self.assertEqual((self.folder / "b.png").read_text(), "bbb")

    def test_words_of_a_command(self):
        for words, stdout in (
                (["exec", "sed 's/1/\"a b\"/'"], '"a b"\n'),
                (["exec", "sed", "s/1/2/"], "2\n"),
                (["exec", "sed", "s/1/2/", "--format", "jsonl"], "2\n"),
                (["exec", "--format", "jsonl", "sed -e s/1/2/"], "2\n"),
                (["exec", "--", "sed", "--expression", "s/1/2/"], "2\n"),
                (["exec", "--shell", "cat; echo $((1 + 1))"], "1\n2\n")):
            result = zonda("run", "--quiet", "from-list", "1", "then", *words)
            self.expect(result, 0)
            self.assertEqual(result.stdout, stdout, words)
        for words, text in (
                (["exec", "sed", "--expression", "s/1/2/"], "unknown option --expression"),
                (["exec", "--"], "not an empty array"),
                (["exec"], 'needs the argument "cmd"'),
                (["exec", "cat 'x"], "without an end"),
                (["exec", "--shell", "a", "b"], "as one text"),
                (["each", "cat", "--ok-status", "256"], "from 0 to 255")):
            self.expect(zonda("run", "from-list", "1", "then", *words), 2, text)

    def test_failing_command_is_told(self):
        result = zonda("run", "--quiet", "from-list", "1", "then", "exec", "--shell",
                       "echo first >&2; echo last >&2; exit 3")
        self.expect(result, 1, "exited with status 3: last", "first\nlast", "operator exec", "shard 0")
        self.expect(zonda("run", "from-list", "1", "then", "exec", "no-such-program"), 1,
                    '"no-such-program"', "in PATH")


class Deaths(TestCase):
    """A command and its child leave their ids in files; both have to be gone in the end."""

    def sleeping(self):
        text = (f"cd {self.folder}; sleep 1000 & echo $! $$ >pids.$$.new; "
                "mv pids.$$.new pids.$$; wait")
        return ["from-list", "1", "then", "exec", "--shell", text]

    def pids(self):
        files = [p for p in self.folder.glob("pids.*") if p.suffix != ".new"]
        return [int(pid) for p in files for pid in p.read_text().split()]

    def expect_gone(self, pids):
        wait_until(lambda: not any(map(is_alive, pids)), f"end of {pids}")

    def start(self, *words):
        process = subprocess.Popen([PROGRAM, "run", "--quiet", *words, *self.sleeping()],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(self.pids, "command")
        return process

    def test_killed_program(self):
        self.start().kill()
        self.expect_gone(self.pids())

    def test_interrupted_program(self):
        process = self.start()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=30), 130)
        self.expect_gone(self.pids())

    def test_cancelled_job(self):
        cluster = self.cluster("tcp", workers=1)
        process = self.start("--connect", cluster.endpoint)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=30), 130)
        self.expect_gone(self.pids())
        self.assertEqual(cluster.close(), [0, 0])

    def test_killed_slot(self):
        cluster = self.cluster("tcp", workers=1, slots=1)
        process = self.start("--connect", cluster.endpoint)
        first = self.pids()
        slot = int(pathlib.Path(f"/proc/{first[1]}/stat").read_text().rsplit(")", 1)[1].split()[1])
        self.assertIn(b"slot", pathlib.Path(f"/proc/{slot}/cmdline").read_bytes())
        os.kill(slot, signal.SIGKILL)
        self.expect_gone(first)
        # The task runs again, in another slot.
        wait_until(lambda: len(self.pids()) > len(first), "second attempt")
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        self.expect_gone(self.pids())
        self.assertEqual(cluster.close(), [0, 0])

    def test_killed_worker(self):
        cluster = self.cluster("tcp", workers=1)
        process = self.start("--connect", cluster.endpoint)
        cluster.workers[0].kill()
        self.expect_gone(self.pids())
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


if __name__ == "__main__":
    unittest.main()
