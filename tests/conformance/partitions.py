# SPDX-License-Identifier: MPL-2.0
"""Where keys go, asked of the product: see partition.c."""
import os
import subprocess

from faces import json_text


class Partitions:
    """Where keys go, asked of the product: any fixed answer is right, so the model has none of its own."""

    def __init__(self):
        self.process = subprocess.Popen([os.environ["PARTITION_PROGRAM"]], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.known = {}

    def __call__(self, key, count):
        question = json_text([key, count])
        if question not in self.known:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
            self.known[question] = int(self.process.stdout.readline())
        return self.known[question]

    def close(self):
        self.process.stdin.close()
        return self.process.wait()
