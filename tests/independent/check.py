#!/usr/bin/env python3
"""Tries verify.go and verify.py on logs that fixture.py makes: good ones, and ones tampered with in every way we know.

    check.py [verify.go | verify.py]

Needs Go and golang.org/x/mod (Debian: golang-go, golang-golang-x-mod-dev) and python3-cryptography; for the commands
of docs/VERIFY.md openssl and xxd.
"""

import base64
import functools
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
done = 0


def run(*command, **how):
    return subprocess.run(command, capture_output=True, text=True, check=False, **how)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


class Stage:
    """One fixture, and one verifier to try on it."""

    def __init__(self, verifier, folder):
        self.verifier, self.folder = verifier, folder
        self.witnesses = read(self.at("witnesses")).decode().split()

    def at(self, *parts):
        return os.path.join(self.folder, *parts)

    def copy(self, name, to):
        shutil.rmtree(self.at(to), ignore_errors=True)
        shutil.copytree(self.at(name), self.at(to))
        return self.at(to)

    def try_it(self, what, wanted, says=None, key="key", **given):
        global done
        command = [*self.verifier, "-key", self.at(key)]
        for name, value in given.items():
            for one in value if isinstance(value, list) else [value]:
                command += ["-" + name.replace("_", "-"), str(one)]
        ran = run(*command)
        done += 1
        if ran.returncode not in (wanted if isinstance(wanted, tuple) else (wanted,)) or says and says not in ran.stdout:
            sys.exit(f"{what}: exit {ran.returncode} instead of {wanted}\n{' '.join(command)}\n{ran.stdout}{ran.stderr}")
        if "Traceback" in ran.stderr or "panic" in ran.stderr:
            sys.exit(f"{what}: it broke\n{ran.stderr}")
        return ran.returncode


def log(stage):
    now, at = stage.at("log"), stage.at
    everything = {"old": at("old-checkpoint"), "receipt": at("receipt.json"), "words": at("words.txt")}
    two = {"witness": stage.witnesses[:2], "witnesses_needed": 2}
    stage.try_it("all is well", 0, log=now, **everything, witness=stage.witnesses[:1], witnesses_needed=1)
    stage.try_it("a receipt alone", 0, receipt=at("receipt.tlog-proof"), words=at("words.txt"), **two)
    stage.try_it("the key of another log", 1, "WRONG", key="key.of-another-log", log=now)
    stage.try_it("the key of another log", 1, "WRONG", key="key.of-another-log", receipt=at("receipt.json"))
    stage.try_it("other words", 1, "WRONG", receipt=at("receipt.json"), words=at("other-words.txt"))
    stage.try_it("another receipt", 1, "WRONG", receipt=at("other-receipt.tlog-proof"), words=at("words.txt"))
    stage.try_it("too few witnesses", 1, "WRONG", receipt=at("receipt.json"), witness=stage.witnesses, witnesses_needed=3)
    stage.try_it("a witness that did not sign", 1, "WRONG", receipt=at("receipt.json"), witness=stage.witnesses[2], witnesses_needed=1)
    stage.try_it("more witnesses needed than named", 2, receipt=at("receipt.json"), witnesses_needed=1)
    stage.try_it("rollback", 1, "ROLLBACK", log=now, old=at("larger-checkpoint"))
    stage.try_it("fork", 1, "FORK", log=now, old=at("forked-checkpoint"))
    stage.try_it("fork of one size", 1, "FORK", log=now, old=at("forked-now"))
    stage.try_it("no log", (1, 2), log=at("nowhere"))
    stage.try_it("no server", 2, log="http://127.0.0.1:1/v1/log")
    stage.try_it("no old checkpoint", 2, log=now, old=at("nowhere"))
    stage.try_it("no receipt", 2, receipt=at("nowhere"))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=stage.folder))
    threading.Thread(target=served.serve_forever, daemon=True).start()
    stage.try_it("all is well over HTTP", 0, log=f"http://127.0.0.1:{served.server_port}/log", **everything)
    stage.try_it("no log over HTTP", (1, 2), log=f"http://127.0.0.1:{served.server_port}/nowhere")
    served.shutdown()

    changed = stage.copy("log", "changed")
    checkpoint = read(os.path.join(changed, "checkpoint"))
    for place in (0, len(checkpoint) // 2, len(checkpoint) - 20):
        write(os.path.join(changed, "checkpoint"), checkpoint[:place] + bytes([checkpoint[place] ^ 1]) + checkpoint[place + 1 :])
        stage.try_it(f"byte {place} of the checkpoint", (1, 2), log=changed, witness=stage.witnesses[:1], witnesses_needed=1)

    tiles = []
    for folder, _, names in os.walk(at("log", "tile")):
        tiles += [os.path.relpath(os.path.join(folder, name), at("log")) for name in names if "entries" not in folder]
    tiles.sort()
    for tile in tiles if len(tiles) < 10 else (tiles[0], tiles[len(tiles) // 2], tiles[-2], tiles[-1]):
        data = read(at("log", tile))
        for what, worse in (
            ("changed", data[:-1] + bytes([data[-1] ^ 1])),
            ("shorter", data[:-1]),
            ("longer", data + b"x"),
            ("empty", b""),
        ):
            changed = stage.copy("log", "changed")
            write(os.path.join(changed, tile), worse)
            stage.try_it(f"{tile} {what}", 1, "WRONG", log=changed)
        changed = stage.copy("log", "changed")
        os.remove(os.path.join(changed, tile))
        stage.try_it(f"{tile} missing", 1, "missing", log=changed)
    changed = stage.copy("log", "changed")
    os.remove(os.path.join(changed, tiles[0]))
    stage.try_it("rollback, and a tile missing", 1, "ROLLBACK", log=changed, old=at("larger-checkpoint"))
    stage.try_it("grown, and a tile missing", 1, "cannot check", log=changed, old=at("old-checkpoint"))
    if os.path.exists(at("log/tile/0/001")):
        changed = stage.copy("log", "changed")
        os.rename(os.path.join(changed, "tile/0/000"), os.path.join(changed, "aside"))
        os.rename(os.path.join(changed, "tile/0/001"), os.path.join(changed, "tile/0/000"))
        os.rename(os.path.join(changed, "aside"), os.path.join(changed, "tile/0/001"))
        stage.try_it("two tiles swapped", 1, "WRONG", log=changed)


def receipt(stage, every):
    """Changes one byte at a time. What is still accepted must mean the same."""
    given = read(stage.at("receipt.tlog-proof"))
    signed_by_two = {"witness": stage.witnesses[:2], "witnesses_needed": 2}
    worse = stage.at("worse")
    for data in (b"", given[:1], given[: len(given) // 2], given[:-30], b"\0" * 4096, os.urandom(4096), b"x" * 10_000_000):
        write(worse, data)
        stage.try_it("no receipt", (1, 2), receipt=worse)
    accepted = 0
    for place in range(0, len(given), every):
        data = given[:place] + bytes([given[place] ^ 1]) + given[place + 1 :]
        write(worse, data)
        if stage.try_it(f"byte {place}", (0, 1, 2), receipt=worse, words=stage.at("words.txt"), **signed_by_two) == 0:
            accepted += 1
            # The last digit of base64 has bits that stand for nothing.
            line = given[: given.find(b"\n", place)].rsplit(b"\n", 1)[-1]
            start = given.rfind(b"\n", 0, place) + 1
            other = data[start : start + len(line)]
            before, after = (base64.b64decode(one.split(b" ")[-1]) for one in (line, other))
            if before != after:
                sys.exit(f"byte {place} of the receipt was changed, and nobody noticed")
    return accepted


def by_hand(folder):
    """Runs the commands of docs/VERIFY.md as they stand there."""
    text = read(os.path.join(HERE, "../../docs/VERIFY.md")).decode()
    commands = [block.split("```", 1)[0] for block in text.split("```sh\n")[1:]]
    ran = run("bash", "-euo", "pipefail", "-c", "".join(commands), cwd=folder)
    lines = ran.stdout.splitlines()
    good = {"Signature Verified Successfully", "in the tree"} <= set(lines)
    digests = [line for line in lines if len(line) == 64]
    if ran.returncode or not good or len(digests) != 3 or digests[0] != digests[1]:
        sys.exit(f"the commands of docs/VERIFY.md: exit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    print(f"docs/VERIFY.md: its {len(commands)} blocks of commands say that all is well")


def main():
    which = sys.argv[1:] or ["verify.go", "verify.py"]
    with tempfile.TemporaryDirectory() as work:
        fixture = os.path.join(HERE, "fixture.py")
        verifiers = {"verify.py": [sys.executable, os.path.join(HERE, "verify.py")]}
        if "verify.go" in which:
            verifiers["verify.go"] = [os.path.join(work, "verify")]
            go = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": os.path.join(work, "cache")}
            sources = [os.path.join(HERE, name) for name in ("verify.go", "tiles.go", "receipt.go")]
            built = run("go", "build", "-o", verifiers["verify.go"][0], *sources, env=go)
            if built.returncode:
                sys.exit(built.stderr)
        for size, old in ((1, 1), (2, 1), (255, 254), (256, 255), (257, 256), (600, 300), (70_000, 51_234)):
            folder = os.path.join(work, str(size))
            made = run(sys.executable, fixture, folder, str(size), str(old))
            if made.returncode:
                sys.exit(made.stderr)
            if size == 600:
                by_hand(folder)
            for name in which:
                stage = Stage(verifiers[name], folder)
                if size in (600, 70_000):
                    log(stage)
                else:
                    stage.try_it(
                        f"{size} entries", 0, log=stage.at("log"), old=stage.at("old-checkpoint"),
                        receipt=stage.at("receipt.json"), words=stage.at("words.txt"),
                    )
                if size == 600:
                    accepted = receipt(stage, 1 if name == "verify.go" else 29)
                    print(f"{name}: of all changed bytes of a receipt, {accepted} were accepted, which mean the same")
    print(f"{done} trials, all as they must be")


main()
