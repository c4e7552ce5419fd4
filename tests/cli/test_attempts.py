#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""How often a task is tried, told on the command line."""

import unittest

from harness import TestCase, zonda

FAILING = ("from-list", "1", "then", "map", 'error("it broke")')


class Attempts(TestCase):
    def test_retries_are_those_asked_for(self):
        self.expect(zonda("run", *FAILING), 1, "it broke", "attempt 3", "user error: 3 of 3 attempts failed",
                    "attempt 1 on worker", "attempt 2 on worker")
        self.expect(zonda("run", "--retries", "0", *FAILING), 1, "it broke", "attempt 1")
        self.expect(zonda("run", "--retries", "3", *FAILING), 1, "it broke", "attempt 4")

    def test_numbers_that_make_no_sense_are_refused(self):
        for option, value in [("--retries", "-1"), ("--retries", "1000"), ("--infra-retries", "many"),
                              ("--crash-retries", "1.5"), ("--hang-timeout", "0"), ("--hang-timeout", "86401")]:
            self.expect(zonda("run", option, value, "from-list", "1"), 2, option, value)

    def test_options_do_not_change_results(self):
        result = zonda("run", "--infra-retries", "5", "--crash-retries", "0", "--hang-timeout", "60", "--no-backups",
                       "from-range", "100", "then", "count")
        self.assertEqual(self.expect(result, 0).stdout, "100\n")

    def test_a_hung_task_is_found_and_named(self):
        """Code that neither returns nor asks whether it is to end: the attempt is ended and the error says so."""
        cluster = self.cluster(workers=1)
        result = cluster.run("--quiet", "--hang-timeout", "1", "--crash-retries", "0", "--lua-instructions",
                             "1000000000000", "from-list", "1", "then", "map", "(function() while true do end end)()")
        self.expect(result, 1, "read and gave no record", "was killed", "crash: 1 of 1 attempts failed")
        self.assertEqual(cluster.close(), [0, 0])


if __name__ == "__main__":
    unittest.main()
