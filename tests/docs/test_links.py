#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What the documents point at is there: links to files and headings, and paths in the text."""
import re
import unittest

from harness import ROOT

TOP = ["README.md", "CONTRIBUTING.md", "bench/README.md"]
PAGES = [ROOT / name for name in TOP] + sorted((ROOT / "docs").rglob("*.md"))
FOLDERS = r"(?:src|include|tests|docs|scripts|examples|bench)"


def anchors(page):
    """The names that headings of a page have as link targets."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


class Links(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for page in PAGES:
            text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"https?://", target):
                    continue
                with self.subTest(page=str(page.relative_to(ROOT)), target=target):
                    path, _, anchor = target.partition("#")
                    file = page.parent / path if path else page
                    self.assertTrue(file.exists())
                    if anchor:
                        self.assertIn(anchor, anchors(file))

    def test_paths_in_the_text_exist(self):
        for page in PAGES:
            for path in re.findall(rf"`({FOLDERS}/[\w./-]+)`", page.read_text()):
                with self.subTest(page=str(page.relative_to(ROOT)), path=path):
                    self.assertTrue((ROOT / path).exists())

    def test_every_layer_is_in_the_map(self):
        text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
        for layer in sorted(p.name for p in (ROOT / "src").iterdir() if p.is_dir()):
            self.assertIn(f"| `src/{layer}` |", text)


if __name__ == "__main__":
    unittest.main()
