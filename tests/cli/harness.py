# SPDX-License-Identifier: MPL-2.0
"""What the tests of the program share: running it, clusters of real processes, folders."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ["ZONDA_PROGRAM"]
ROOT = pathlib.Path(os.environ["ZONDA_SOURCE"])
DATA = ROOT / "examples" / "data"
MANIFEST = ".zonda-manifest.json"


def zonda(*words, cwd=None, stdin=None, timeout=120, env=None):
    """Runs the program to its end; the result has returncode, stdout, stderr."""
    return subprocess.run([PROGRAM, *map(str, words)], cwd=cwd, stdin=stdin or subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})


def processes_below(pid):
    """All living descendants of a process."""
    children = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def wait_until(condition, seconds=60):
    """Asks again and again; the time is only a bound for a test that hangs."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.005)


class Cluster:
    """A coordinator and workers as real processes over "tcp" or "ipc"."""

    def __init__(self, transport="tcp", workers=2, slots=2, coordinator=(), worker=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="zonda-cli-"))
        bind = "tcp://127.0.0.1:*" if transport == "tcp" else f"ipc://{self.folder}/control"
        self.log = open(self.folder / "log", "w+")
        self.coordinator = subprocess.Popen([PROGRAM, "coordinator", "--bind", bind, *coordinator], text=True,
                                            stdout=subprocess.PIPE, stderr=self.log)
        self.endpoint = self.coordinator.stdout.readline().split()[1]
        self.slots = slots
        self.worker_options = worker
        self.workers = [self.add_worker() for _ in range(workers)]

    def add_worker(self, before=()):
        """`before`: words of a program that starts it."""
        # TMPDIR is ours, so that what a worker leaves behind is seen.
        scratch = self.folder / "tmp"
        scratch.mkdir(exist_ok=True)
        return subprocess.Popen(
            [*before, PROGRAM, "worker", "--connect", self.endpoint, "--slots", str(self.slots),
             *self.worker_options],
            stderr=self.log, env={**os.environ, "TMPDIR": str(scratch)})

    def scratch_left(self):
        return sorted(p.name for p in (self.folder / "tmp").iterdir())

    def run(self, *words, **options):
        return zonda("run", "--connect", self.endpoint, *words, **options)

    def is_running(self):
        """Whether workers hold tasks of some job."""
        jobs = zonda("jobs", "--json", "--connect", self.endpoint).stdout
        return any(job["running"] > 0 for job in json.loads(jobs or "[]"))

    def kill(self):
        """For a test that failed, or does not care: nothing may stay behind."""
        for process in self.workers + [self.coordinator]:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.release()

    def release(self):
        self.coordinator.stdout.close()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self):
        """Ends everything in order; returns the exit statuses."""
        statuses = []
        for process in self.workers + [self.coordinator]:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            statuses.append(process.wait(timeout=30))
        self.release()
        return statuses


class TestCase(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="zonda-cli-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def cluster(self, *args, **options):
        cluster = Cluster(*args, **options)
        self.addCleanup(cluster.kill)
        return cluster

    def hosts_that_share_no_files(self):
        """A cluster of two workers."""
        # What another machine is: another name, and a scratch folder that nobody else sees.
        alone = ["unshare", "--uts", "--mount", "sh", "-c",
                 'hostname "$0" && mount -t tmpfs none "$TMPDIR" && exec "$@"']
        probe = subprocess.run([*alone, "probe", "true"], env={**os.environ, "TMPDIR": str(self.folder)},
                               stderr=subprocess.DEVNULL, check=False)
        if probe.returncode != 0:
            self.skipTest("processes cannot get a host name and mounts of their own here")
        cluster = self.cluster(workers=0, slots=1)
        cluster.workers += [cluster.add_worker([*alone, name]) for name in ("left", "right")]
        wait_until(lambda: zonda("workers", "--connect", cluster.endpoint).stdout.count("\n") >= 3)
        return cluster

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def expect(self, result, status, *words):
        """Checks the exit status and that standard error has all these words."""
        self.assertEqual(result.returncode, status, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        return result

    def files(self, folder=None):
        """Names of all files, without the manifests of outputs."""
        base = self.folder if folder is None else folder
        return sorted(str(p.relative_to(base)) for p in base.rglob("*")
                      if p.is_file() and not p.name.endswith(MANIFEST))


def closed_port():
    """A tcp endpoint where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"
