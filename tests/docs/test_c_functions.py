#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The page on functions in C works as printed: its files are written, its commands run in order, and each gives
the output that stands below it."""
import os
import re
import shutil
import subprocess
import unittest

from harness import PROGRAM, ROOT, TestCase


class CFunctions(TestCase):
    def test_page_works_as_printed(self):
        shutil.copytree(ROOT / "docs" / "reference" / "data", self.folder / "data")
        build = os.environ["ZONDA_BUILD"]
        sanitize = os.environ["SANITIZE"]
        # pkg-config describes the build as if it were installed; cc gets the build's sanitizers.
        self.write("bin/cc", f"#!/bin/sh\nexec {shutil.which('cc')} {sanitize} \"$@\"\n").chmod(0o755)
        env = {**os.environ, "PKG_CONFIG_PATH": f"{build}/meson-uninstalled", "LD_LIBRARY_PATH": f"{build}/src",
               "PATH": os.path.dirname(PROGRAM) + ":" + os.environ["PATH"]}
        if sanitize:
            env["PATH"] = f"{self.folder}/bin:" + env["PATH"]
        page = (ROOT / "docs" / "c-functions.md").read_text()
        output, examples = None, 0
        for language, file, text in re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", page, re.M | re.S):
            if file:
                self.write(file, text)
            elif language == "sh":
                result = subprocess.run(["sh", "-ec", text], cwd=self.folder, env=env, capture_output=True, text=True,
                                        stdin=subprocess.DEVNULL, timeout=120)
                self.assertEqual(result.returncode, 0, result.stderr)
                output, examples = result.stdout, examples + 1
            elif language == "text":
                self.assertEqual(output, text)
        self.assertEqual(examples, 3)


if __name__ == "__main__":
    unittest.main()
