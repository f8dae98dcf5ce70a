#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page of `ebb render --report` in headless Chromium, which is driven through its debugging pipe.

test_page.py EBB TESTS_FOLDER
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

EVIL = "<img src=x onerror=alert(1)>\"&'#?%41"


class Browser:
    """Chromium with one page. Messages are JSON with a zero behind, on descriptors 3 and 4."""

    def __init__(self, program, profile):
        read_end, self.write = os.pipe()
        self.read, write_end = os.pipe()
        self.process = subprocess.Popen(
            [
                "sh",
                "-c",
                f'exec 3<&{read_end} 4>&{write_end} "$@"',
                "sh",
                program,
                "--headless",
                "--no-sandbox",
            ]
            + ["--disable-gpu", "--remote-debugging-pipe", "--autoplay-policy=no-user-gesture-required"]
            + ["--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}"]
            + ["--window-size=1280,1000", "about:blank"],
            pass_fds=(read_end, write_end),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_end)
        os.close(write_end)
        self.rest, self.number, self.session, self.events = b"", 0, None, []
        targets = self.call("Target.getTargets")["targetInfos"]
        self.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)  # who copies looks at the page

    def receive(self):
        while b"\0" not in self.rest:
            data = os.read(self.read, 1 << 16)
            if not data:
                raise RuntimeError("Chromium has ended")
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def run(self, script):
        """The value of a JavaScript expression, once it is known."""
        result = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, path):
        self.call("Page.enable")
        self.call("Network.enable")
        self.events.clear()
        self.call("Page.navigate", url="file://" + path)
        self.wait(f"location.pathname === {path!r} && document.readyState === 'complete'")

    def wait(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.run(condition):
                return True
            time.sleep(0.05)
        return False

    def key(self, key):
        self.run(
            f"document.body.dispatchEvent(new KeyboardEvent('keydown', {{key: {key!r}, bubbles: true}}))"
        )

    def seen(self, method):
        return [event["params"] for event in self.events if event.get("method") == method]

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.read)
        os.close(self.write)


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, condition, what):
        self.count += 1
        self.failed += not condition
        print(("ok" if condition else "not ok") + f" {self.count} - {what}", flush=True)

    def same(self, got, want, what):
        self.ok(got == want, what)
        if got != want:
            print(f"# got {got!r}\n# want {want!r}", flush=True)


def render(ebb, models, *arguments):
    run = subprocess.run(
        [ebb, "render", "--model", "tiny-sfx", "--device", "cpu", "--phase-iterations", "2", *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "EBB_MODEL_PATH": models},
    )
    return run.stdout


def write_list(path):
    rows = [
        {"label": "rain", "name": EVIL, "seed": 5},
        {"label": "kick", "folder": "a b/c", "format": "flac", "peak": -6},
        {"label": "bell", "format": "ogg", "lufs": -30},
        {"label": "rain", "seed": 9, "seconds": 0.5, "loop": True},
    ]
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def check_page(tap, browser, folder):
    browser.open(f"{folder}/page/index.html")
    data = browser.run("rows.map(row => ({...row.dataset}))")
    tap.same(len(data), 4, "a row for each sound")
    tap.same(data[0]["name"], EVIL + ".wav", "a name with marks in it is that name")
    tap.same(browser.run("document.querySelectorAll('.name')[0].textContent"), EVIL + ".wav", "and is shown")
    tap.same(browser.run("document.querySelectorAll('.row img').length"), 4, "and makes no element")
    tap.same([row["seed"] for row in data][0::3], ["5", "9"], "seeds")
    tap.same([row["label"] for row in data], ["rain", "kick", "bell", "rain"], "labels")
    tap.same(data[1]["peak"], "-6.0", "the peak that was asked for")
    tap.same(data[2]["lufs"], "-30.0", "the loudness that was asked for")
    tap.same(data[3]["seconds"], "0.500", "the length")
    images = "Array.from(document.images)"
    tap.ok(
        browser.wait(f"{images}.every(i => i.complete && i.naturalWidth === 480)"), "every picture is there"
    )
    for i, row in enumerate(data):
        browser.run(f"play(rows[{i}])")
        played = browser.wait("audio.duration > 0 && audio.currentTime > 0", 20)
        length = browser.run("audio.duration")
        tap.ok(played and abs(length - float(row["seconds"])) < 0.02, f"plays {row['name'].split('.')[-1]}")
        tap.ok(browser.run(f"rows[{i}].classList.contains('sounds')"), "and shows that it does")
        tap.same(browser.run("audio.loop"), i == 3, "round and round, if it is a loop")
    browser.run("stop()")
    tap.same(browser.run("document.querySelectorAll('.sounds').length"), 0, "and stops")


def check_ticks(tap, browser, folder):
    browser.run("rows[0].querySelector('input').click(); rows[1].querySelector('input').click()")
    tap.same(browser.run("document.getElementById('count').textContent"), "2 ticked", "ticks are counted")
    browser.run("document.getElementById('copy').click()")
    tap.ok(
        browser.wait("document.getElementById('count').textContent === '2 ticked, copied'", 10), "are copied"
    )
    names = [EVIL + ".wav", "a b/c/kick-s0-001.flac"]
    tap.same(browser.run("copied.value").split("\n"), names + [""], "as a list of files")
    tap.same(browser.run("navigator.clipboard.readText()").split("\n"), names + [""], "in the clipboard")
    for name in names:
        tap.ok(os.path.isfile(f"{folder}/sounds/{name}"), "each of which there is")
    for _ in range(20):  # Chromium hands what a page stored from one process to the next when it has time
        browser.open("/dev/null")
        time.sleep(0.25)
        browser.open(f"{folder}/page/index.html")
        if browser.run("ticked().length"):
            break
    tap.same(browser.run("ticked().length"), 2, "ticks are there when the page is opened again")
    browser.run("only.click()")
    shown = "rows.filter(row => !row.hidden).map(row => row.dataset.i).join()"
    tap.same(browser.run(shown), "0,1", "the ticked ones alone")
    browser.run("only.click(); find.value = 'bell'; find.dispatchEvent(new Event('input'))")
    tap.same(browser.run(shown), "2", "found by label")
    tap.same(browser.run("document.getElementById('shown').textContent"), "1 of 4 sounds", "and counted")
    browser.run("find.value = ''; find.dispatchEvent(new Event('input'))")
    browser.run("sort.value = 'seconds'; sort.dispatchEvent(new Event('change'))")
    tap.same(browser.run("list.firstElementChild.dataset.i"), "3", "the shortest first")
    browser.run("document.getElementById('none').click()")
    tap.same(browser.run("ticked().length"), 0, "none ticked")
    browser.key("j")
    browser.key("x")
    tap.same(browser.run("ticked().map(row => row.dataset.i).join()"), "3", "ticked by keys")
    browser.key(" ")
    tap.ok(browser.wait("sounding && sounding.dataset.i === '3'", 10), "played by a key")


def check_many(tap, browser, folder):
    """A page of three thousand rows: the rows of the page of four, repeated."""
    with open(f"{folder}/page/index.html", encoding="utf-8") as file:
        head, rest = file.read().split('<div id="list">\n')
        rows, tail = rest.split("\n</div>\n<footer>")
    with open(f"{folder}/page/many.html", "w", encoding="utf-8") as file:
        file.write(head + '<div id="list">\n')
        for i in range(750):  # each picture has an address of its own, so that none comes out of the cache
            file.write(rows.replace('.png"', f'.png?{i}"') + "\n")
        file.write("</div>\n<footer>" + tail)
    browser.open(f"{folder}/page/many.html")
    tap.same(browser.run("rows.length"), 3000, "three thousand rows")
    loaded = browser.run("Array.from(document.images).filter(i => i.complete && i.naturalWidth > 0).length")
    tap.ok(0 < loaded < 300, f"of which few pictures are loaded ({loaded})")
    tap.same(browser.run("document.querySelectorAll('audio').length"), 0, "and no player is made")
    browser.run("rows[2999].scrollIntoView()")
    last = "rows[2999].querySelector('img')"
    tap.ok(browser.wait(f"{last}.complete && {last}.naturalWidth > 0", 20), "the last when it is looked at")


def main():
    ebb, tests = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        print("1..0 # SKIP there is no Chromium here (Debian: chromium)")
        return 0
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        models = os.path.join(tests, "models")
        write_list(f"{folder}/list.jsonl")
        arguments = ["--list", f"{folder}/list.jsonl", "-o", f"{folder}/sounds", "--report", f"{folder}/page"]
        tap.ok("a page of 4 sounds" in render(ebb, models, *arguments), "a page is written")
        before = os.stat(f"{folder}/page/pictures/bell-s0-002.ogg.png").st_mtime_ns
        render(ebb, models, *arguments)
        after = os.stat(f"{folder}/page/pictures/bell-s0-002.ogg.png").st_mtime_ns
        tap.same(after, before, "a picture that is there is not drawn again")
        shutil.move(folder + "/page", folder + "/moved")
        shutil.move(folder + "/moved", folder + "/page")
        browser = Browser(program, f"{folder}/profile")
        try:
            check_page(tap, browser, folder)
            urls = [event["request"]["url"] for event in browser.seen("Network.requestWillBeSent")]
            away = [url for url in urls if not url.startswith(("file://", "data:"))]
            tap.ok(len(urls) > 4 and not away, f"nothing is asked of the network {away}")
            tap.same(browser.seen("Page.javascriptDialogOpening"), [], "no script but the page's runs")
            check_ticks(tap, browser, folder)
            check_many(tap, browser, folder)
        finally:
            browser.close()
    print(f"1..{tap.count}")
    return tap.failed > 0


sys.exit(main())
