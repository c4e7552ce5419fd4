# SPDX-License-Identifier: MPL-2.0
"""Random plans that make sense: `plan_of(seed)` gives a chain of operators with its input files, always
the same for a seed. Records of sources are rows, maps with the fields k (any key), v (a small integer)
and, in large plans, t (a text that only fills memory). Operators keep them rows, or end the chain with
values of any shape, on which only operators that take any record go on."""
import json
import random

import twins
from case import Plan, expr, z

KEYS = [None, False, True, -3, 0, 1, 1.0, 2, 2.5, 7, "", "a", "b", "ab", "ž", [], [1], [1, "a"], [None],
        {"a": 1}, {"a": 1, "b": 2}]
PLAIN_KEYS = [-3, -2, -1, 0, 1, 2, 3, "", "a", "b", "ab"]
HOWS = ["inner", "left", "right", "full", "semi", "anti"]
ROW_KEYS = ["k", "v", ["k", "v"], ["v", "k"], expr(twins.FIELD_K), expr(twins.V_MODULO_5)]


class Maker:
    """Makes one plan. `scale` is how many records sources have, `padding` the length of t."""

    def __init__(self, seed, scale, padding):
        self.random = random.Random(seed)
        self.scale, self.padding = scale, padding
        self.files = {}
        self.wide_left = 4  # of the whole plan, so that no plan explodes

    def chance(self, share):
        return self.random.random() < share

    def one(self, *choices):
        return self.random.choice(choices)

    # sources

    def row(self):
        row = {"k": self.random.choice(self.keys), "v": self.random.randrange(-20, 20)}
        if self.padding > 0:
            row["t"] = self.random.choice("abcdefgh") * self.random.randrange(self.padding)
        if self.chance(0.05):
            del row["k"]
        return row

    def file(self, count):
        return "".join(json.dumps(self.row(), ensure_ascii=False) + "\n" for _ in range(count))

    def source(self):
        self.keys = self.one(KEYS, PLAIN_KEYS, PLAIN_KEYS[:2], list(range(200)))
        if self.padding == 0 and self.chance(0.2):
            return z.from_list([self.row() for _ in range(self.random.randrange(9))])
        if self.padding == 0 and self.chance(0.3):
            return z.from_range(self.random.randrange(self.scale), shards=self.random.randrange(1, 9)) \
                .map(twins.PAIR_OF_NUMBER)
        name = f"in{len(self.files)}-"
        for i in range(self.random.randrange(1, 6)):
            count = 0 if self.chance(0.2) else self.random.randrange(self.scale)
            self.files[f"{name}{i}.jsonl"] = self.file(count)
        return z.read(f"DIR/{name}*.jsonl")

    # operators on rows

    def shards(self):
        return {"shards": self.random.randrange(1, 12)} if self.chance(0.6) else {}

    def narrow(self, plan):
        return self.one(lambda: plan.filter(twins.SMALL_V), lambda: plan.flat_map(twins.TWICE),
                        lambda: plan.map(twins.ADD_ONE_TO_V), lambda: plan.limit(self.random.randrange(300)),
                        lambda: plan.take_per_shard(self.random.randrange(60)), lambda: plan.filter(twins.NEVER)
                        if self.chance(0.1) else plan)()

    def group_by(self, plan):
        options = self.shards()
        if self.chance(0.4):
            options["sort_by"] = self.random.choice(ROW_KEYS)
            options["descending"] = self.chance(0.5)
        reduce = self.one(twins.ALL_ROWS, twins.FIRST_ROW, twins.LAST_TWO, twins.ADD_UP_V)
        if reduce == twins.ADD_UP_V and self.chance(0.5):
            return plan.group_by("k", reduce=reduce, combine=twins.ADD_UP_V, **options)
        key = "k" if reduce == twins.ADD_UP_V else self.random.choice(ROW_KEYS)
        return plan.group_by(key, reduce=reduce, **options)

    def deduplicate(self, plan):
        return plan.deduplicate(self.random.choice(ROW_KEYS), **self.shards())

    def sort(self, plan):
        return plan.sort(self.random.choice(ROW_KEYS), **self.shards(),
                         **({"descending": True} if self.chance(0.4) else {}))

    def reshard(self, plan):
        return plan.reshard(self.random.randrange(1, 12))

    def union(self, plan):
        return plan.union(*[self.rows(2) for _ in range(self.random.randrange(1, 3))])

    def join(self, plan):
        how = self.random.choice(HOWS)
        options = {"how": how, "broadcast": False, **self.shards()}
        if how not in ("right", "full") and self.chance(0.4):
            options = {"how": how, "broadcast": True}
        if how not in ("semi", "anti"):
            options["suffix"] = "_r"
        # Few pairs of each key, or the product explodes.
        right = self.rows(2).deduplicate(["k", "v"], shards=self.random.randrange(1, 5))
        on = self.one("k", ["k", "v"])
        joined = plan.deduplicate(["k", "v"]).join(right, on=on, **options)
        return joined if how in ("semi", "anti") else joined.map(twins.KEY_AND_VALUE)

    def sorted_merge_join(self, plan):
        shards = self.random.randrange(1, 6)
        how = self.random.choice(HOWS)
        options = {} if how in ("semi", "anti") else {"suffix": "_r"}
        return plan.deduplicate("k", shards=shards).sorted_merge_join(
            self.rows(2).deduplicate("k", shards=shards), on="k", how=how, **options).map(twins.KEY_AND_VALUE)

    def aggregate(self, plan):
        by = self.one("k", "k", ["k", "v"], None)
        exprs = {name: text for name, text in
                 (("n", "count()"), ("s", "sum(v)"), ("lo", "min(v)"), ("hi", "max(k)"), ("f", "first(k)"),
                  ("e", "last(v)"), ("l", "list(v)"), ("d", "distinct(k)")) if self.chance(0.5)} or {"n": "count()"}
        exprs = dict(sorted(exprs.items()))  # as Lua has them
        return plan.aggregate(exprs, **({"by": by} if by is not None else {}))

    def wide(self, plan):
        self.wide_left -= 1
        return self.one(self.group_by, self.group_by, self.deduplicate, self.sort, self.sort, self.reshard,
                        self.join, self.join, self.sorted_merge_join)(plan)

    def rows(self, length):
        plan = self.source()
        for _ in range(self.random.randrange(length + 1)):
            if self.chance(0.15) and length > 2:
                plan = self.union(plan)
            elif self.chance(0.6) and self.wide_left > 0:
                plan = self.wide(plan)
            else:
                plan = self.narrow(plan)
        return plan

    # the end of a chain: values of any shape

    def end(self, plan):
        return self.one(*[lambda: plan] * 6, lambda: plan.count(), lambda: plan.limit(self.random.randrange(9)),
                        lambda: plan.group_by("k", reduce=twins.LIST_OF_V, **self.shards()),
                        lambda: plan.group_by("k", reduce=twins.COUNT_ROWS, **self.shards()).sort("n"),
                        lambda: plan.group_by("v", reduce=twins.KEY_ALONE).sort(expr(twins.SELF)).reshard(3),
                        lambda: plan.map(twins.FIELD_V).reduce(twins.LARGER),
                        lambda: plan.map(twins.FIELD_V).deduplicate(expr(twins.SELF)).limit(5),
                        lambda: self.aggregate(plan), lambda: self.aggregate(plan))()


def plan_of(seed, scale=200, padding=0):
    """The plan and its files."""
    maker = Maker(seed, scale, padding)
    plan = maker.end(maker.wide(maker.rows(4)))
    assert isinstance(plan, Plan)
    return plan, maker.files
