#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Writes manual pages and completion from what the program says about itself.

Usage: cli_pages.py PROGRAM man FILE…     FILE: zonda.1, zonda-run.1, …
       cli_pages.py PROGRAM bash FILE
       cli_pages.py PROGRAM zsh FILE

The source is `PROGRAM --dump-cli` and `PROGRAM COMMAND --dump-cli`: the tables that also parse the
command line and print --help."""
import json
import pathlib
import re
import subprocess
import sys

COMMON_OPTIONS = [
    {"name": "help", "key": "?", "word": "", "doc": "print help and exit"},
    {"name": "usage", "key": "", "word": "", "doc": "print a short usage and exit"},
    {"name": "version", "key": "V", "word": "", "doc": "print the version and exit"},
]


def dump(*words):
    out = subprocess.run([*words, "--dump-cli"], check=True, capture_output=True, text=True).stdout
    return json.loads(out)


class Cli:
    def __init__(self, program):
        self.__dict__.update(dump(program))
        self.details = {c["name"]: dump(program, c["name"]) for c in self.commands}
        for command in self.details.values():
            command["options"] = sorted(command["options"], key=lambda o: o["name"]) + COMMON_OPTIONS


# ---- manual pages: man(7) ----

def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "\\[u2026]").replace("'", "\\(aq")
    text = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", text)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def roff_option(option):
    names = ([f"\\fB\\-{option['key']}\\fR"] if option["key"] else []) + [f"\\fB\\-\\-{roff(option['name'])}\\fR"]
    word = f"=\\fI{roff(option['word'])}\\fR" if option["word"] else ""
    return f".TP\n{', '.join(names)}{word}\n{roff(option['doc'])}\n"


def roff_prose(text):
    """Paragraphs; lines that are indented stay as they are."""
    out = []
    for paragraph in text.strip("\n").split("\n\n"):
        plain = [line for line in paragraph.split("\n") if not line.startswith("  ")]
        fixed = [line for line in paragraph.split("\n") if line.startswith("  ")]
        out.append(".PP\n" + roff(" ".join(plain)) + "\n")
        if fixed:
            out.append(".RS 2\n.nf\n" + "".join(roff(line[2:]) + "\n" for line in fixed) + ".fi\n.RE\n")
    return "".join(out)


def verb_usage(arg, bold):
    if arg["use"] != "option":
        return f"\\fI{roff(arg['word'])}\\fR"
    name = roff("--" + arg["name"].replace("_", "-"))
    name = f"\\fB{name}\\fR" if bold else name
    gap = "" if arg["word"].startswith("[=") else " "
    return name + (f"{gap}\\fI{roff(arg['word'])}\\fR" if arg["word"] else "")


def roff_verb(op):
    usage = "".join(
        " " + (verb_usage(a, True) if a["use"] == "positional" else f"[{verb_usage(a, True)}]") for a in op["args"])
    args = "".join(f".TP\n{verb_usage(a, True)}\n{roff(a['doc'])}\n" for a in op["args"])
    return (f".TP\n\\fB{roff(op['verb'])}\\fR{usage}\n{roff(op['doc'])}\n"
            + (f".RS\n{args}.RE\n" if args else ""))


def roff_exits(cli):
    return ".SH EXIT STATUS\n" + "".join(f".TP\n{e['status']}\n{roff(e['doc'])}\n" for e in cli.exits)


def see_also(cli, own):
    names = ["zonda"] + ["zonda-" + c["name"] for c in cli.commands]
    return ".SH SEE ALSO\n" + ",\n".join(f".BR {roff(n)} (1)" for n in names if n != own) + "\n"


def head(cli, name, doc):
    return (f".\\\" Made by scripts/cli_pages.py from the program's own tables.\n"
            f".TH {roff(name.upper())} 1 \"\" \"zonda {cli.version}\" \"Zonda\"\n"
            f".SH NAME\n{roff(name)} \\- {roff(doc)}\n")


def program_page(cli):
    commands = "".join(f".TP\n\\fB{roff(c['name'])}\\fR\n{roff(c['doc'])};\nsee \\fBzonda\\-{roff(c['name'])}\\fR(1)\n"
                       for c in cli.commands)
    return (head(cli, "zonda", "run dataset pipelines in a process, on a machine or on many hosts")
            + ".SH SYNOPSIS\n\\fBzonda\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR\\[u2026]] \\[u2026]\n"
            + ".SH DESCRIPTION\nZonda runs pipelines over sharded data: read, map, filter, fold, write. The same\n"
              "pipeline gives the same bytes in one process and on a cluster of many hosts.\n"
            + ".SH COMMANDS\n" + commands + ".SH OPTIONS\n"
            + "".join(roff_option(o) for o in COMMON_OPTIONS if o["name"] != "usage")
            + roff_exits(cli) + see_also(cli, "zonda"))


def command_page(cli, name):
    command, detail = next(c for c in cli.commands if c["name"] == name), cli.details[name]
    synopsis = "\n.br\n".join(f"\\fBzonda {roff(name)}\\fR [\\fIOPTION\\fR\\[u2026]] {roff(args)}".rstrip()
                              for args in detail["args"].split("\n"))
    page = (head(cli, "zonda-" + name, command["doc"]) + f".SH SYNOPSIS\n{synopsis}\n"
            + f".SH DESCRIPTION\n{roff(detail['doc'])}\n"
            + ".SH OPTIONS\n" + "".join(roff_option(o) for o in detail["options"]))
    if name == "run":
        page += (".SH VERBS\nA pipeline is verbs joined by \\fBthen\\fR; the first is a source.\n"
                 + "".join(roff_verb(op) for op in cli.operators))
    if detail["post"]:
        page += ".SH NOTES\n" + roff_prose(detail["post"]).removeprefix(".PP\n")
    return page + roff_exits(cli) + see_also(cli, "zonda-" + name)


def write_man(cli, files):
    for file in map(pathlib.Path, files):
        name = file.stem
        file.write_text(program_page(cli) if name == "zonda" else command_page(cli, name.removeprefix("zonda-")))


# ---- completion ----

def flag_words(options):
    return [w for o in options for w in ([f"-{o['key']}"] if o["key"] else []) + ["--" + o["name"]]]


def valued_words(options):
    return flag_words([o for o in options if o["word"]])


def verb_options(op):
    return [a for a in op["args"] if a["use"] != "positional"]


def verb_flags(op):
    return ["--" + a["name"].replace("_", "-") for a in verb_options(op)]


def verbs(cli, sources):
    return [op["verb"] for op in cli.operators if (op["class"] == "source") == sources]


def shell_case(rows):
    return "".join(f"    {name}) echo \"{' '.join(words)}\" ;;\n" for name, words in rows)


BASH = r"""# Completion of zonda for bash; made by scripts/cli_pages.py from the program's own tables.

_zonda_options() {
    case $1 in
@OPTIONS@    esac
}

_zonda_valued() {
    case $1 in
@VALUED@    esac
}

_zonda_verb_options() {
    case $1 in
@VERB_OPTIONS@    esac
}

_zonda_reply() {
    COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

_zonda_files() {
    compopt -o filenames 2>/dev/null
    COMPREPLY+=($(compgen -f -- "$cur"))
}

# The words of a pipeline from index $1 on: verbs joined by "then".
_zonda_pipeline() {
    local i verb= start=$1
    for ((i = $1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == then ]] && start=$((i + 1))
    done
    if [[ ${COMP_WORDS[$1]} == *.lua && $COMP_CWORD -gt $1 ]]; then
        _zonda_files
    elif ((start == COMP_CWORD && start == $1)); then
        _zonda_reply "@SOURCES@"
        _zonda_files
    elif ((start == COMP_CWORD)); then
        _zonda_reply "@OTHERS@"
    else
        verb=${COMP_WORDS[start]}
        if [[ $cur == -* ]]; then
            _zonda_reply "$(_zonda_verb_options "$verb")"
        else
            _zonda_reply then
            _zonda_files
        fi
    fi
}

_zonda() {
    local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} i
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _zonda_reply "@COMMANDS@ --help --version"
        return
    fi
    local valued=" $(_zonda_valued "$command") "
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -*)
            [[ ${COMP_WORDS[i + 1]} == = ]] && i=$((i + 2)) && continue
            [[ $valued == *" ${COMP_WORDS[i]} "* ]] && i=$((i + 1))
            ;;
        *) break ;;
        esac
    done
    if ((i > COMP_CWORD)); then
        [[ $cur == = ]] && cur=
        _zonda_files
    elif [[ $command == run && ($i -lt $COMP_CWORD || $cur != -*) ]]; then
        _zonda_pipeline "$i"
    else
        _zonda_reply "$(_zonda_options "$command")"
    fi
}

complete -F _zonda zonda
"""


def write_bash(cli, files):
    text = BASH
    for mark, value in {
            "@OPTIONS@": shell_case((n, flag_words(d["options"])) for n, d in cli.details.items()),
            "@VALUED@": shell_case((n, valued_words(d["options"])) for n, d in cli.details.items()),
            "@VERB_OPTIONS@": shell_case((op["verb"], verb_flags(op)) for op in cli.operators),
            "@SOURCES@": " ".join(verbs(cli, True)),
            "@OTHERS@": " ".join(verbs(cli, False)),
            "@COMMANDS@": " ".join(c["name"] for c in cli.commands)}.items():
        text = text.replace(mark, value)
    pathlib.Path(files[0]).write_text(text)


def zsh_quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh_described(rows):
    return "\n".join("        " + zsh_quote(name.replace(":", "\\:") + ":" + doc.replace(":", "\\:")) for name, doc in rows)


def zsh_option(option):
    doc = re.sub(r"([\[\]:\\])", r"\\\1", option["doc"])
    word = f":{option['word']}:_files" if option["word"] else ""
    long = f"--{option['name']}" + ("=" if word else "")
    if not option["key"]:
        return "        " + zsh_quote(f"{long}[{doc}]{word}")
    short = "-\\?" if option["key"] == "?" else "-" + option["key"]
    names = f"'(-{option['key']} --{option['name']})'{{{short},{long}}}"
    return "        " + names + zsh_quote(f"[{doc}]{word}")


ZSH = r"""#compdef zonda
# Completion of zonda for zsh; made by scripts/cli_pages.py from the program's own tables.

_zonda_verb_options() {
    local -a options
    case $1 in
@VERB_OPTIONS@    esac
    (( $#options )) && _describe option options
}

# The words of a pipeline: verbs joined by "then".
_zonda_pipeline() {
    local -a verbs
    local -i start=1 i
    if [[ $words[1] == *.lua ]] && (( CURRENT > 1 )); then
        _files
        return
    fi
    for (( i = 1; i < CURRENT; i++ )); do
        [[ $words[i] == then ]] && start=$(( i + 1 ))
    done
    if (( start == CURRENT && start == 1 )); then
        verbs=(
@SOURCES@
        )
        _describe verb verbs
        _files -g '*.lua'
    elif (( start == CURRENT )); then
        verbs=(
@OTHERS@
        )
        _describe verb verbs
    elif [[ $words[CURRENT] == -* ]]; then
        _zonda_verb_options $words[start]
    else
        verbs=('then:another verb follows')
        _describe verb verbs
        _files
    fi
}

_zonda() {
    local -a commands
    if (( CURRENT == 2 )); then
        commands=(
@COMMANDS@
        )
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
@CASES@    esac
}

_zonda "$@"
"""


def write_zsh(cli, files):
    def described(sources):
        return zsh_described((op["verb"], op["doc"]) for op in cli.operators if (op["class"] == "source") == sources)
    verb_cases = "".join(
        f"    {op['verb']})\n        options=(\n"
        + zsh_described(("--" + a["name"].replace("_", "-"), a["doc"]) for a in verb_options(op)) + "\n        )\n        ;;\n"
        for op in cli.operators if verb_options(op))
    cases = ""
    for name, detail in cli.details.items():
        options = " \\\n".join(zsh_option(o) for o in detail["options"])
        rest = " \\\n        '*:: :_zonda_pipeline'" if name == "run" else ""
        cases += f"    {name})\n        _arguments -S \\\n{options}{rest}\n        ;;\n"
    text = ZSH
    for mark, value in {"@VERB_OPTIONS@": verb_cases, "@SOURCES@": described(True), "@OTHERS@": described(False),
                        "@COMMANDS@": zsh_described((c["name"], c["doc"]) for c in cli.commands),
                        "@CASES@": cases}.items():
        text = text.replace(mark, value)
    pathlib.Path(files[0]).write_text(text)


def main():
    kinds = {"man": write_man, "bash": write_bash, "zsh": write_zsh}
    if len(sys.argv) < 4 or sys.argv[2] not in kinds:
        sys.exit(__doc__)
    kinds[sys.argv[2]](Cli(sys.argv[1]), sys.argv[3:])


main()
