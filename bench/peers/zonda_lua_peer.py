# SPDX-License-Identifier: MPL-2.0
"""Zonda again, with functions in Lua, as the others have theirs in Python."""
from zonda_peer import cluster, one, source  # noqa: F401

TITLE = "Zonda, Lua"
REQUIREMENTS = []
PROGRAMS = []
SKIP = {"one": "as Zonda", "noop": "as Zonda", "process": "as Zonda", "jsonl": "as Zonda: the filter is a Lua expression"}
TASKS = {"calls": 10_000_000}


def calls(zonda, job):
    return int(zonda.run("from-range", job.tasks, "--shards", job.tasks // job.batch, "then", "map", "r", "then", "count"))


def wordcount(zonda, job):
    zonda.run("read", source(job), "then", "flat-map", "for w in r:gmatch('%S+') do emit({ w = w }) end", "then", "aggregate",
              "n=count()", "--by", "w", "then", "write", job.out + "/{shard:05d}.jsonl")


def group_by(zonda, job):
    zonda.run("read", source(job), "then", "group-by", "k", "--sort-by", "n", "--reduce",
              "local t = {} for r in rows do t[#t + 1] = r.t end return { k = key, n = #t, t = table.concat(t) }", "then",
              "write", job.out + "/{shard:05d}.jsonl")
