#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Keys: who gets in, who does not and how soon they know, and how a key is taken back."""
import json
import os
import re
import stat
import subprocess
import time
import unittest

from harness import PROGRAM, TestCase, zonda
from test_durable import DurableCluster

# Rows that take the data sockets of workers: large results of a shuffle.
SHUFFLE = ["from-range", "4000", "--shards", "8", "then", "map", "{ k = r % 7, text = ('x'):rep(500) .. r }",
           "then", "group-by", "k", "--shards", "4", "--reduce",
           "local n = 0; for r in rows do n = n + #r.text end; emit({ k = key, n = n })"]
SLOW = ["from-range", "8", "--shards", "8", "then", "map", "(function() for i = 1, 1e10 do end end)()"]


def wait_until(condition, seconds=60):
    """Asks again and again; the time is only a bound for a test that hangs."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.02)


class Keygen(TestCase):
    def test_files_are_private_and_never_overwritten(self):
        self.expect(zonda("keygen", "keys", cwd=self.folder), 0)
        self.expect(zonda("keygen", "keys", "--client", "alice", cwd=self.folder), 0)
        names = self.files(self.folder / "keys")
        self.assertEqual(names, ["allowed/alice.pub", "allowed/client.pub", "client.key",
                                 "clients/alice/client.key", "clients/alice/coordinator.pub",
                                 "coordinator.key", "coordinator.pub"])
        before = {name: (self.folder / "keys" / name).read_text() for name in names}
        for name in names:
            self.assertEqual(stat.S_IMODE((self.folder / "keys" / name).stat().st_mode), 0o600, name)
        self.expect(zonda("keygen", "keys", cwd=self.folder), 1, "never overwritten")
        self.expect(zonda("keygen", "keys", "--client", "alice", cwd=self.folder), 1, "never overwritten")
        self.assertEqual(before, {name: (self.folder / "keys" / name).read_text() for name in names})

    def test_mistakes_are_named(self):
        self.expect(zonda("keygen"), 2, "folder is missing")
        self.expect(zonda("keygen", "x", "y"), 2, "unexpected word 'y'")
        self.expect(zonda("keygen", self.folder / "none" / "keys"), 1, "No such file or directory")
        self.expect(zonda("keygen", self.folder, "--client", "alice"), 3, "coordinator.pub")
        zonda("keygen", self.folder / "keys")
        self.expect(zonda("keygen", self.folder / "keys", "--client", "../x"), 2, "cannot name a client")


class Keys(TestCase):
    def setUp(self):
        super().setUp()
        self.keys = self.make("keys")

    def make(self, name):
        folder = self.folder / name
        self.expect(zonda("keygen", folder), 0)
        return folder

    def client(self, name):
        self.expect(zonda("keygen", self.keys, "--client", name), 0)
        return self.keys / "clients" / name

    def secured(self, **options):
        options.setdefault("worker", ("--keys", self.keys))
        return self.cluster(coordinator=("--keys", self.keys), **options)

    def refused(self, *words, status=3, expect=(), **options):
        """It fails with these words, in seconds; the time limit is only that of a hang."""
        started = time.monotonic()
        self.expect(zonda(*words, timeout=60, **options), status, *expect)
        self.assertLess(time.monotonic() - started, 20)

    def log(self, cluster):
        return (cluster.folder / "log").read_text()


class WhoGetsIn(Keys):
    def run_shuffle(self, cluster, *keys, **options):
        quiet = zonda("run", "--quiet", *SHUFFLE)
        result = cluster.run("--quiet", *keys, *SHUFFLE, **options)
        self.expect(result, 0)
        self.assertEqual(result.stdout, quiet.stdout)
        self.assertEqual(result.stdout.count("\n"), 7)

    def test_a_job_over_tcp_and_over_ipc(self):
        for transport in "tcp", "ipc":
            with self.subTest(transport=transport):
                cluster = self.secured(transport=transport)
                self.run_shuffle(cluster, "--keys", self.keys)
                for command in "status", "jobs", "workers":
                    self.expect(zonda(command, "--connect", cluster.endpoint, "--keys", self.keys), 0)

    def test_the_environment_names_the_keys(self):
        cluster = self.secured()
        self.run_shuffle(cluster, env={"ZONDA_KEYS": str(self.keys)})
        self.expect(zonda("jobs", "--connect", cluster.endpoint, env={"ZONDA_KEYS": str(self.keys)}), 0)
        # It is of no interest to a pipeline in this process.
        self.expect(zonda("run", "from-range", "3", env={"ZONDA_KEYS": "/nowhere"}), 0)

    def test_workers_that_share_no_files_fetch_from_each_other(self):
        """Each worker has a key of its own, and serves those whom the coordinator allows."""
        alone = ["unshare", "--uts", "--mount", "sh", "-c",
                 'hostname "$0" && mount -t tmpfs none "$TMPDIR" && exec "$@"']
        scratch = self.folder / "probe"
        scratch.mkdir()
        if subprocess.run([*alone, "h", "true"], stderr=subprocess.DEVNULL,
                          env={**os.environ, "TMPDIR": str(scratch)}).returncode != 0:
            self.skipTest("processes cannot get a host name and mounts of their own here")
        cluster = self.secured(workers=0)
        for name in "host1", "host2":
            cluster.worker_options = ("--keys", self.client(name))
            cluster.workers.append(cluster.add_worker(before=[*alone, name]))
        self.run_shuffle(cluster, "--keys", self.client("alice"))

    def test_no_key(self):
        cluster = self.secured()
        self.refused("run", "--connect", cluster.endpoint, *SHUFFLE, expect=["--keys DIR"])
        self.refused("status", "--connect", cluster.endpoint, expect=["--keys DIR"])
        self.refused("worker", "--connect", cluster.endpoint, expect=["--keys DIR"])

    def test_a_key_that_is_not_allowed(self):
        cluster = self.secured()
        stranger = self.make("stranger")
        (stranger / "coordinator.pub").write_bytes((self.keys / "coordinator.pub").read_bytes())
        for command in ["run", *SHUFFLE], ["jobs"], ["worker"]:
            self.refused(command[0], "--connect", cluster.endpoint, "--keys", stranger, *command[1:],
                         expect=["not among those that it allows"])
        self.assertIn("peer-refused", self.log(cluster))

    def test_another_coordinator_than_the_one_that_is_known(self):
        cluster = self.secured()
        (self.client("eve") / "coordinator.pub").write_bytes((self.make("other") / "coordinator.pub").read_bytes())
        for command in ["run", *SHUFFLE], ["jobs"], ["worker"]:
            self.refused(command[0], "--connect", cluster.endpoint, "--keys", self.keys / "clients" / "eve",
                         *command[1:], expect=["does not have the key that is expected"])

    def test_keys_on_an_endpoint_without_any(self):
        cluster = self.cluster()
        for command in ["run", *SHUFFLE], ["jobs"], ["worker"]:
            self.refused(command[0], "--connect", cluster.endpoint, "--keys", self.keys, *command[1:],
                         expect=[cluster.endpoint])
        self.expect(cluster.run("from-range", "3"), 0)

    def test_files_that_others_can_read(self):
        for name, command in ("coordinator.key", "coordinator"), ("client.key", "worker"), ("client.key", "jobs"):
            path = self.keys / name
            path.chmod(0o644)
            self.refused(command, "--keys", self.keys, expect=[str(path), "chmod 600"])
            path.chmod(0o600)

    def test_beyond_loopback(self):
        self.refused("coordinator", "--bind", "tcp://0.0.0.0:*", status=2, expect=["zonda keygen", "--insecure"])
        cluster = self.secured(workers=0)
        self.refused("worker", "--connect", cluster.endpoint, "--data", "tcp://0.0.0.0:*", status=2,
                     expect=["zonda keygen", "--insecure"])
        open_bind = subprocess.Popen([PROGRAM, "coordinator", "--bind", "tcp://0.0.0.0:*", "--keys", self.keys],
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(open_bind.stdout.close)
        self.addCleanup(open_bind.wait)
        self.addCleanup(open_bind.terminate)
        self.assertRegex(open_bind.stdout.readline(), r"^listening tcp://")


class Changes(Keys):
    def workers(self, cluster):
        text = zonda("workers", "--json", "--connect", cluster.endpoint, "--keys", self.keys).stdout
        return len(json.loads(text or "[]"))

    def test_a_new_client_gets_in_at_once(self):
        cluster = self.secured()
        alice = self.client("alice")
        self.expect(cluster.run("--quiet", "--keys", alice, *SHUFFLE), 0)

    def test_a_revoked_worker_is_out(self):
        """Its tasks go to others, and it ends with the reason."""
        cluster = self.secured(workers=1)
        host1 = self.client("host1")
        cluster.worker_options = ("--keys", host1)
        revoked = cluster.add_worker()
        cluster.workers.append(revoked)
        wait_until(lambda: self.workers(cluster) == 2)
        (self.keys / "allowed" / "host1.pub").unlink()
        self.assertEqual(revoked.wait(timeout=30), 3)
        wait_until(lambda: self.workers(cluster) == 1)
        self.assertIn("reason=revoked", self.log(cluster))
        self.assertRegex(self.log(cluster), "zonda: .*not allowed any more")
        self.refused("worker", "--connect", cluster.endpoint, "--keys", host1,
                     expect=["not among those that it allows"])
        self.expect(cluster.run("--quiet", "--keys", self.keys, *SHUFFLE), 0)

    def test_a_coordinator_that_is_killed_comes_back_with_its_keys(self):
        """Connections that break in the middle of a handshake are not taken for keys that do not fit."""
        os.environ["ZONDA_KEYS"] = str(self.keys)
        self.addCleanup(os.environ.pop, "ZONDA_KEYS")
        cluster = DurableCluster.make(self.folder / "state")
        self.addCleanup(cluster.kill)
        ends = self.folder / "ends"
        job = subprocess.Popen(
            [PROGRAM, "run", "--quiet", "--connect", cluster.endpoint, "from-range", "40", "--shards", "40", "then",
             "exec", f"sh -c 'read line; sleep 0.1; echo >> {ends}; echo \"$line\"'"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(job.kill)
        for done in 1, 10, 20:
            wait_until(lambda: ends.exists() and len(ends.read_text()) >= done)
            self.assertEqual(cluster.restart(), cluster.endpoint)
        out, err = job.communicate(timeout=60)
        self.assertEqual(job.returncode, 0, err)
        self.assertEqual(out.split(), [str(i) for i in range(40)])
        self.assertEqual([worker.poll() for worker in cluster.workers], [None, None])

    def test_workers_outlast_a_coordinator_that_was_started_without_its_keys(self):
        os.environ["ZONDA_KEYS"] = str(self.keys)
        self.addCleanup(os.environ.pop, "ZONDA_KEYS")
        cluster = DurableCluster.make(self.folder / "state")
        self.addCleanup(cluster.kill)
        wait_until(lambda: self.workers(cluster) == 2)
        os.environ["ZONDA_KEYS"] = ""
        self.assertEqual(cluster.restart(), cluster.endpoint)
        wait_until(lambda: self.log(cluster).count("has no keys, and ours") + self.log(cluster).count("or has none") >= 2)
        os.environ["ZONDA_KEYS"] = str(self.keys)
        self.assertEqual(cluster.restart(), cluster.endpoint)
        self.expect(cluster.run("--quiet", *SHUFFLE), 0)
        self.assertEqual([worker.poll() for worker in cluster.workers], [None, None])

    def test_a_revoked_driver_is_told_while_its_job_runs(self):
        cluster = self.secured()
        alice = self.client("alice")
        driver = subprocess.Popen([PROGRAM, "run", "--quiet", "--connect", cluster.endpoint, "--keys", alice,
                                   "--lua-instructions", str(1 << 60), *SLOW],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(driver.stderr.close)
        self.addCleanup(driver.wait)
        self.addCleanup(driver.kill)

        def runs():
            jobs = zonda("jobs", "--json", "--connect", cluster.endpoint, "--keys", self.keys).stdout
            return any(job["running"] > 0 for job in json.loads(jobs or "[]"))
        wait_until(runs)
        (self.keys / "allowed" / "alice.pub").unlink()
        self.assertEqual(driver.wait(timeout=30), 3)
        self.assertTrue(re.search("key .* is not allowed any more", driver.stderr.read()))


if __name__ == "__main__":
    unittest.main()
