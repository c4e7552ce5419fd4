# SPDX-License-Identifier: MPL-2.0
"""A naive model of the language: what a plan of case.py must give, computed in memory by a few lines
of Python per operator, from what the reference says and from nothing else.

A dataset is a list of shards, each a list of records. Two operators leave open where one shard ends
and the next begins (sort cuts by samples, reshard by bytes): then `exact` is false, only the records
in their order and the number of shards are known, and what depends on the cuts is not modelled.
Which partition a key belongs to is asked of `partition(key, count)`, because any fixed answer is
right. Functions are Lua in a plan; their meaning is found by their text in twins.py.

What the model does not know raises NotModelled; a plan that must fail raises Fails."""
import fractions
import functools
import itertools
import json
import math

from case import Plan, expr, fn, lua, plug
from twins import MISSING, TWINS

SHARDS_MAX_BY_DEFAULT = 256
RANGE_MAX = 100_000


class NotModelled(Exception):
    pass


class Fails(Exception):
    """The plan fails with this code."""


class Data:
    def __init__(self, shards, exact=True):
        self.shards, self.exact = shards, exact

    def flat(self):
        return [record for shard in self.shards for record in shard]

    def cut(self):
        """The shards, for an operator whose result depends on the cuts between them."""
        if not self.exact and len(self.shards) > 1:
            raise NotModelled("where the shards are cut")
        return self.shards

    def each(self, function):
        """A narrow operator that sees one record at a time."""
        return Data([[out for r in shard for out in function(r)] for shard in self.shards], self.exact)


# --- values and keys

def key_order(value):
    """A key as something that Python compares as keys compare."""
    if value is None or value is MISSING:
        return (0,)
    if isinstance(value, bool):
        return (2,) if value else (1,)
    if isinstance(value, (int, float)):
        if value != value:
            raise Fails("BAD_RECORD")
        infinite = isinstance(value, float) and math.isinf(value)
        return (3, value if infinite else fractions.Fraction(value))
    if isinstance(value, str):
        return (4, value.encode())
    if isinstance(value, bytes):
        return (5, value)
    if isinstance(value, list):
        return (6, tuple(map(key_order, value)))
    return (7, tuple((name.encode(), key_order(value[name]))
                     for name in sorted(value, key=str.encode)))


class Inverted:
    """The other way round, for descending order."""

    def __init__(self, order):
        self.order = order

    def __lt__(self, other):
        return other.order < self.order

    def __eq__(self, other):
        return self.order == other.order


def key_value(value):
    """A key as operators give it back: whole numbers are integers, fields of maps are sorted."""
    if value is MISSING:
        return None
    if isinstance(value, float) and value.is_integer() and -2**63 <= value < 2**64:
        return int(value)
    if isinstance(value, list):
        return [key_value(item) for item in value]
    if isinstance(value, dict):
        return {name: key_value(value[name]) for name in sorted(value, key=str.encode)}
    return value


def has_null(value):
    return value is None or isinstance(value, list) and any(item is None for item in value)


def field_of(record, path):
    """A field, the whole name first, then "a.b" as nested."""
    if not isinstance(record, dict):
        return MISSING
    if path in record:
        return record[path]
    head, dot, rest = path.partition(".")
    return field_of(record[head], rest) if dot and head in record else MISSING


def key_function(key):
    """What an argument that is a key means: record → value."""
    if isinstance(key, expr):
        function = twin(key)
        return lambda r: None if function(r) is MISSING else function(r)
    if isinstance(key, (fn, lua, plug)):
        raise NotModelled("a key of a function that has no twin")
    if isinstance(key, list):
        return lambda r: [None if field_of(r, name) is MISSING else field_of(r, name) for name in key]
    return lambda r: None if field_of(r, key) is MISSING else field_of(r, key)


def twin(text):
    if text not in TWINS:
        raise NotModelled(f"the function {text!r}")
    return TWINS[text]


def given(value):
    """What a function gave, as a record."""
    return None if value is MISSING else value


# --- sources and narrow operators

def spread(count, shards):
    """Shard i of `shards` has the records from count*i/shards on."""
    return [list(range(count * i // shards, count * (i + 1) // shards)) for i in range(shards)]


def from_list(model, items):
    return Data([[item] for item in items])


def from_range(model, count, shards=None):
    if shards is None or count > RANGE_MAX:
        raise NotModelled("how many shards there are by default, and very long ranges")
    return Data(spread(count, shards) if count > 0 else [])


def read(model, glob, **options):
    if options or not glob.endswith(".jsonl"):
        raise NotModelled("options and formats of read")
    paths = model.match(glob.removeprefix("DIR/"))
    return Data([[json.loads(line) for line in model.given[path].splitlines() if line.strip()]
                 for path in paths])


def map_records(model, data, text):
    function = twin(text)
    return data.each(lambda r: [given(function(r))])


def filter_records(model, data, text):
    function = twin(text)
    return data.each(lambda r: [r] if function(r) not in (None, False, MISSING) else [])


def flat_map(model, data, text):
    return data.each(twin(text))


def select(model, data, *fields):
    return data.each(lambda r: [{name: field_of(r, name) for name in fields
                                 if field_of(r, name) is not MISSING}])


def take_per_shard(model, data, count):
    return Data([shard[:count] for shard in data.cut()])


def window(model, data, count):
    return Data([[shard[i:i + count] for i in range(0, len(shard), count)] for shard in data.cut()])


def limit(model, data, count):
    return Data([data.flat()[:count]] if data.shards else [])


def union(model, data, *others):
    others = [model.run(other) for other in others]
    return Data(data.shards + [shard for other in others for shard in other.shards],
                data.exact and all(other.exact for other in others))


def count(model, data):
    return Data([[len(data.flat())]])


def reduce(model, data, text, *others, **options):
    function = twin(text)
    if others or options:
        raise NotModelled("reduce with a second function or an identity")
    partial = [functools.reduce(function, shard) for shard in data.cut() if shard]
    return Data([[functools.reduce(function, partial)] if partial else []] if data.shards else [])


# --- wide operators

def shard_count(data, shards):
    if shards is not None and shards < 1:
        raise Fails("PLAN")
    return shards if shards is not None else min(len(data.shards), SHARDS_MAX_BY_DEFAULT)


def scatter(model, rows, count):
    """Rows (key, …) by partition, in key order inside each; equal keys stay in their order."""
    shards = [[] for _ in range(count)]
    for row in rows:
        shards[model.partition(row[0], count)].append(row)
    for shard in shards:
        shard.sort(key=lambda row: key_order(row[0]))
    return shards


def groups_of(rows):
    """Neighbouring rows (key, record) of equal keys: (key, records)."""
    for _, group in itertools.groupby(rows, key=lambda row: key_order(row[0])):
        group = list(group)
        yield key_value(group[0][0]), [record for _, record in group]


def ordered(records, sort_by, descending):
    if sort_by is None:
        return records
    function = key_function(sort_by)
    return sorted(records, key=lambda r: (Inverted if descending else lambda x: x)(key_order(function(r))))


def combined(combine, rows, sort_by, descending):
    """The rows of one shard, those of each key combined."""
    rows = sorted(rows, key=lambda row: key_order(row[0]))
    return [(key, given(out)) for key, records in groups_of(rows)
            for out in combine(key, ordered(records, sort_by, descending))]


def group_by(model, data, key, reduce, sort_by=None, descending=False, combine=None, shards=None):
    function, reducer = key_function(key), twin(reduce)
    rows = [(function(r), r) for r in data.flat()]
    if combine is not None:
        rows = [row for shard in data.cut() for row in
                combined(twin(combine), [(function(r), r) for r in shard], sort_by, descending)]
    if not data.shards:
        return Data([])
    return Data([[given(out) for k, records in groups_of(shard)
                  for out in reducer(k, ordered(records, sort_by, descending))]
                 for shard in scatter(model, rows, shard_count(data, shards))])


def deduplicate(model, data, key, shards=None):
    function = key_function(key)
    rows = [(function(r), r) for r in data.flat()]
    if not data.shards:
        return Data([])
    return Data([[records[0] for _, records in groups_of(shard)]
                 for shard in scatter(model, rows, shard_count(data, shards))])


def sort(model, data, by, descending=False, shards=None):
    count_out = shard_count(data, shards)
    records = ordered(data.flat(), by, descending)
    return Data(in_first(records, count_out) if data.shards else [], exact=count_out == 1)


def in_first(records, shards):
    """Records whose cuts are not known."""
    return [records] + [[] for _ in range(shards - 1)]


def reshard(model, data, shards=None):
    if shards is None:
        return data
    shards = shard_count(data, shards)
    return Data(in_first(data.flat(), shards) if data.shards else [], exact=shards == 1)


# --- aggregate; what is nil or missing counts nowhere but in count()

def total(values):
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in values):
        raise Fails("BAD_RECORD")
    if not values:
        return None
    if any(isinstance(v, float) for v in values):
        return math.fsum(values)
    limit = 2**64 if any(v >= 2**63 for v in values) else 2**63
    if not -2**63 <= sum(values) < limit:
        raise Fails("LIMIT")
    return sum(values)


def mean(values):
    whole = total([float(v) if isinstance(v, float) else v for v in values])
    return whole if whole is None else float(whole) / len(values)


def distinct(values):
    """Each once, as it came first, in the order of keys."""
    found = {}
    for value in values:
        found.setdefault(key_order(value), value)
    return [found[order] for order in sorted(found)]


def quantile(values, q):
    if not values:
        return None
    return sorted(values, key=key_order)[max(math.ceil(q * len(values)), 1) - 1]


AGGREGATES = {
    "count": len, "sum": total, "mean": mean, "distinct": distinct, "list": list,
    "min": lambda values: min(values, key=key_order, default=None),
    "max": lambda values: max(values, key=key_order, default=None),
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
}


def aggregated(text, records):
    """The value of an expression such as sum(size)."""
    name, _, rest = text.rstrip(")").partition("(")
    if not rest:
        return len(records)
    path, *number = [part.strip() for part in rest.split(",")]
    values = [field_of(r, path) for r in records]
    values = [v for v in values if v is not None and v is not MISSING]
    return quantile(values, float(number[0])) if name == "quantile" else AGGREGATES[name](values)


def aggregate(model, data, exprs, by=None, shards=None):
    def result(records, fields):
        return {**fields, **{name: aggregated(text, records) for name, text in exprs.items()}}
    if by is None:
        return Data([[result(data.flat(), {})]])
    function = key_function(by)
    rows = [(function(r), r) for r in data.flat()]
    if not data.shards:
        return Data([])
    return Data([[result(records, by_fields(by, key)) for key, records in groups_of(shard)]
                 for shard in scatter(model, rows, shard_count(data, shards))])


def by_fields(by, key):
    if isinstance(by, expr):
        return {"key": key}
    return dict(zip(by, key)) if isinstance(by, list) else {by: key}


# --- joins

def merged(left, right, once, suffix):
    """The fields of both; those of the key that both have are taken from the left."""
    if left is None or right is None:
        return right if left is None else left
    if not isinstance(left, dict) or not isinstance(right, dict):
        raise Fails("USER")
    record = dict(left)
    for name, value in right.items():
        if name in left and name in once:
            continue
        if name in left:
            name = name + suffix if suffix else name
            if name in left or name in right:
                raise Fails("USER")
        record[name] = value
    return record


def pairs_of(how, lefts, rights, null):
    """Pairs of the left and right records of one key, a side without a record is None."""
    partners = bool(lefts and rights) and not null
    if how == "semi":
        return [(left, None) for left in lefts if partners]
    if how == "anti":
        return [(left, None) for left in lefts if not partners]
    if partners:
        return itertools.product(lefts, rights)
    return ([(None, right) for right in rights if how in ("right", "full")] +
            [(left, None) for left in lefts if how in ("left", "full")])


class Join:
    def __init__(self, on=None, left_on=None, right_on=None, how="inner", suffix=None, combine=None):
        left_on, right_on = (on, on) if on is not None else (left_on, right_on)
        self.left_key, self.right_key, self.how = key_function(left_on), key_function(right_on), how
        self.combine = twin(combine) if combine is not None else None
        self.once, self.suffix = [], suffix
        if not isinstance(left_on, expr) and not isinstance(right_on, expr):
            names = [[key] if isinstance(key, str) else key for key in (left_on, right_on)]
            self.once = [a for a, b in zip(*names) if a == b]

    def record(self, left, right):
        if self.combine is None or self.how in ("semi", "anti"):
            return merged(left, right, self.once, self.suffix)
        return given(self.combine(left, right))

    def join(self, lefts, rights):
        """Of rows (key, record), each in the order of their keys."""
        sides = {}
        for place, rows in enumerate((lefts, rights)):
            for key, record in rows:
                sides.setdefault(key_order(key), (key, [], []))[place + 1].append(record)
        for order in sorted(sides):
            key, left, right = sides[order]
            yield from (self.record(*pair) for pair in pairs_of(self.how, left, right, has_null(key)))

    def broadcast(self, left_shards, rights):
        """Left records stay where they are."""
        found = {}
        for record in rights:
            found.setdefault(key_order(self.right_key(record)), []).append(record)
        return [[self.record(*pair) for left in shard for key in [self.left_key(left)]
                 for pair in pairs_of(self.how, [left], found.get(key_order(key), []), has_null(key))]
                for shard in left_shards]


def join(model, data, right, broadcast=None, shards=None, **options):
    right, how = model.run(right), Join(**options)
    if broadcast is None:
        raise NotModelled("whether the planner broadcasts")
    if broadcast:
        return Data(how.broadcast(data.shards, right.flat()), data.exact)
    count_out = shards if shards is not None else max(shard_count(data, None), shard_count(right, None))
    if not data.shards and not right.shards:
        return Data([])
    lefts = scatter(model, [(how.left_key(r), r) for r in data.flat()], count_out)
    rights = scatter(model, [(how.right_key(r), r) for r in right.flat()], count_out)
    return Data([list(how.join(*pair)) for pair in zip(lefts, rights)])


def sorted_merge_join(model, data, right, **options):
    right, how = model.run(right), Join(**options)
    if len(data.shards) != len(right.shards) and data.shards and right.shards:
        raise Fails("PLAN")
    shards = []  # a side without any has nothing for each of the other one's
    for pair in itertools.zip_longest(data.cut(), right.cut(), fillvalue=[]):
        rows = [[(key(r), r) for r in shard] for key, shard in zip((how.left_key, how.right_key), pair)]
        for side in rows:
            keys = [key_order(key) for key, _ in side]
            if keys != sorted(keys):
                raise Fails("INVALID")
        shards.append(list(how.join(*rows)))
    return Data(shards)


# --- the whole

OPERATORS = {
    "from_list": from_list, "from_range": from_range, "read": read, "map": map_records,
    "filter": filter_records, "flat_map": flat_map, "select": select,
    "take_per_shard": take_per_shard, "window": window, "limit": limit, "union": union,
    "count": count, "reduce": reduce, "group_by": group_by, "deduplicate": deduplicate, "sort": sort,
    "reshard": reshard, "aggregate": aggregate, "join": join, "sorted_merge_join": sorted_merge_join,
}


class Model:
    """`given`: name → text of the files of a case. `partition(key, count)`: where keys go."""

    def __init__(self, partition, given=None):
        self.partition, self.given = partition, given or {}

    def match(self, glob):
        if any(c in glob for c in "[{?") or glob.count("*") > 1:
            raise NotModelled("patterns")
        head, star, tail = glob.partition("*")
        return sorted(name for name in self.given
                      if (name.startswith(head) and name.endswith(tail) and len(name) >= len(head + tail)
                          and "/" not in name[len(head):] if star else name == glob))

    def run(self, plan):
        data = None
        for step in plan.steps:
            if step.op not in OPERATORS:
                raise NotModelled(f"the operator {step.op}")
            function = OPERATORS[step.op]
            args = [self] if data is None else [self, data]
            data = function(*args, *step.args, **step.options)
        return data


def expected(plan, partition, given=None):
    """The records of a plan, in order."""
    assert isinstance(plan, Plan)
    return Model(partition, given).run(plan).flat()
