#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Jobs on a cluster of real processes: what `status` and `explain` say of them, counters that are exact
whatever dies, many jobs at once, and cancelling one of several."""
import json
import os
import pathlib
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
import unittest

from harness import PROGRAM, TestCase, processes_below, zonda

ENDLESS = ["from-range", "1000000000000", "--shards", "64", "then", "count"]

# Each task is a few milliseconds of work, and there are many.
COUNTING = """
return zonda.from_range(400, { shards = 100 })
  :map(function(r)
    local x = 0
    for i = 1, 40000 do x = x + i end
    zonda.counter("value", r - 100)
    if r % 7 == 0 then zonda.counter("sevens", 1) end
    return r
  end)
  :filter(function(r) return r % 2 == 0 end)
  :count()
"""


def wait_until(condition, seconds=60):
    """Asks again and again; the time is only a bound for a test that hangs."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")


def cpu_ticks(pid):
    """How long the process has been computing: one that starts up needs next to nothing."""
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11])


class Jobs(TestCase):
    def ask(self, cluster, *words):
        result = zonda(*words, "--json", "--connect", cluster.endpoint)
        self.expect(result, 0)
        return json.loads(result.stdout)

    def start(self, cluster, *words):
        process = subprocess.Popen([PROGRAM, "run", "--connect", cluster.endpoint, *map(str, words)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
            process.communicate()

    def job_named(self, cluster, name):
        return next((job for job in self.ask(cluster, "jobs") if job["name"] == name), None)

    def finish(self, process, expected, status=0):
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, status, err)
        self.assertEqual(out, expected)
        return err


class Explain(Jobs):
    def test_job_without_a_worker_says_so_until_one_comes(self):
        cluster = self.cluster(workers=0)
        process = self.start(cluster, "--name", "lonely", "from-range", "10", "--shards", "5", "then", "count")
        job = wait_until(lambda: self.job_named(cluster, "lonely"))["job"]
        found = wait_until(lambda: (lambda e: e if e["stages"] else None)(self.ask(cluster, "explain", job)))
        self.assertEqual(found["reasons"][0]["reason"], "no-worker")
        self.assertTrue(found["reasons"][0]["blocking"])
        self.assertEqual((found["stages"][0]["total"], found["stages"][0]["completed"]), (5, 0))
        for words in (["status"], ["explain", job]):
            text = zonda(*words, "--connect", cluster.endpoint).stdout
            self.assertIn("5 tasks wait: no worker is there", text)
            self.assertIn("lonely", text)
        self.assertEqual(self.ask(cluster, "explain", f"{job}/0/3")["attempts"][0]["state"], "pending")
        cluster.workers.append(cluster.add_worker())
        self.finish(process, "10\n")
        self.assertEqual(self.ask(cluster, "status")["jobs"], [])
        self.assertEqual(cluster.close(), [0, 0])

    def test_task_is_followed_to_its_worker(self):
        cluster = self.cluster(workers=1)
        self.start(cluster, "--name", "endless", *ENDLESS)

        def held():
            job = self.job_named(cluster, "endless")
            return job if job and job["running"] else None
        job = wait_until(held)["job"]
        attempt = self.ask(cluster, "explain", f"{job}/0/0")["attempts"][-1]
        self.assertEqual((attempt["state"], attempt["attempt"], attempt["pid"]),
                         ("held", 1, cluster.workers[0].pid))
        text = zonda("explain", f"{job}/0/0", "--connect", cluster.endpoint).stdout
        self.assertIn(f"task 0, attempt 1: held by worker 1 ({attempt['host']}, pid {attempt['pid']})", text)
        stage = self.ask(cluster, "explain", f"{job}/0")
        self.assertEqual(sum(a["count"] for a in stage["attempts"]), stage["stages"][0]["running"])

        def busy():
            pids = processes_below(cluster.workers[0].pid)
            return pids if len(pids) == 2 and all(cpu_ticks(pid) > 50 for pid in pids) else None
        for pid in wait_until(busy):
            os.kill(pid, signal.SIGKILL)

        def failed():
            attempts = self.ask(cluster, "explain", f"{job}/0/0")["attempts"]
            return attempts if attempts[0]["state"] == "failed" else None
        attempts = wait_until(failed)
        self.assertEqual(attempts[0]["failure"]["code"], "CRASH")
        self.assertEqual(attempts[0]["failure"]["worker"], 1)
        self.expect(zonda("cancel", job, "--connect", cluster.endpoint), 0)
        self.assertEqual(cluster.close(), [0, 0])

    def test_places_that_are_not_there_are_errors(self):
        cluster = self.cluster(workers=0)
        self.start(cluster, "--name", "few", "from-range", "10", "--shards", "5")
        job = wait_until(lambda: self.job_named(cluster, "few"))["job"]
        wait_until(lambda: self.ask(cluster, "explain", job)["stages"])
        for place, word in ((f"{job}/0/5", "5 tasks"), (f"{job}/7", "not started"), (job + 9, "no job")):
            self.expect(zonda("explain", place, "--connect", cluster.endpoint), 1, word)
        for place in ("x", "1/", "1/2/3/4", "1/a", "", "1" * 70):
            self.expect(zonda("explain", place, "--connect", cluster.endpoint), 2, "job id")
        self.expect(zonda("cancel", f"{job}/0", "--connect", cluster.endpoint), 2, "job id")
        self.expect(zonda("cancel", job, "--connect", cluster.endpoint), 0)

    def test_error_names_worker_and_attempt_once(self):
        cluster = self.cluster(workers=1)
        result = cluster.run("--quiet", "from-range", "4", "--shards", "4", "then", "map",
                             "r == 2 and error('two is bad') or r")
        self.expect(result, 1, "two is bad", "operator map", "shard 2", "attempt 3", "worker 1")
        self.assertEqual(result.stderr.splitlines()[0].count("attempt"), 1)
        self.assertEqual(result.stderr.count("attempt 2 on worker 1"), 1)
        self.assertEqual(cluster.close(), [0, 0])


class Counters(Jobs):
    def counted(self, cluster, during=lambda process: None):
        script = self.write("count.lua", COUNTING)
        process = self.start(cluster, "--json", script)
        during(process)
        err = self.finish(process, "200\n")
        done = [json.loads(line) for line in err.splitlines()][-1]
        self.assertEqual(done["event"], "done")
        for counters in [done["counters"]] + [stage["counters"] for stage in done["stages"]]:
            counters.pop("retries")
        return {"counters": done["counters"], "stages": done["stages"]}

    def test_counters_are_exact_when_slots_and_workers_die(self):
        cluster = self.cluster(workers=2)
        quiet = self.counted(cluster)
        counters = quiet["stages"][0]["counters"]
        self.assertEqual(counters["value"], {"sum": sum(range(400)) - 40000, "min": -100, "max": 299,
                                             "mean": (sum(range(400)) - 40000) / 400, "count": 400})
        self.assertEqual(counters["sevens"]["sum"], 58)
        self.assertEqual(counters["records_in"], {"sum": 400, "min": 4, "max": 4, "mean": 4.0, "count": 100})
        self.assertEqual(counters["tasks"]["sum"], 100)
        self.assertEqual(quiet["counters"]["value"], counters["value"])
        self.assertNotIn("value", quiet["stages"][1]["counters"])

        def kill_slots(process):
            dice = random.Random(3)
            for _ in range(3):
                wait_until(lambda: any(j["running"] for j in self.ask(cluster, "jobs"))
                           or process.poll() is not None)
                pids = processes_below(cluster.workers[0].pid)
                if pids:
                    try:
                        os.kill(dice.choice(pids), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
        self.assertEqual(self.counted(cluster, kill_slots), quiet)

        def kill_worker(process):
            wait_until(lambda: any(j["completed"] > 3 for j in self.ask(cluster, "jobs"))
                       or process.poll() is not None)
            cluster.workers[0].kill()
            cluster.workers[0].wait()
        self.assertEqual(self.counted(cluster, kill_worker), quiet)
        self.assertEqual(cluster.close()[1:], [0, 0])

    def test_names_of_built_in_counters_are_refused(self):
        script = self.write("taken.lua", 'return zonda.from_range(1):map(function(r) '
                                         'zonda.counter("records_in", 5) return r end)')
        self.expect(zonda("run", "--quiet", script), 1, "the counter 'records_in' cannot be added")

    def test_counters_as_a_table(self):
        result = zonda("run", "--quiet", "--counters", "from-range", "100", "--shards", "4", "then", "count")
        self.expect(result, 0)
        self.assertEqual(result.stdout, "100\n")
        lines = [line.split() for line in result.stderr.splitlines()]
        self.assertEqual(lines[0], ["stage", "counter", "sum", "min", "max", "mean"])
        self.assertIn(["0", "records_in", "100", "25", "25", "25"], lines)
        self.assertIn(["1", "tasks", "1", "1", "1", "1"], lines)
        self.assertIn(["all", "tasks", "5", "1", "4", "2.5"], lines)


class Together(Jobs):
    def test_fifty_jobs_from_many_drivers_all_complete(self):
        cluster = self.cluster()

        def run(number):
            return cluster.run("--quiet", "--name", f"tiny {number}", "from-range", str(number), "--shards",
                               str(1 + number % 4), "then", "count")
        with ThreadPoolExecutor(10) as pool:
            results = list(pool.map(run, range(50)))
        self.assertEqual([(r.returncode, r.stdout, r.stderr) for r in results],
                         [(0, f"{number}\n", "") for number in range(50)])
        self.assertEqual(self.ask(cluster, "jobs"), [])
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_two_long_jobs_advance_together(self):
        cluster = self.cluster(workers=1)
        work = "(function() local x = 0; for i = 1, 300000 do x = x + i end; return r end)()"
        words = ["from-range", "4000", "--shards", "4000", "then", "map", work, "then", "count"]
        for name in ("first", "second"):
            self.start(cluster, "--name", name, *words)
            wait_until(lambda: self.job_named(cluster, name))
        begin = {}

        def far():
            jobs = {job["name"]: job["completed"] for job in self.ask(cluster, "jobs")}
            # The first one was alone for a moment; from here on they are compared.
            if not begin and jobs.get("second", 0) > 0:
                begin.update(jobs)
            return jobs if begin and jobs["first"] - begin["first"] >= 150 else None
        jobs = wait_until(far)
        first, second = (jobs[name] - begin[name] for name in ("first", "second"))
        self.assertGreater(second, first / 3)
        self.assertLess(second, first * 3)
        for job in self.ask(cluster, "jobs"):
            self.expect(zonda("cancel", job["job"], "--connect", cluster.endpoint), 0)
        self.assertEqual(cluster.close(), [0, 0])

    def test_short_job_does_not_wait_for_the_long_one(self):
        cluster = self.cluster(workers=1)
        # A stage of short tasks first, so that the worker gives much credit when the long ones come.
        self.expect(cluster.run("from-range", "20000", "--shards", "20000", "then", "count"), 0)
        work = "(function() local x = 0; for i = 1, 8000000 do x = x + i end; return r end)()"
        long = self.start(cluster, "--name", "long", "from-range", "1000", "--shards", "1000", "then", "map",
                          work, "then", "count")
        wait_until(lambda: (self.job_named(cluster, "long") or {}).get("running"))
        # One task for each slot; those of the stage before say nothing about these.
        self.assertLessEqual(self.job_named(cluster, "long")["running"], 6)
        self.assertEqual(cluster.run("from-range", "10", "--shards", "2", "then", "count").stdout, "10\n")
        job = self.job_named(cluster, "long")
        self.assertIsNone(long.poll())
        self.assertLess(job["completed"], 100)
        self.expect(zonda("cancel", job["job"], "--connect", cluster.endpoint), 0)
        self.finish(long, "", 1)
        self.assertEqual(cluster.close(), [0, 0])

    def test_cancelling_one_job_leaves_the_other_alone(self):
        cluster = self.cluster(workers=1)
        out = self.folder / "out"
        # Files grow under temporary names until their task ends, which it never does.
        doomed = self.start(cluster, "--name", "doomed", "from-range", "1000000000000", "--shards", "8",
                            "then", "write", f"{out}/{{shard}}.jsonl")
        other = self.start(cluster, "--name", "other", "from-range", "300", "--shards", "300", "then", "map",
                           "(function() local x = 0; for i = 1, 100000 do x = x + i end; return r end)()",
                           "then", "count")
        wait_until(lambda: out.exists() and any(out.iterdir()))
        job = wait_until(lambda: self.job_named(cluster, "doomed"))["job"]
        self.expect(zonda("cancel", job, "--connect", cluster.endpoint), 0)
        self.assertIn("cancelled", self.finish(doomed, "", 1))
        # The driver returns only when every worker has let go: nothing runs or is written any more.
        self.assertEqual(self.files(out), [])
        self.assertIsNone(self.job_named(cluster, "doomed"))
        self.finish(other, "300\n")
        self.assertEqual([w["running"] for w in self.ask(cluster, "workers")], [0])
        self.assertEqual(cluster.close(), [0, 0])


if __name__ == "__main__":
    unittest.main()
