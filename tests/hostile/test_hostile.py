#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Hostile clients at every socket of a live cluster, while a job with shuffle, sort and sinks runs: it finishes with
the bytes of the quiet run, nobody dies, and memory stays bounded."""
import os
import time
import unittest

import attacks
from harness import TestCase, zonda
from replays import Recorder, replay_of
from victims import Siege, answers, job, listening, memory, outputs
from zmtp import Forge

# What a process may need above its quiet peak, however many attack it: a few dozen connections with the most that a
# socket keeps for one. Instrumented programs keep freed memory for a while.
GROWTH_KIB = (500 if not os.environ.get("SANITIZE") else 3000) * 1024
SECONDS = 2
SEED = int(os.environ.get("HOSTILE_SEED", "1"))


class Hostile(TestCase):
    def besiege(self, cluster, where, name, pairs, expected):
        """Runs the job while the attacks go on, at least for a while."""
        with Siege(pairs, SEED) as siege:
            end = time.monotonic() + SECONDS
            rounds = 0
            while rounds == 0 or time.monotonic() < end:
                folder = self.folder / f"{where}-{name}-{rounds}"
                result = cluster.run(*job(folder), timeout=120)
                self.expect(result, 0)
                self.assertEqual(outputs(folder), expected, name)
                rounds += 1
        self.assertEqual(siege.failures, [], name)
        for process in [cluster.coordinator, *cluster.workers]:
            self.assertIsNone(process.poll(), f"{name} ended a process")

    def attack_all(self, transport):
        cluster = self.cluster(transport, workers=2, slots=2)
        self.expect(cluster.run(*job(self.folder / "quiet")), 0)
        expected = outputs(self.folder / "quiet")
        self.assertEqual(len(expected), 3)
        victims = [cluster.coordinator, *cluster.workers]
        sockets = [endpoint for victim in victims for endpoint in listening(victim.pid)]
        self.assertGreaterEqual(len(sockets), 8, "control, work, blobs, events, data and slots of two workers")
        work = listening(cluster.coordinator.pid)
        before = {victim.pid: memory(victim.pid) for victim in victims}
        for attack in attacks.EVERYWHERE + attacks.ON_WORK:
            targets = sockets if attack in attacks.EVERYWHERE else work
            with self.subTest(attack=attack.__name__):
                self.besiege(cluster, transport, attack.__name__, [(attack, one) for one in targets], expected)
                for victim in victims:
                    grown = memory(victim.pid) - before[victim.pid]
                    self.assertLess(grown, GROWTH_KIB, f"{attack.__name__}: KiB that {victim.args[1]} has grown")
        forge = Forge()
        self.addCleanup(forge.close)
        self.assertTrue(answers(cluster.endpoint, forge))
        self.assertEqual(zonda("workers", "--connect", cluster.endpoint).returncode, 0)
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_replays(self):
        cluster = self.cluster("ipc", workers=0)
        recorders = [Recorder(path) for path in
                     [str(cluster.folder / f"control{end}") for end in ("", ".work", ".blobs", ".events")]]
        self.addCleanup(lambda: [recorder.close() for recorder in recorders])
        cluster.workers += [cluster.add_worker() for _ in range(2)]
        self.expect(cluster.run(*job(self.folder / "quiet")), 0)
        expected = outputs(self.folder / "quiet")
        said = [words for recorder in recorders for words in recorder.conversations if len(words) > 66]
        self.assertGreaterEqual(len(said), 8, "two workers and a driver")
        victims = [cluster.coordinator, *cluster.workers]
        sockets = [endpoint for victim in victims for endpoint in listening(victim.pid)]
        self.besiege(cluster, "ipc", "replays", [(replay_of(said, 0.05), one) for one in sockets], expected)
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_over_tcp(self):
        self.attack_all("tcp")

    def test_over_ipc(self):
        self.attack_all("ipc")


if __name__ == "__main__":
    unittest.main()
