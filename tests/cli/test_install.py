#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What `meson install` puts down works for somebody who knows only pkg-config: a program builds against the
installed headers and the shared and the static library, and runs."""
import os
import subprocess
import unittest

from harness import TestCase

PROGRAM = """
#include <stdio.h>
#include <zonda/zonda.h>

int main(void) {
    zonda_error error = { 0 };
    zonda_cluster *cluster = zonda_cluster_open_local(NULL, &error);
    zonda_dataset *ds = zonda_count(zonda_from_range(10, NULL));
    zonda_result *result = zonda_execute(cluster, ds, NULL, &error);
    const void *record = NULL;
    size_t bytes = 0;
    bool got = false;
    zonda_result_next(result, &record, &bytes, &got, &error);
    printf("%d\\n", got ? *(const unsigned char *)record : -1);
    zonda_result_destroy(&result);
    zonda_dataset_destroy(&ds);
    zonda_cluster_close(&cluster);
    return error.code;
}
"""


class Install(TestCase):
    def test_installed_library_builds_and_runs_a_program(self):
        subprocess.run(["meson", "install", "-C", os.environ["ZONDA_BUILD"], "--no-rebuild",
                        "--destdir", self.folder / "root"], check=True, capture_output=True)
        (found,) = self.folder.rglob("zonda.pc")
        prefix = next(line.split("=")[1] for line in found.read_text().splitlines()
                      if line.startswith("prefix="))
        folder = str(found.parent.parent)
        root = str(self.folder / "root") + prefix
        self.write("main.c", PROGRAM)
        env = {**os.environ, "PKG_CONFIG_PATH": str(found.parent)}

        def pkg_config(*words):
            return subprocess.run(["pkg-config", "--define-variable=prefix=" + root, *words], env=env,
                                  check=True, capture_output=True, text=True).stdout.split()

        # Our archive with the shared libraries that it needs: `pkg-config --static` would ask for
        # archives of those too, which distributions seldom have.
        needed = pkg_config("--print-requires-private", "zonda")
        needed = [word for word in needed if word[0].isalpha()]
        archive = [folder + "/libzonda.a", *pkg_config("--libs", "msgpack", *needed), "-lstdc++", "-pthread"]
        for kind, libraries in (("shared", pkg_config("--libs", "zonda")), ("static", archive)):
            with self.subTest(kind=kind):
                subprocess.run(["cc", "-std=c11", "main.c", "-o", "main", *os.environ["SANITIZE"].split(),
                                "-I" + root + "/include", *pkg_config("--cflags", "msgpack"), *libraries],
                               cwd=self.folder, check=True)
                out = subprocess.run([self.folder / "main"], check=True, capture_output=True, text=True,
                                     env={**os.environ, "LD_LIBRARY_PATH": folder}).stdout
                self.assertEqual(out, "10\n")
        version = subprocess.run([root + "/bin/zonda", "--version"], capture_output=True, text=True,
                                 env={**os.environ, "LD_LIBRARY_PATH": folder})
        self.assertTrue(version.stdout.startswith("zonda "), version.stderr)


if __name__ == "__main__":
    unittest.main()
