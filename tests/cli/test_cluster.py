#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The program as a cluster of real processes: the main job gives the same bytes everywhere, workers and
slots may die, garbage on a socket disturbs nobody, an interrupt leaves nothing behind."""
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time
import unittest

from harness import MANIFEST, DATA, PROGRAM, ROOT, TestCase, processes_below, zonda

READ = ["read", f"{DATA}/packages-*.jsonl.zst"]
JOB = READ + ["then", "filter", "installed_size and installed_size > 10000",
              "then", "select", "package,section,installed_size", "then", "write"]


def contents(folder):
    return {p.name: p.read_bytes() for p in sorted(pathlib.Path(folder).iterdir())
            if not p.name.endswith(MANIFEST)}


class MainJob(TestCase):
    def test_same_bytes_in_process_over_ipc_and_over_tcp(self):
        pattern = "{shard:05d}-of-{total:05d}.jsonl"
        result = zonda("run", *JOB, f"{self.folder}/here/{pattern}")
        self.expect(result, 0)
        here = contents(self.folder / "here")
        self.assertEqual([json.loads(line) for line in result.stdout.splitlines()],
                         [f"{self.folder}/here/{i:05d}-of-00004.jsonl" for i in range(4)])
        for transport in ("ipc", "tcp"):
            cluster = self.cluster(transport)
            self.expect(cluster.run(*JOB, f"{self.folder}/{transport}/{pattern}"), 0)
            self.assertEqual(contents(self.folder / transport), here)
            self.assertEqual(cluster.close(), [0, 0, 0])

    def test_same_records_as_a_few_lines_of_python(self):
        lines = []
        for path in sorted(DATA.glob("*.zst")):
            text = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
            for line in text.splitlines():
                record = json.loads(line)
                if record.get("installed_size") and record["installed_size"] > 10000:
                    lines.append({k: record[k] for k in ("package", "section", "installed_size")
                                  if k in record})
        self.expect(zonda("run", *JOB, f"{self.folder}/{{shard}}.jsonl"), 0)
        got = [json.loads(line) for i in range(4)
               for line in (self.folder / f"{i}.jsonl").read_text().splitlines()]
        self.assertEqual(got, lines)
        self.assertGreater(len(got), 100)

    def test_script_and_driver_program_do_the_same(self):
        self.expect(zonda("run", *JOB, f"{self.folder}/cli/{{shard:05d}}-of-{{total:05d}}.jsonl"), 0)
        expected = contents(self.folder / "cli")
        self.expect(zonda("run", "examples/packages.lua", "10000", self.folder / "lua", cwd=ROOT), 0)
        self.assertEqual(contents(self.folder / "lua"), expected)
        driver = subprocess.run([os.environ["PACKAGES_PROGRAM"], "10000", self.folder / "c"], cwd=ROOT,
                                capture_output=True, text=True)
        self.assertEqual(driver.returncode, 0, driver.stderr)
        self.assertEqual(contents(self.folder / "c"), expected)
        self.assertEqual(driver.stdout.splitlines(),
                         [f"{self.folder}/c/{i:05d}-of-00004.jsonl" for i in range(4)])

    def test_script_groups_as_a_loop_does(self):
        self.expect(zonda("run", "examples/sections.lua", "10000", self.folder, cwd=ROOT), 0)
        sections = {}
        for path in sorted((ROOT / "examples" / "data").glob("*.zst")):
            text = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
            for record in map(json.loads, text.splitlines()):
                if record.get("installed_size", 0) > 10000:
                    sections.setdefault(record["section"], []).append(record["installed_size"])
        got = [json.loads(line) for path in sorted(self.folder.glob("sections-*-of-00004.jsonl"))
               for line in path.read_text().splitlines()]
        self.assertEqual(sorted(got, key=lambda r: r["section"]),
                         [{"n": len(sizes), "section": section, "total": sum(sizes)}
                          for section, sizes in sorted(sections.items())])

    def test_million_records_in_a_thousand_shards_are_counted(self):
        result = zonda("run", "from-range", "1000000", "--shards", "1000", "then", "count")
        self.expect(result, 0)
        self.assertEqual(result.stdout, "1000000\n")


class Folder(TestCase):
    """Relative paths and commands mean the driver's folder, wherever the workers were started."""

    PIPELINE = ["read", "in/*.jsonl", "then", "exec", "./twice.sh", "then", "write", "out/{shard}.jsonl"]

    def here(self):
        (self.folder / "in").mkdir()
        for i in range(3):
            (self.folder / "in" / f"{i}.jsonl").write_text(f'{{"n": {i}}}\n')
        script = self.folder / "twice.sh"
        script.write_text("#!/bin/sh\nsed p\n")
        script.chmod(0o755)

    def test_relative_paths_on_a_cluster(self):
        self.here()
        cluster = self.cluster()
        for _ in range(2):
            result = self.expect(zonda("run", "--connect", cluster.endpoint, *self.PIPELINE,
                                       cwd=self.folder), 0)
            self.assertEqual(result.stdout, "".join(f'"out/{i}.jsonl"\n' for i in range(3)))
            self.assertEqual((self.folder / "out/2.jsonl").read_text(), '{"n":2}\n' * 2)
            # The next round runs in slots that have worked somewhere else.
            self.expect(zonda("run", "--connect", cluster.endpoint, "from-list", "1", "then", "each",
                              "pwd", cwd="/"), 0)

    def test_a_folder_that_the_worker_cannot_enter_is_named(self):
        self.here()
        cluster = self.cluster(workers=0)
        driver = subprocess.Popen([PROGRAM, "run", "--connect", cluster.endpoint, *self.PIPELINE],
                                  cwd=self.folder, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        wait_until(lambda: zonda("jobs", "--json", "--connect", cluster.endpoint).stdout != "[]\n")
        gone = self.folder.with_name(self.folder.name + "-moved")
        self.folder.rename(gone)
        self.addCleanup(gone.rename, self.folder)
        cluster.workers.append(cluster.add_worker())
        err = driver.communicate(timeout=60)[1]
        self.assertEqual(driver.returncode, 1, err)
        self.assertIn(f"the job was started in {self.folder}", err)


class Output(TestCase):
    def test_records_go_to_stdout_and_nothing_else_does(self):
        result = zonda("run", "--quiet", "from-list", "1", "a", "null", '{"b":[1.0,2]}')
        self.assertEqual(result.stdout, '1\n"a"\nnull\n{"b":[1.0,2]}\n')
        self.assertEqual(result.stderr, "")

    def test_json_progress_is_json(self):
        result = zonda("run", "--json", "from-range", "10", "then", "count")
        self.assertEqual(result.stdout, "10\n")
        events = [json.loads(line) for line in result.stderr.splitlines()]
        self.assertEqual(events[-1]["event"], "done")

    def test_large_results_stream_in_order(self):
        words = ["from-range", "200000", "--shards", "7", "then", "map", "{ id = r, text = ('x'):rep(30) }"]
        expected = "".join(f'{{"id":{i},"text":"{"x" * 30}"}}\n' for i in range(200000))
        self.assertTrue(zonda("run", *words).stdout == expected)
        cluster = self.cluster()
        result = cluster.run(*words)
        self.expect(result, 0)
        self.assertTrue(result.stdout == expected)
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_reader_that_leaves_early_ends_the_run(self):
        process = subprocess.Popen([PROGRAM, "run", "--quiet", "from-range", "100000000", "--shards", "1000"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "0\n")
        process.stdout.close()
        self.assertEqual(process.wait(timeout=60), -signal.SIGPIPE)
        self.assertEqual(process.stderr.read(), "")
        process.stderr.close()

    def test_dry_run_prints_stages_and_touches_nothing(self):
        result = zonda("run", "--dry-run", *JOB, f"{self.folder}/x/{{shard}}.jsonl")
        self.expect(result, 0)
        for word in ("stage 0", "4 tasks", "filter", "select", "write_jsonl"):
            self.assertIn(word, result.stdout)
        self.assertEqual(self.files(), [])


class Interrupt(TestCase):
    SLOW = ["from-range", "1000000000000", "--shards", "64", "then", "count"]

    def interrupt(self, words, started):
        process = subprocess.Popen([PROGRAM, "run", *words], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        started(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, err)
        self.assertEqual(out, "")
        self.assertIn("interrupted", err)

    def test_in_process(self):
        scratch = self.folder / "tmp"
        scratch.mkdir()
        os.environ["TMPDIR"] = str(scratch)
        self.addCleanup(os.environ.pop, "TMPDIR")

        def running(process):
            # The lock in the worker's folder: sanitizers leave files of their own here.
            wait_until(lambda: any(scratch.glob("zonda-*/lock")) or process.poll() is not None)

        self.interrupt(self.SLOW, running)
        self.assertEqual(list(scratch.iterdir()), [])

    def test_on_a_cluster_the_job_is_cancelled_and_the_cluster_goes_on(self):
        cluster = self.cluster()

        def running(process):
            wait_until(cluster.is_running)

        self.interrupt(["--connect", cluster.endpoint, *self.SLOW], running)
        result = cluster.run("from-range", "10", "then", "count")
        self.assertEqual(result.stdout, "10\n")
        jobs = json.loads(zonda("jobs", "--json", "--connect", cluster.endpoint).stdout)
        self.assertEqual(jobs, [])
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_cancel_command_ends_a_job(self):
        cluster = self.cluster()
        process = subprocess.Popen([PROGRAM, "run", "--connect", cluster.endpoint, *self.SLOW],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        jobs = []

        def listed():
            jobs[:] = json.loads(zonda("jobs", "--json", "--connect", cluster.endpoint).stdout)
            return jobs
        wait_until(listed)
        self.expect(zonda("cancel", "--connect", cluster.endpoint, jobs[0]["job"]), 0)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 1)
        self.assertIn("cancelled", err)
        self.assertEqual(cluster.close(), [0, 0, 0])


def wait_until(condition, seconds=30):
    """Asks again and again; the time is only a bound for a test that hangs."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")


class Grace(TestCase):
    """The job of a driver that was killed ends by itself; one whose driver only waits does not."""

    def test_the_job_of_a_killed_driver_ends(self):
        for transport in ("tcp", "ipc"):
            with self.subTest(transport=transport):
                cluster = self.cluster(transport, coordinator=["--driver-grace", "1"])
                driver = subprocess.Popen([PROGRAM, "run", "--connect", cluster.endpoint,
                                           *Interrupt.SLOW], stdout=subprocess.PIPE)
                self.addCleanup(driver.stdout.close)

                wait_until(cluster.is_running)
                driver.kill()
                driver.wait()
                wait_until(lambda: zonda("jobs", "--json", "--connect",
                                         cluster.endpoint).stdout == "[]\n")
                self.assertEqual(cluster.run("from-range", "10", "then", "count").stdout, "10\n")
                self.assertEqual(cluster.close(), [0, 0, 0])

    def test_a_driver_that_takes_its_time_keeps_its_job(self):
        cluster = self.cluster(coordinator=["--driver-grace", "1"])
        # More than pipes hold, so the driver waits for its reader and calls nobody.
        driver = subprocess.Popen([PROGRAM, "run", "--connect", cluster.endpoint, "from-range",
                                   "300000", "--shards", "50"], stdout=subprocess.PIPE)
        first = driver.stdout.readline()

        def silent_ms():
            job = json.loads(zonda("jobs", "--json", "--connect", cluster.endpoint).stdout)[0]["job"]
            found = zonda("explain", "--json", "--connect", cluster.endpoint, str(job)).stdout
            return json.loads(found)["called_ms"]

        wait_until(lambda: silent_ms() > 2500)
        lines = [first, *driver.stdout]
        driver.stdout.close()
        self.assertEqual(driver.wait(), 0)
        self.assertEqual(len(lines), 300000)
        self.assertEqual(cluster.close(), [0, 0, 0])


class Faults(TestCase):
    JOB = ["from-range", "400", "--shards", "400", "then", "map",
           "(function() local x = 0; for i = 1, 200000 do x = x + i end; return r end)()"]
    EXPECTED = "".join(f"{i}\n" for i in range(400))

    def start(self, cluster):
        return subprocess.Popen([PROGRAM, "run", "--connect", cluster.endpoint, *self.JOB],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, process):
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        self.assertTrue(out == self.EXPECTED, "records were lost, repeated or out of order")

    def completed(self, cluster):
        jobs = json.loads(zonda("jobs", "--json", "--connect", cluster.endpoint).stdout)
        return jobs[0]["completed"] if jobs else 0

    def test_worker_that_is_killed_gives_its_tasks_back(self):
        cluster = self.cluster()
        process = self.start(cluster)
        wait_until(lambda: self.completed(cluster) > 10)
        below = processes_below(cluster.workers[0].pid)
        cluster.workers[0].kill()
        cluster.workers[0].wait()
        self.finish(process)
        self.assertEqual(len(below), 2)
        wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in below))
        self.assertEqual(cluster.close()[1:], [0, 0])

    def test_slot_that_is_killed_is_replaced(self):
        cluster = self.cluster(workers=1)
        process = self.start(cluster)
        wait_until(lambda: self.completed(cluster) > 10)
        os.kill(processes_below(cluster.workers[0].pid)[0], signal.SIGKILL)
        self.finish(process)
        wait_until(lambda: len(processes_below(cluster.workers[0].pid)) == 2)
        self.assertEqual(cluster.close(), [0, 0])

    def test_worker_that_comes_late_is_used(self):
        cluster = self.cluster(workers=0)
        process = self.start(cluster)
        wait_until(lambda: zonda("jobs", "--connect", cluster.endpoint).stdout.count("\n") > 1)
        cluster.workers.append(cluster.add_worker())
        self.finish(process)
        self.assertEqual(cluster.close(), [0, 0])

    def test_garbage_on_every_socket_disturbs_nobody(self):
        cluster = self.cluster()
        process = self.start(cluster)
        ports = []

        def all_listen():
            ports[:] = listening_ports([cluster.coordinator.pid] + [w.pid for w in cluster.workers])
            return len(ports) >= 6  # four of the coordinator, one of each worker
        wait_until(all_listen)
        noise = random.Random(7)
        for port in ports:
            for size in (1, 64, 5000):
                with socket.create_connection(("127.0.0.1", port)) as link:
                    try:
                        link.sendall(noise.randbytes(size))
                    except OSError:
                        pass  # it may close on us
        self.finish(process)
        self.assertEqual(cluster.run("from-range", "10", "then", "count").stdout, "10\n")
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_closing_leaves_no_process_and_no_file(self):
        cluster = self.cluster()
        self.finish(self.start(cluster))
        pids = [pid for w in cluster.workers for pid in processes_below(w.pid)]
        self.assertEqual(len(pids), 4)
        for worker in cluster.workers:
            worker.send_signal(signal.SIGTERM)
            self.assertEqual(worker.wait(timeout=30), 0)
        self.assertEqual([pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists()], [])
        self.assertEqual(cluster.scratch_left(), [])
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_workers_end_with_their_cluster(self):
        cluster = self.cluster()
        wait_until(lambda: zonda("workers", "--connect", cluster.endpoint).stdout.count("\n") >= 3)
        cluster.coordinator.send_signal(signal.SIGTERM)
        self.assertEqual(cluster.coordinator.wait(timeout=30), 0)
        for worker in cluster.workers:
            self.assertEqual(worker.wait(timeout=30), 0)
        self.assertEqual(cluster.close(), [0, 0, 0])


def listening_ports(pids):
    """TCP ports on which these processes listen."""
    inodes = set()
    for pid in pids:
        for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    ports = []
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            ports.append(int(fields[1].split(":")[1], 16))
    return ports


if __name__ == "__main__":
    unittest.main()
