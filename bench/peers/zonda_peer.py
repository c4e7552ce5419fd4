# SPDX-License-Identifier: MPL-2.0
"""Zonda: a coordinator and a worker with two process slots, over tcp on one machine. Pipelines are run by the program, with functions
in C (functions.c); tasks that do nothing, and single ones, go through the C interface."""
import contextlib
import ctypes
import os
import pathlib
import subprocess

TITLE = "Zonda"
REQUIREMENTS = []
PROGRAMS = []
SKIP = {}
TASKS = {"noop": 2_000_000, "calls": 40_000_000, "process": 4_000}


class Range(ctypes.Structure):
    _fields_ = [("shards", ctypes.c_uint64)]


class Function(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int), ("text", ctypes.c_char_p), ("plugin", ctypes.c_void_p)]


class Counter(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("sum", ctypes.c_int64), ("min", ctypes.c_int64), ("max", ctypes.c_int64),
                ("count", ctypes.c_uint64)]


LUA_EXPRESSION = 2
ERROR_BYTES = 1 << 16  # of zonda_error, and more


class Cluster:
    def __init__(self, job):
        self.job, self.program = job, job.build + "/zonda"
        self.coordinator = subprocess.Popen([self.program, "coordinator", "--quiet", "--bind", "tcp://127.0.0.1:*"],
                                            stdout=subprocess.PIPE, text=True)
        self.endpoint = self.coordinator.stdout.readline().split()[1]
        self.worker = subprocess.Popen([self.program, "worker", "--quiet", "--connect", self.endpoint, "--slots", "2",
                                        "--scratch", job.scratch])
        self.library = ctypes.CDLL(job.build + "/src/libzonda.so")
        for name in ("cluster_connect", "from_range", "filter", "execute", "result_counters"):
            getattr(self.library, "zonda_" + name).restype = ctypes.c_void_p
        self.error = ctypes.create_string_buffer(ERROR_BYTES)
        self.handle = ctypes.c_void_p(self.library.zonda_cluster_connect(self.endpoint.encode(), None, self.error))
        assert self.handle, "no cluster"

    def run(self, *verbs):
        """The output of a pipeline."""
        return subprocess.run([self.program, "run", "--quiet", "--connect", self.endpoint, "--plugin",
                               self.job.build + "/bench/peers/peer_functions.so", *map(str, verbs)],
                              check=True, stdout=subprocess.PIPE, text=True).stdout

    def execute(self, tasks):
        """Runs tasks that do nothing through the C interface; returns how many there were."""
        library = self.library
        dataset = library.zonda_from_range(ctypes.c_uint64(tasks), ctypes.byref(Range(tasks)))
        dataset = ctypes.c_void_p(library.zonda_filter(ctypes.c_void_p(dataset), Function(LUA_EXPRESSION, b"false", None)))
        result = ctypes.c_void_p(library.zonda_execute(self.handle, dataset, None, self.error))
        library.zonda_dataset_destroy(ctypes.byref(dataset))
        assert result, "the execution failed"
        count = ctypes.c_size_t()
        address = library.zonda_result_counters(result, ctypes.byref(count))
        counters = (Counter * count.value).from_address(address)
        done = sum(c.sum for c in counters if c.name == b"records_in")
        library.zonda_result_destroy(ctypes.byref(result))
        return done

    def close(self):
        self.library.zonda_cluster_close(ctypes.byref(self.handle))
        for process in (self.worker, self.coordinator):
            process.terminate()
            process.wait()


@contextlib.contextmanager
def cluster(job):
    open_cluster = Cluster(job)
    try:
        yield open_cluster
    finally:
        open_cluster.close()


def start(job):
    """The command whose time from start to result is the start row."""
    return [job.build + "/zonda", "run", "--quiet", "from-list", "1", "then", "count"]


def source(job):
    """The files of a work as a pattern."""
    return os.path.join(os.path.dirname(job.inputs[0]), "*" + pathlib.Path(job.inputs[0]).suffix)


def one(zonda, job):
    assert zonda.execute(1) == 1


def noop(zonda, job):
    return zonda.execute(job.tasks)


def calls(zonda, job):
    return int(zonda.run("from-range", job.tasks, "--shards", job.tasks // job.batch, "then", "map", "@same", "then", "count"))


def process(zonda, job):
    return int(zonda.run("from-range", job.tasks, "--shards", 64, "then", "each", "/bin/true", "then", "count"))


def jsonl(zonda, job):
    zonda.run("read", source(job), "then", "filter", f"size > {job.minimum}", "then", "write", job.out + "/{shard:05d}.jsonl")


def wordcount(zonda, job):
    zonda.run("read", source(job), "then", "flat-map", "@words", "then", "aggregate", "n=count()", "--by", "w", "then",
              "write", job.out + "/{shard:05d}.jsonl")


def group_by(zonda, job):
    zonda.run("read", source(job), "then", "group-by", "k", "--sort-by", "n", "--reduce", "@join", "then", "write",
              job.out + "/{shard:05d}.jsonl")
