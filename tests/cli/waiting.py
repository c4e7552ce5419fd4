# SPDX-License-Identifier: MPL-2.0
"""Jobs whose tasks wait until they are let go, and what tests of them share."""
import json
import subprocess
import time

from harness import PROGRAM, TestCase, zonda


def wait_until(condition, seconds=60):
    """Asks again and again; the time is only a bound for a test that hangs."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)


class Ending(TestCase):
    """Jobs whose tasks wait until they are let go."""

    def setUp(self):
        super().setUp()
        self.begun = self.folder / "begun"
        self.begun.mkdir()
        self.go = self.folder / "go"
        self.script = self.write("wait.sh", "#!/bin/sh\n"
                                 f"touch {self.begun}/$$\n"
                                 f"while [ ! -e {self.go} ]; do sleep 0.02; done\n"
                                 "exec cat\n")
        self.script.chmod(0o755)

    def words(self, tasks, *more):
        return ["from-range", tasks, "--shards", tasks, "then", "exec", self.script, *more]

    def start(self, cluster, *words, options=()):
        # Attempts are counted, and a slow machine makes backups of tasks that are quick otherwise.
        process = subprocess.Popen([PROGRAM, "run", "--no-backups", "--connect", cluster.endpoint, *map(str, options),
                                    *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.kill)
        return process

    def finish(self, process, expected):
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(out, expected)
        return err

    def wait_for_tasks(self, count):
        wait_until(lambda: len(list(self.begun.iterdir())) >= count)

    def workers(self, cluster):
        return json.loads(zonda("workers", "--json", "--connect", cluster.endpoint).stdout or "[]")

    def worker_id(self, cluster, process):
        return next(w["worker"] for w in self.workers(cluster) if w["pid"] == process.pid)

    def log(self, cluster):
        return (cluster.folder / "log").read_text()
