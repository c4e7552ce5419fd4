# SPDX-License-Identifier: MPL-2.0
"""What the Lua functions of cases and of random plans mean, said a second time in Python, so that
model.py can compute what a plan gives. A twin takes and gives Python values; MISSING is Lua's nil,
None its zonda.null."""


class Missing:
    def __repr__(self):
        return "MISSING"


MISSING = Missing()
TWINS = {}


def twin(lua):
    """Decorates the Python function that means what the Lua text means."""
    def keep(function):
        assert lua not in TWINS, f"two twins of {lua!r}"
        TWINS[lua] = function
        return function
    return keep


def table(**fields):
    """A map that Lua made: fields that are nil are not there, names are sorted."""
    return {name: fields[name] for name in sorted(fields) if fields[name] is not MISSING}


def get(record, name):
    return record.get(name, MISSING) if isinstance(record, dict) else MISSING


def same(lua, function):
    TWINS[lua] = function
    return lua


# --- of a record

SELF = same("r", lambda r: r)
NEGATE = same("-r", lambda r: -r)
MODULO_3 = same("r % 3", lambda r: r % 3)
MODULO_7 = same("r % 7", lambda r: r % 7)
HALF = same("r // 2", lambda r: r // 2)
EVEN = same("r % 2 == 0", lambda r: r % 2 == 0)
NEVER = same("false", lambda r: False)
ALWAYS = same("true", lambda r: True)
CONSTANT = same("'all'", lambda r: "all")
NOTHING = same("nil", lambda r: MISSING)
FIELD_K = same("r.k", lambda r: get(r, "k"))
FIELD_V = same("r.v", lambda r: get(r, "v"))
PAIR_OF_NUMBER = same("{ k = r % 5, v = r }", lambda r: table(k=r % 5, v=r))
SMALL_V = same("r.v % 3 ~= 0", lambda r: r["v"] % 3 != 0)
ADD_ONE_TO_V = same("{ k = r.k, v = r.v + 1 }", lambda r: table(k=get(r, "k"), v=r["v"] + 1))
KEY_AND_VALUE = same("{ k = r.k, v = r.v }", lambda r: table(k=get(r, "k"), v=get(r, "v")))
V_MODULO_5 = same("r.v % 5", lambda r: r["v"] % 5)
TWICE = same("emit(r) emit(r)", lambda r: [r, r])

# --- of two values

ADD = same("a + r", lambda a, r: a + r)
LARGER = same("math.max(a, r)", max)

# --- of a group: key, rows → what is emitted

COUNT_ROWS = same("local n = 0 for r in rows do n = n + 1 end emit({ k = key, n = n })",
                  lambda key, rows: [table(k=key, n=len(rows))])
SUM_OF_V = same("local s = 0 for r in rows do s = s + r.v end emit({ k = key, s = s })",
                lambda key, rows: [table(k=key, s=sum(r["v"] for r in rows))])
LIST_OF_V = same("local l = zonda.array() for r in rows do l[#l + 1] = r.v end emit({ k = key, l = l })",
                 lambda key, rows: [table(k=key, l=[r["v"] for r in rows])])
LIST_OF_ROWS = same("local l = zonda.array() for r in rows do l[#l + 1] = r end emit({ k = key, l = l })",
                    lambda key, rows: [table(k=key, l=rows)])
FIRST_ROW = same("emit(rows())", lambda key, rows: [rows[0]])
ALL_ROWS = same("for r in rows do emit(r) end", lambda key, rows: rows)
KEY_ALONE = same("emit(key)", lambda key, rows: [key])
NO_ROWS = same("for r in rows do end", lambda key, rows: [])
LAST_TWO = same("local a, b for r in rows do a, b = b, r end if a then emit(a) end emit(b)",
                lambda key, rows: rows[-2:])
ADD_UP_V = same("local s = 0 for r in rows do s = s + r.v end emit({ k = key, v = s })",
                lambda key, rows: [table(k=key, v=sum(r["v"] for r in rows))])
ADD_UP = same("local s = 0 for r in rows do s = s + r end emit(s)", lambda key, rows: [sum(rows)])

# --- of pairs

LEFT_ALONE = same("left", lambda left, right: MISSING if left is None else left)
ADD_SIDES = same("left + right", lambda left, right: left + right)
