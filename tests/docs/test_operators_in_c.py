#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""docs/operators-in-c.md does what it says: its files are written under the names that stand above them, its
commands run in order, as printed, and give the output below them. Also over tcp, and so does examples/plugin.c."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from harness import DATA, PROGRAM, ROOT, Cluster, TestCase, zonda

PAGE = ROOT / "docs" / "operators-in-c.md"
BLOCK = re.compile(r"(?:^`([\w.]+)`:\n\n)?^```(\w+)\n(.*?)^```", re.M | re.S)


class OperatorsInC(TestCase):
    def setUp(self):
        super().setUp()
        shutil.copytree(ROOT / "docs" / "reference" / "data", self.folder / "data")
        build = pathlib.Path(os.environ["ZONDA_BUILD"])
        # `cc` and `pkg-config zonda` find what was just built, as they would what is installed.
        (self.folder / "bin").mkdir()
        compiler = self.folder / "bin" / "cc"
        compiler.write_text(f'#!/bin/sh\nexec {shutil.which("cc")} $SANITIZE "$@"\n')
        compiler.chmod(0o755)
        self.env = {**os.environ, "PKG_CONFIG_PATH": str(build / "meson-uninstalled"),
                    "LD_LIBRARY_PATH": str(build / "src"), "ASAN_OPTIONS": "verify_asan_link_order=0",
                    "PATH": f"{self.folder}/bin:{os.path.dirname(PROGRAM)}:{os.environ['PATH']}"}

    def shell(self, command):
        result = subprocess.run(["sh", "-ec", command], cwd=self.folder, env=self.env, capture_output=True,
                                text=True, stdin=subprocess.DEVNULL, timeout=120)
        self.assertEqual(result.returncode, 0, f"{command}\n{result.stderr}")
        return result.stdout

    def run_page(self):
        """Does what the page says; returns its commands that use the plug-in with their outputs."""
        commands, output = [], ""
        for name, language, text in BLOCK.findall(PAGE.read_text()):
            if name:
                self.write(name, text)
            elif language == "sh":
                output = self.shell(text)
                commands.append((text, output))
            elif language == "text":
                self.assertEqual(output, text)
        return commands

    def test_page_works_as_printed(self):
        self.assertEqual(len(self.run_page()), 6)

    def test_same_over_tcp(self):
        commands = self.run_page()
        shutil.rmtree(self.folder / "out")
        cluster = Cluster("tcp")
        self.addCleanup(cluster.kill)
        # Workers find the input under the same names as the driver.
        cluster.workers[:] = [self.restart(cluster, worker) for worker in cluster.workers]
        for command, output in commands:
            command = command.replace("zonda run", f"zonda run --connect {cluster.endpoint}")
            command = command.replace("./driver ", f"./driver {cluster.endpoint} ")
            self.assertEqual(self.shell(command), output)
        cluster.close()

    def restart(self, cluster, worker):
        worker.terminate()
        worker.wait(timeout=30)
        return subprocess.Popen([PROGRAM, "worker", "--connect", cluster.endpoint, "--slots", "2"],
                                cwd=self.folder, stderr=cluster.log)

    def test_example_plugin_works(self):
        self.shell(f"cc -std=c11 -Wall -Wextra -Werror -shared -fPIC -o plugin.so {ROOT}/examples/plugin.c "
                   "$(pkg-config --cflags zonda)")
        read = ["--plugin", self.folder / "plugin.so", "read", f"{DATA}/packages-*.jsonl.zst"]
        short = self.expect(zonda("run", *read, "then", "map", "@shorten", "then", "map", "@number"), 0)
        records = [json.loads(line) for line in short.stdout.splitlines()]
        self.assertGreater(len(records), 2000)
        shards = [[r[1] for r in records if r[0] == shard] for shard in range(4)]
        for numbers in shards:
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        self.assertLessEqual(max(len(r[2]["description"].encode()) for r in records), 40)
        script = self.write("large.lua", f"""
          local p = zonda.plugin("{self.folder}/plugin.so")
          zonda.put("minimum", 100000)
          local large = zonda.read("{DATA}/packages-*.jsonl.zst"):filter(p.is_large)
          return {{ large:count(), large:filter(function(r) return r.installed_size <= 100000 end):count() }}""")
        count, wrong = self.expect(zonda("run", script), 0).stdout.split()
        self.assertGreater(int(count), 0)
        self.assertEqual(wrong, "0")


if __name__ == "__main__":
    unittest.main()
