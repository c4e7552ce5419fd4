# SPDX-License-Identifier: MPL-2.0
"""Turns the plan of a case into what each face takes: words, a script, a description for the C runner.
What a face cannot express raises NotExpressible with the reason; `faces_of` lists who can."""
import json

from case import FACES, Plan, expr, fn, lua, plug

# Functions among the arguments: what they are on the command line and in C, and their parameters in Lua.
FUNCTIONS = {
    ("map", 0): ("expression", "r"),
    ("flat_map", 0): ("block", "r, emit"),
    ("filter", 0): ("expression", "r"),
    ("window_by", 0): ("expression", "a, r"),
    ("map_shard", 0): ("block", "items, shard, emit"),
    ("reduce", 0): ("expression", "a, r"),
    ("reduce", 1): ("expression", "a, r"),
    ("group_by", "reduce"): ("block", "key, rows, emit"),
    ("group_by", "combine"): ("block", "key, rows, emit"),
    ("join", "combine"): ("expression", "left, right"),
    ("sorted_merge_join", "combine"): ("expression", "left, right"),
}
# Arguments that are keys: a text is the name of a field.
KEYS = {("group_by", 0), ("group_by", "sort_by"), ("deduplicate", 0), ("sort", 0), ("aggregate", "by")}
KEYS |= {(op, name) for op in ("join", "sorted_merge_join") for name in ("on", "left_on", "right_on")}
# Operators that take another dataset, a glob on a command line.
JOINS = {"join", "sorted_merge_join"}
# Operators whose arguments by place a script writes into the table of options, under these names.
NAMED_IN_LUA = {"group_by": "key", "sort": "by"}
# Operators whose arguments are the items of one list, or names.
LISTS = {"from_list"}
# Operators whose first argument is a command: a text, or a list of words.
COMMANDS = {"exec", "each"}
# Options that are a flag or a text.
SWITCHES = {("read", "include_paths"), ("join", "broadcast")}
INT_MAX = 2**63 - 1


class NotExpressible(Exception):
    pass


def is_function(op, index, value):
    return (op, index) in FUNCTIONS and isinstance(value, str)


def json_text(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# --- the command line

def word_of(value):
    """A value as one word, where the operator takes any value."""
    if isinstance(value, str):
        if value == "then" or value.startswith("--") or "\0" in value:
            raise NotExpressible(f"the word {value!r} means something else on a command line")
        try:
            json.loads(value)
        except ValueError:
            return value
        raise NotExpressible(f"the word {value!r} would be read as JSON")
    return json_text(value)


def plain_word(op, index, value):
    """A value as one word, where the operator knows its type."""
    if isinstance(value, Plan):
        raise NotExpressible("another dataset has no words")
    if isinstance(value, plug):
        return "@" + value
    if isinstance(value, (fn, lua)):
        raise NotExpressible("functions are Lua expressions on a command line")
    if (op, index) in KEYS and isinstance(value, list):
        return ",".join(value)
    if isinstance(value, expr):
        return f"({value})"  # a bare r would be the field of that name
    if isinstance(value, str):
        if "\0" in value:
            raise NotExpressible("a word has no NUL")
        return value
    return json_text(value)


def words_of_options(step, replace):
    words = []
    for name, value in step.options.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            words += [option]
        elif (step.op, name) in SWITCHES:
            words += [f"{option}={replace(plain_word(step.op, name, value))}"]
        elif value is not False:
            words += [option, replace(plain_word(step.op, name, value))]
    return words


def words_of_reads(plans, replace):
    """Other datasets on a command line are globs, all read with the same options."""
    reads = [plan.steps[0] for plan in plans if len(plan.steps) == 1 and plan.steps[0].op == "read"]
    if len(reads) < len(plans) or any(read.options != reads[0].options for read in reads):
        raise NotExpressible("other datasets are globs on a command line")
    return [replace(read.args[0]) for read in reads] + words_of_options(reads[0], replace)


def words_of_step(step, replace):
    words = [step.op.replace("_", "-")]
    if step.op == "union":
        return words + words_of_reads(step.args, replace)
    if step.op in JOINS:
        return words + words_of_reads(step.args, replace) + words_of_options(step, replace)
    if step.op == "aggregate":
        return words + [f"{n}={e}" for n, e in step.args[0].items()] + words_of_options(step, replace)
    if step.op in COMMANDS and isinstance(step.args[0], list):
        return words + words_of_options(step, replace) + ["--"] + [replace(word) for word in step.args[0]]
    if step.op in LISTS and not isinstance(step.args[0], list):
        raise NotExpressible("words are always a list")
    if step.op in LISTS:
        words += [replace(word_of(item)) for item in step.args[0]]
    elif step.op == "rename":
        words += [replace(f"{new}={old}") for new, old in step.args[0].items()]
    else:
        words += [replace(plain_word(step.op, i, value)) for i, value in enumerate(step.args)]
    return words + words_of_options(step, replace)


def words_of(case, replace):
    if case.cli is not None:
        return [replace(word) for word in case.cli]
    if case.plan is None:
        raise NotExpressible("the case is a script")
    if case.shared:
        raise NotExpressible("the command line puts no shared data")
    words = []
    for step in case.plan.steps:
        words += ["then"] if words else []
        words += words_of_step(step, replace)
    return words


# --- Lua

def lua_string(text):
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else
                         "".join(f"\\{b:03}" for b in c.encode()) for c in text) + '"'


def lua_number(value):
    if isinstance(value, int) and not -INT_MAX - 1 <= value <= INT_MAX:
        raise NotExpressible("a Lua integer has 63 bits and a sign")
    if value == -INT_MAX - 1:
        return "math.mininteger"
    return repr(value)


def lua_value(value):
    if value is None:
        return "zonda.null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return lua_number(value)
    if isinstance(value, str):
        return lua_string(value)
    if isinstance(value, list):
        return "zonda.array{" + ", ".join(map(lua_value, value)) + "}"
    if isinstance(value, dict):
        if list(value) != sorted(value):
            raise NotExpressible("a map made in Lua has sorted keys")
        return "{" + ", ".join(f"[{lua_string(k)}] = {lua_value(v)}" for k, v in value.items()) + "}"
    raise NotExpressible(f"Lua has no {type(value).__name__}")


def lua_argument(op, index, value):
    if isinstance(value, Plan):
        return lua_chain(value)
    if isinstance(value, fn):
        raise NotExpressible("a script names no C functions")
    if isinstance(value, plug):
        return f'plugin["{value}"]'
    if isinstance(value, lua):
        return str(value)
    if isinstance(value, expr):
        return f"function(r) return {value} end"
    if (op, index) in KEYS and isinstance(value, list):
        return "{ " + ", ".join(map(lua_string, value)) + " }"
    if is_function(op, index, value):
        kind, parameters = FUNCTIONS[op, index]
        body = value if kind == "block" else f"return {value}"
        return f"function({parameters}) {body} end"
    return lua_value(value)


def lua_arguments(step):
    args = [lua_argument(step.op, i, value) for i, value in enumerate(step.args)]
    options = {name: lua_argument(step.op, name, value) for name, value in step.options.items()}
    if step.op in NAMED_IN_LUA and len(args) == 1:
        options = {NAMED_IN_LUA[step.op]: args.pop(), **options}
    if step.op == "aggregate":
        args = [options.pop("by", "nil"), *args]
    if options:
        args.append("{ " + ", ".join(f"{name} = {value}" for name, value in options.items()) + " }")
    return args


def lua_chain(plan):
    text = "zonda"
    for i, step in enumerate(plan.steps):
        args = lua_arguments(step)
        text += f"{'.' if i == 0 else chr(10) + '  :'}{step.op}({', '.join(args)})"
    return text


def script_of(case, replace):
    if case.script is not None:
        return replace(case.script)
    if case.plan is None:
        raise NotExpressible("the case is a command line")
    puts = "".join(f"zonda.put({lua_string(name)}, {lua_value(value)})\n"
                   for name, value in case.shared.items())
    if has_function(case.plan, plug):
        puts = 'local plugin = zonda.plugin("PLUGIN")\n' + puts
    return replace(f"{puts}return {lua_chain(case.plan)}\n")


# --- C

def c_value(op, index, value, replace):
    if isinstance(value, Plan):
        return {"steps": c_steps(value, replace)}
    if isinstance(value, lua):
        raise NotExpressible("a function of a script exists only in its script")
    if isinstance(value, plug):
        return {"function": "plugin", "text": value}
    if isinstance(value, fn):
        return {"function": "c", "text": value}
    if isinstance(value, expr):
        return {"function": "expression", "text": replace(value)}
    if is_function(op, index, value):
        return {"function": FUNCTIONS[op, index][0], "text": replace(value)}
    if op in COMMANDS and index == 0 and not isinstance(value, list):
        raise NotExpressible("C takes a command as words")
    if isinstance(value, str):
        if op not in LISTS and "\0" in value:
            raise NotExpressible("a C string ends at NUL")
        return replace(value)
    if isinstance(value, list):
        return [c_value(op, None, item, replace) for item in value]
    return value


def c_steps(plan, replace):
    return [{"op": step.op,
             "args": [c_value(step.op, i, value, replace) for i, value in enumerate(step.args)],
             "options": {name: c_value(step.op, name, value, replace)
                         for name, value in step.options.items()}}
            for step in plan.steps]


def request_of(case, replace, stream):
    if case.plan is None:
        raise NotExpressible("the case has no chain of operators")
    request = {"steps": c_steps(case.plan, replace)}
    if case.shared:
        request["shared"] = case.shared
    if case.explains is not None:
        request["explain"] = True
    if stream:
        request["stream"] = True
    return request


# --- who can

def has_function(plan, kind):
    return plan is not None and any(isinstance(v, kind) or (isinstance(v, Plan) and has_function(v, kind))
                                    for step in plan.steps for v in [*step.args, *step.options.values()])


def why_not(case, face, transport):
    """Why a case does not run on this face over this transport; None if it does."""
    for where in (face, transport):
        if where in case.not_on:
            return case.not_on[where]
    if transport != "inproc" and has_function(case.plan, fn):
        return "other processes do not have the C functions of this one"
    if transport != "inproc" and case.explains is not None:
        return "a dry run asks no cluster"
    try:
        if face == "c":
            json_text(request_of(case, str, False))
        elif face == "lua":
            script_of(case, str)
        else:
            words_of(case, str)
    except NotExpressible as reason:
        return str(reason)
    return None


def faces_of(case, transport="inproc"):
    return [face for face in FACES if why_not(case, face, transport) is None]
