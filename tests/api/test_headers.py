#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every public header compiles alone, as C11 and as C++17, without a warning, and its functions have C
linkage.

    test_headers.py INCLUDE_FOLDER NM CC... [-- CXX...]

Each header is compiled in a file that includes nothing else and takes the address of every function declared.
NM lists what the object then asks for: a name that C++ has mangled is another one. NM may be empty, and CXX
left out: skipped.
"""

import os
import subprocess
import sys
import tempfile

import headers

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
LANGUAGES = [("c11", ".c", ["-std=c11", "-Wstrict-prototypes"]), ("c++17", ".cpp", ["-std=c++17"])]


def program(header, functions):
    lines = [
        f"#include <ebb/{header}>",
        "void use(void (*address)(void));",
        "void use_all(void);",
        "void use_all(void)",
        "{",
    ]
    lines += [f"    use((void (*)(void)){function});" for function in functions]
    return "\n".join(lines + ["}", ""])


def compile_alone(compiler, flags, source, folder):
    """What is wrong, in words; None: nothing."""
    run = subprocess.run(
        [*compiler, *STRICT, *flags, f"-I{folder}", "-c", source, "-o", source + ".o"],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stderr if run.returncode else None


def unlinked(nm, source, functions):
    """The functions that the object does not ask for by their names in C."""
    listing = subprocess.run([nm, "-u", source + ".o"], capture_output=True, text=True, check=True).stdout
    wanted = {line.split()[-1].lstrip("_") for line in listing.splitlines() if line.strip()}
    return sorted(set(functions) - wanted)


def check(folder, nm, compiler, suffix, flags, header, scratch):
    functions = headers.functions(folder, header)
    source = os.path.join(scratch, header + suffix)
    with open(source, "w", encoding="utf-8") as file:
        file.write(program(header, functions))
    wrong = compile_alone(compiler, flags, source, folder)
    if wrong is None and nm:
        missing = unlinked(nm, source, functions)
        wrong = f'no C linkage (extern "C"): {", ".join(missing)}' if missing else None
    return wrong


def main():
    folder, nm = sys.argv[1:3]
    commands = sys.argv[3:]
    cut = commands.index("--") if "--" in commands else len(commands)
    compilers = [commands[:cut], commands[cut + 1 :]]
    names, number, failed = headers.names(folder), 0, 0
    print(f"1..{len(names) * len(LANGUAGES)}")
    with tempfile.TemporaryDirectory() as scratch:
        for (language, suffix, flags), compiler in zip(LANGUAGES, compilers):
            for header in names:
                number += 1
                if not compiler:
                    print(f"ok {number} - {header} as {language} # SKIP there is no {language} compiler")
                    continue
                wrong = check(folder, nm, compiler, suffix, flags, header, scratch)
                if wrong:
                    failed += 1
                    print("# " + "\n# ".join(wrong.splitlines()))
                print(f"{'not ok' if wrong else 'ok'} {number} - {header} as {language}")
    return 1 if failed else 0


sys.exit(main())
