#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ./dev says while it builds: its own few words, none of Meson's; and that it installs to a home with a
blank in its name. In a folder of its own, on a project of one program.

    tests/house/test_dev.py DEV

Speaks TAP.
"""

import os
import shutil
import subprocess
import sys
import tempfile

# As of Ebb: a program, and something of its own in share/ebb.
INSTALLED = """project('small', 'c')
executable('small', 'main.c', install: true)
install_data('main.c', install_dir: get_option('datadir') / 'ebb')
"""
OPTIONS = """option('tests', type: 'boolean', value: true)
option('examples', type: 'boolean', value: true)
option('gst-plugin-dir', type: 'string', value: '')
"""


class Checkout:
    """`dev` over a small project, on a machine where every package is installed."""

    def __init__(self, folder, dev):
        self.folder = folder
        shutil.copy(dev, os.path.join(folder, "dev"))
        self.write("main.c", "int main(void) { return 0; }\n")
        self.write("meson.build", "project('small', 'c')\nexecutable('small', 'main.c')\n")
        self.write("bin/dpkg-query", "#!/bin/sh\necho install ok installed\n")
        os.chmod(os.path.join(folder, "bin/dpkg-query"), 0o755)
        self.environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "LC_ALL": "C"}
        self.environment.pop("EBB_BUILD", None)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, *command):
        run = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return run.returncode, run.stdout.splitlines()


def main(dev):
    with tempfile.TemporaryDirectory() as folder:
        checkout = Checkout(folder, dev)
        built = ["Configuring", "Building: 2 steps"]
        results = [("builds", checkout.run("./dev", "build"), (0, built))]
        results.append(("nothing to do", checkout.run("./dev", "build"), (0, [])))
        checkout.run("meson", "configure", "build", "-Dwerror=true")
        results.append(("an option changed", checkout.run("./dev", "build"), (0, built)))
        checkout.write("meson.build", "project('small', 'c')\n")
        results.append(("less to build", checkout.run("./dev", "build"), (0, built[:1])))
        checkout.write("meson.build", "project('small', 'c')\nexecutable('small', 'none.c')\n")
        code, lines = checkout.run("./dev", "build")
        told = "dev: configuring failed" in lines and any("none.c" in line for line in lines)
        results.append(("a mistake in meson.build is shown", (code, lines), (1, lines if told else [])))
        checkout.write("meson.build", INSTALLED)
        checkout.write("meson_options.txt", OPTIONS)
        checkout.environment["HOME"] = os.path.join(folder, "a home")
        code, lines = checkout.run("./dev", "install", "--user")
        installed = os.path.exists(os.path.join(folder, "a home/.local/bin/small"))
        results.append(("installs to a home with a blank", (code, installed, lines), (0, True, lines)))
    print(f"1..{len(results)}")
    for i, (what, got, expected) in enumerate(results, 1):
        print(("ok" if got == expected else "not ok") + f" {i} - {what}")
        if got != expected:
            print(f"# got {got}, expected {expected}")


main(sys.argv[1])
