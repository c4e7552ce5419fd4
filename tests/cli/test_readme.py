#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Runs the examples of the README: the command line, the script and the C program do what it says, and the
same."""
import os
import re
import subprocess
import unittest

from harness import PROGRAM, ROOT, TestCase, zonda


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)


class Readme(TestCase):
    def setUp(self):
        super().setUp()
        (self.folder / "examples").symlink_to(ROOT / "examples")

    def outputs(self):
        files = sorted((self.folder / "out").glob("[!.]*"))
        contents = [f.read_bytes() for f in files]
        for file in files:
            file.unlink()
        self.assertEqual(len(contents), 4)
        self.assertGreater(sum(map(len, contents)), 1000)
        return contents

    def test_examples_run_and_agree(self):
        (command,) = blocks("sh")
        path = os.path.dirname(PROGRAM) + ":" + os.environ["PATH"]
        subprocess.run(["sh", "-ec", command], cwd=self.folder, env={**os.environ, "PATH": path},
                       check=True, capture_output=True)
        expected = self.outputs()

        (script,) = blocks("lua")
        self.write("large.lua", script)
        self.expect(zonda("run", "large.lua", "10000", cwd=self.folder), 0)
        self.assertEqual(self.outputs(), expected)

        (program,) = blocks("c")
        self.write("main.c", program)
        library = os.environ["ZONDA_LIBRARY_FOLDER"]
        flags = subprocess.run(["pkg-config", "--cflags", "msgpack"], capture_output=True, text=True).stdout.strip()
        subprocess.run(f"cc -std=c11 -Wall -Werror $SANITIZE {flags} -I{ROOT}/include main.c -o main "
                       f"-L{library} -lzonda -Wl,-rpath,{library}", shell=True, cwd=self.folder,
                       check=True)
        subprocess.run(["./main"], cwd=self.folder, check=True)
        self.assertEqual(self.outputs(), expected)


if __name__ == "__main__":
    unittest.main()
