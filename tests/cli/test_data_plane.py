#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Where the data between stages is: in files of workers, which others on this host read themselves, not in the
coordinator, and nowhere any more when the job is done or the next worker has started."""
import ctypes
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import time
import unittest

from harness import PROGRAM, TestCase, processes_below, wait_until, zonda

# Rows of 1 kB in 16 map tasks; the reduce side takes as long as it is let.
SLOW = ["from-range", "4000", "--shards", "16", "then", "map", "{ k = r % 4, text = ('x'):rep(1000) .. r }",
        "then", "group-by", "k", "--shards", "4", "--reduce",
        "for r in rows do for i = 1, 1000000 do end end"]


def open_files(pid):
    """The paths that a process has open; a process that ends has none."""
    found = []
    try:
        for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                found.append(os.readlink(entry))
            except OSError:
                pass
    except OSError:
        pass
    return found


def folder_of(worker):
    """The scratch folder of a worker: the one whose lock it holds."""
    locks = [path for path in open_files(worker.pid) if path.endswith("/lock")]
    return pathlib.Path(locks[0]).parent if locks else None


def segments(cluster):
    return sorted((cluster.folder / "tmp").glob("*/*.seg"))


class Segments(TestCase):
    def slow_job(self):
        """A job on two workers that has begun to reduce."""
        cluster = self.cluster(workers=2, slots=1)
        wait_until(lambda: all(folder_of(worker) for worker in cluster.workers))
        wait_until(lambda: zonda("workers", "--connect", cluster.endpoint).stdout.count("\n") >= 3)
        driver = subprocess.Popen([PROGRAM, "run", "--connect", cluster.endpoint, *SLOW],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(driver.wait)
        self.addCleanup(driver.kill)
        return cluster, driver

    def test_readers_on_the_same_host_open_the_file(self):
        cluster, driver = self.slow_job()
        folders = [folder_of(worker) for worker in cluster.workers]

        def reads_the_other(worker, other):
            return any(path.startswith(f"{other}/job") and "exchange" not in path
                       for slot in processes_below(worker.pid) for path in open_files(slot))
        wait_until(lambda: reads_the_other(cluster.workers[0], folders[1]) or
                   reads_the_other(cluster.workers[1], folders[0]))
        self.assertIsNone(driver.poll())

    def test_segments_are_gone_when_the_job_is_done(self):
        cluster, driver = self.slow_job()
        wait_until(lambda: len({path.parent for path in segments(cluster)}) == 2)
        driver.send_signal(signal.SIGINT)
        self.assertEqual(driver.wait(timeout=60), 130)
        self.assertEqual(segments(cluster), [])
        slots = [slot for worker in cluster.workers for slot in processes_below(worker.pid)]
        kept = [path for slot in slots for path in open_files(slot) if ".seg" in path]
        self.assertEqual(kept, [], "a slot keeps the room of removed segments")
        # And after a job that nobody disturbed.
        result = cluster.run(*SLOW[:-1], "local n = 0 for r in rows do n = n + #r.text end return n > 1000000")
        self.assertEqual(self.expect(result, 0).stdout, "true\n" * 4)
        self.assertEqual(segments(cluster), [])
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_what_a_killed_worker_left_is_removed_by_the_next(self):
        cluster, driver = self.slow_job()
        wait_until(lambda: len({path.parent for path in segments(cluster)}) == 2)
        folder = folder_of(cluster.workers[0])
        cluster.workers[0].kill()
        cluster.workers[0].wait()
        driver.kill()
        driver.wait()
        self.assertTrue(list(folder.glob("*.seg")))
        cluster.workers.append(cluster.add_worker())
        wait_until(lambda: not folder.exists())
        self.assertEqual(cluster.run("from-range", "10", "then", "count").stdout, "10\n")


def traffic(pid):
    """Bytes that a child process has sent and received over its tcp connections, asked from the sockets
    themselves. None where the system does not let us."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd_open, pidfd_getfd = 434, 438
    process = libc.syscall(pidfd_open, pid, 0)
    if process < 0:
        return None
    total = 0
    try:
        for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                if not os.readlink(entry).startswith("socket:"):
                    continue
            except OSError:
                continue
            fd = libc.syscall(pidfd_getfd, process, int(entry.name), 0)
            if fd < 0:
                if ctypes.get_errno() == 9:  # EBADF: closed meanwhile
                    continue
                return None
            with socket.socket(fileno=fd) as link:
                if link.family in (socket.AF_INET, socket.AF_INET6):
                    info = link.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                    total += sum(struct.unpack_from("=QQ", info, 120))  # acknowledged, received
    finally:
        os.close(process)
    return total


class Traffic(TestCase):
    def setUp(self):
        super().setUp()
        noise = random.Random(4)
        self.rows = "".join('{"k":%d,"text":"%s"}\n' % (i % 7, noise.randbytes(500).hex()) for i in range(8000))
        self.data = self.write("rows.jsonl", self.rows)

    def group(self, cluster):
        """All rows through a shuffle and back to the driver."""
        wait_until(lambda: zonda("workers", "--connect", cluster.endpoint).stdout.count("\n") >= 3)
        result = cluster.run("read", self.data, "--split-bytes", "1000000", "then", "group-by", "k", "--reduce",
                             "for r in rows do emit(r) end")
        self.expect(result, 0)
        self.assertEqual(sorted(result.stdout.splitlines()), sorted(self.rows.splitlines()))

    def test_hosts_that_share_no_files_ask_each_other(self):
        cluster = self.hosts_that_share_no_files()
        self.group(cluster)
        self.assertEqual(cluster.scratch_left(), [], "the scratch folders should not be seen from here")
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_rows_of_a_host_that_dies_are_made_again(self):
        """Dies while others read what it made: nothing is missing, and nobody waits for it for long."""
        verbs = ["read", self.data, "--split-bytes", "300000", "then", "group-by", "k", "--shards", "6", "--reduce",
                 "local n, s = 0, 0 for r in rows do n = n + 1 s = (s * 31 + #r.text + r.text:byte(n % 999 + 1)) % 1000003 "
                 "for i = 1, 50000 do end end emit({ k = key, n = n, s = s })"]
        quiet = zonda("run", *verbs)
        self.expect(quiet, 0)
        cluster = self.hosts_that_share_no_files()
        driver = subprocess.Popen([PROGRAM, "run", "--connect", cluster.endpoint, "--json", *verbs], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(driver.communicate)
        self.addCleanup(driver.kill)

        def reduces():
            jobs = json.loads(zonda("jobs", "--json", "--connect", cluster.endpoint).stdout or "[]")
            return jobs and jobs[0]["stages"] == 2 and jobs[0]["running"] > 0
        wait_until(reduces)
        cluster.workers[0].kill()
        killed = time.monotonic()
        out, err = driver.communicate(timeout=120)
        took = time.monotonic() - killed
        self.assertEqual(driver.returncode, 0, err)
        self.assertEqual(out, quiet.stdout)
        self.assertGreater(json.loads(err.splitlines()[-1])["counters"]["retries"]["sum"], 0)
        cluster.log.flush()
        self.assertIn("results-made-again", (cluster.folder / "log").read_text())
        self.assertLess(took, 20)
        self.assertEqual(cluster.close()[1:], [0, 0])

    def test_the_coordinator_carries_no_rows(self):
        cluster = self.cluster(workers=2, slots=1)
        before = traffic(cluster.coordinator.pid)
        if before is None:
            self.skipTest("the sockets of another process cannot be looked at here")
        self.group(cluster)
        carried = traffic(cluster.coordinator.pid) - before
        self.assertLess(carried, len(self.rows) / 50)
        self.assertEqual(cluster.close(), [0, 0, 0])


if __name__ == "__main__":
    unittest.main()
