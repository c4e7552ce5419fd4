#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Wide operators on real data: what a few lines of Python compute of the package index is what pipelines
give, byte by byte, in process and on a cluster, with much memory and with little. With WIDE_DATA the same
runs on other files of packages, for instance the whole index."""
import glob
import json
import os
import subprocess
import unittest

from harness import DATA, TestCase, zonda

GLOB = os.environ.get("WIDE_DATA", f"{DATA}/packages-*.jsonl.zst")
COUNT_AND_SIZE = "local n, s = 0, 0 for r in rows do n = n + 1 s = s + r.size end emit({ n = n, section = key, size = s })"
NAMES_NEEDED = "for _, d in ipairs(r.depends or {}) do emit({ package = r.package, needs = d:match('^[^ ]+') }) end"


# --- the script: everything in memory, nothing clever

def packages():
    for path in sorted(glob.glob(GLOB)):
        text = subprocess.run(["zstd", "-qdc", path], capture_output=True, check=True).stdout
        yield from (json.loads(line) for line in text.splitlines())


def lines(records):
    return "".join(json.dumps(r, separators=(",", ":"), ensure_ascii=False) + "\n" for r in records).encode()


def sections():
    totals = {}
    for p in packages():
        n, size = totals.get(p["section"], (0, 0))
        totals[p["section"]] = (n + 1, size + p["size"])
    return lines({"n": n, "section": s, "size": size} for s, (n, size) in sorted(totals.items()))


def needed():
    versions = {}
    for p in packages():
        versions.setdefault(p["package"], []).append(p["version"])
    found = [{"needs": d.split(" ")[0], "package": p["package"], "version": v}
             for p in packages() for d in p.get("depends", []) for v in versions.get(d.split(" ")[0], [])]
    return lines(sorted(found, key=lambda r: (r["package"], r["needs"])))


def in_order():
    return lines(sorted(packages(), key=lambda p: (p["section"].encode(), p["size"], p["package"].encode())))


# --- the same as pipelines

READ = ["read", GLOB, "then"]
PIPELINES = {
    "sections by group_by": (sections, [*READ, "group-by", "section", "--reduce", COUNT_AND_SIZE, "--shards", "3",
                                        "then", "sort", "section"]),
    "sections by aggregate": (sections, [*READ, "aggregate", "n=count(),size=sum(size)", "--by", "section", "then",
                                         "select", "n,section,size", "then", "sort", "section"]),
    "needed": (needed, [*READ, "flat-map", NAMES_NEEDED, "then", "join", GLOB, "--left-on", "needs", "--right-on",
                        "package", "--broadcast=false", "--combine",
                        "{ needs = left.needs, package = left.package, version = right.version }",
                        "then", "sort", "package,needs"]),
    "needed by broadcast": (needed, [*READ, "flat-map", NAMES_NEEDED, "then", "join", GLOB, "--left-on", "needs",
                                     "--right-on", "package", "--broadcast", "--combine",
                                     "{ needs = left.needs, package = left.package, version = right.version }",
                                     "then", "sort", "package,needs"]),
    "in order": (in_order, [*READ, "sort", "section,size,package"]),
}


class OnData(TestCase):
    def give(self, run, verbs, folder):
        """What the files have that a pipeline writes, by name."""
        out = self.folder / folder
        self.expect(run(*verbs, "then", "write", f"{out}/{{shard:03d}}.jsonl", timeout=600), 0)
        return {name: (out / name).read_bytes() for name in self.files(out)}

    def test_pipelines_give_what_the_script_gives(self):
        cluster = self.cluster(workers=2, slots=1)

        def local(*words, **options):
            return zonda("run", "--slots", "2", *words, **options)

        def small(*words, **options):
            return zonda("run", "--slots", "2", "--memory", "8M", *words, **options)
        for name, (script, verbs) in PIPELINES.items():
            with self.subTest(name):
                wanted = script()
                self.assertGreater(len(wanted), 1000)
                once = self.give(local, verbs, name + "/local")
                self.assertEqual(b"".join(once[file] for file in sorted(once)), wanted)
                self.assertEqual(self.give(small, verbs, name + "/small"), once)
                self.assertEqual(self.give(cluster.run, verbs, name + "/cluster"), once)
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_scripts_say_the_same(self):
        script = self.write("sections.lua", f"""
            return zonda.read({json.dumps(GLOB)})
              :group_by{{ key = function(r) return r.section end,
                         reduce = function(section, rows)
                           local n, size = 0, 0
                           for r in rows do n, size = n + 1, size + r.size end
                           return {{ section = section, n = n, size = size }}
                         end, shards = 4 }}
              :sort{{ by = "section" }}""")
        self.assertEqual(self.expect(zonda("run", script), 0).stdout.encode(), sections())


if __name__ == "__main__":
    unittest.main()
