#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Workers that die, freeze and come back, as real processes at the default settings. How long it took is
printed; what is asserted are order and bounds that hold on a busy machine, too."""
import re
import signal
import time
import unittest

from waiting import Ending, wait_until

LOST = re.compile(r"worker-lost worker=(\d+) .*reason=(\w+) tasks_given_back=(\d+)")
LOADED_SECONDS = 20


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class LostWorkers(Ending):
    """Each worker has a name that its tasks know: they wait until the tasks of this worker are let go."""

    def setUp(self):
        super().setUp()
        self.script.write_text("#!/bin/sh\n"
                               f"touch {self.begun}/$WORKER.$$\n"
                               f"while [ ! -e {self.go}.$WORKER ]; do sleep 0.02; done\n"
                               "exec cat\n")

    def two_workers(self, tasks):
        """Workers a and b, each of which runs half of the tasks."""
        cluster = self.cluster(workers=0)
        for name in "ab":
            cluster.workers.append(cluster.add_worker(before=("env", f"WORKER={name}")))
        wait_until(lambda: len(self.workers(cluster)) == 2)
        driver = self.start(cluster, *self.words(tasks))
        self.wait_for_tasks(tasks)
        self.assertEqual(len(self.begun_at("a")), tasks // 2)
        return cluster, driver

    def begun_at(self, name):
        return list(self.begun.glob(f"{name}.*"))

    def let_go(self, name):
        self.go.with_suffix(f".{name}").touch()

    def wait_for_loss(self, cluster):
        """Returns when it was seen, the reason, and how many tasks were given back."""
        wait_until(lambda: LOST.search(self.log(cluster)))
        seen = time.time()
        found = LOST.search(self.log(cluster))
        return seen, found.group(2), int(found.group(3))

    def freeze_a(self, cluster):
        stopped = time.time()
        cluster.workers[0].send_signal(signal.SIGSTOP)
        self.addCleanup(cluster.workers[0].send_signal, signal.SIGCONT)
        seen, reason, tasks = self.wait_for_loss(cluster)
        print(f"noticed {seen - stopped:.3f} s after it was frozen")
        self.assertEqual(reason, "silent")
        self.assertLess(seen - stopped, 10)
        return tasks

    def wait_until_a_is_back(self, cluster):
        cluster.workers[0].send_signal(signal.SIGCONT)
        wait_until(lambda: len(self.workers(cluster)) == 2)
        pid = cluster.workers[0].pid
        epochs = re.findall(rf"worker-joined .*epoch=(\d+) .*pid={pid} ", self.log(cluster))
        self.assertEqual(len(set(epochs)), 2)

    def test_the_tasks_of_a_killed_worker_are_with_another_one_at_once(self):
        cluster, driver = self.two_workers(2)
        killed = time.time()
        cluster.workers[0].kill()
        seen, reason, tasks = self.wait_for_loss(cluster)
        self.assertEqual((reason, tasks), ("unreachable", 1))
        wait_until(lambda: len(self.begun_at("b")) == 2)
        begun = max(path.stat().st_mtime for path in self.begun_at("b"))
        print(f"noticed {seen - killed:.3f} s after the kill, begun elsewhere {begun - killed:.3f} s after it")
        self.assertGreater(begun, killed)
        self.assertLess(begun - killed, 2.5)  # silence would be noticed later
        self.let_go("a")
        self.let_go("b")
        self.finish(driver, "0\n1\n")
        self.assertEqual(len(list(self.begun.iterdir())), 3)
        cluster.workers.pop(0).wait()
        self.assertEqual(cluster.close(), [0, 0])

    def test_what_a_frozen_worker_has_finished_is_taken(self):
        """The other one has no slot for its tasks meanwhile: nothing is run twice."""
        cluster, driver = self.two_workers(4)
        self.assertEqual(self.freeze_a(cluster), 2)
        self.let_go("a")
        for path in self.begun_at("a"):
            wait_until(lambda: not is_running(path.suffix[1:]))
        self.wait_until_a_is_back(cluster)
        self.let_go("b")
        self.finish(driver, "0\n1\n2\n3\n")
        self.assertEqual((len(self.begun_at("a")), len(self.begun_at("b"))), (2, 2))
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_attempts_that_a_worker_was_late_for_are_withdrawn_elsewhere(self):
        """The other one has begun its task meanwhile, and is told to end it."""
        cluster, driver = self.two_workers(2)
        self.assertEqual(self.freeze_a(cluster), 1)
        wait_until(lambda: len(self.begun_at("b")) == 2)
        self.let_go("a")
        wait_until(lambda: not is_running(self.begun_at("a")[0].suffix[1:]))
        self.wait_until_a_is_back(cluster)
        wait_until(lambda: sum(is_running(path.suffix[1:]) for path in self.begun_at("b")) == 1)
        self.let_go("b")
        self.finish(driver, "0\n1\n")
        self.assertEqual((len(self.begun_at("a")), len(self.begun_at("b"))), (1, 2))
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_a_worker_on_which_all_fails_is_drained_and_named(self):
        """It fails much faster than the other one works, and yet no task uses up its attempts there."""
        self.script.write_text("#!/bin/sh\n"
                               f"touch {self.begun}/$WORKER.$$\n"
                               "[ $WORKER = b ] || { echo no such library >&2; exit 3; }\n"
                               "sleep 0.02\nexec cat\n")
        cluster = self.cluster(workers=0)
        for name in "ab":
            cluster.workers.append(cluster.add_worker(before=("env", f"WORKER={name}")))
        wait_until(lambda: len(self.workers(cluster)) == 2)
        driver = self.start(cluster, *self.words(100))
        self.finish(driver, "".join(f"{i}\n" for i in range(100)))
        self.assertEqual(cluster.workers[0].wait(timeout=30), 0)
        found = re.search(r"worker-draining .*pid=(\d+) .*reason=(.*)", self.log(cluster))
        print(f"{len(self.begun_at('a'))} attempts failed: {found.group(2)}")
        self.assertEqual(int(found.group(1)), cluster.workers[0].pid)
        self.assertRegex(found.group(2), r"tasks in a row failed on \S+ and not elsewhere")
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_a_loaded_worker_is_not_lost(self):
        """Slots are busy all the time, more of them than there are processors, and much data goes from
        worker to worker."""
        cluster = self.cluster(workers=2, slots=4)
        wait_until(lambda: len(self.workers(cluster)) == 2)
        began = time.monotonic()
        rounds = 0
        while rounds == 0 or time.monotonic() - began < LOADED_SECONDS:
            result = cluster.run(
                "from-range", "20000", "--shards", "32", "then", "map",
                "{ k = r % 64, text = ('x'):rep(10000) .. math.random() }", "then", "group-by", "k", "--shards", "16",
                "--reduce", "local n = 0 for r in rows do for i = 1, 2000 do n = n + i % 3 end end return 1",
                "then", "count")
            self.assertEqual((result.returncode, result.stdout), (0, "64\n"), result.stderr)
            rounds += 1
        log = self.log(cluster)
        print(f"{rounds} jobs in {time.monotonic() - began:.1f} s")
        for event in ("worker-lost", "epoch-given-up", "worker-silence", "worker-gap"):
            self.assertNotIn(event, log)
        self.assertNotIn("worker-joined", log.split("stage-started", 1)[1])
        self.assertEqual(cluster.close(), [0, 0, 0])


if __name__ == "__main__":
    unittest.main()
