#!/usr/bin/env python3
"""Writes a small log with receipts into a folder, as files: what check.py tries the verifiers on.

    fixture.py FOLDER [SIZE [OLD]]

`made/` is what `fixture.py made 300 200` wrote, without the entries: the tests of Temwen itself read it.

It knows nothing of Temwen's code or of the verifiers'. Its keys are made from fixed seeds, so that it writes the same
files each time; nobody may use them for anything else.
"""

import base64
import hashlib
import json
import os
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "log.temwen.example/v1/log"
WITNESSES = ["witness.one.example", "witness.two.example", "witness.three.example"]
SAID = "Yo pran telefòn mwen nan baryè a.\nSe te yon sòlda, li te pale anglè."


def b64(data):
    return base64.b64encode(data).decode()


def sha(data):
    return hashlib.sha256(data).digest()


def root(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else sha(b"")
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\1" + root(hashes[:half]) + root(hashes[half:]))


def path(index, hashes):
    if len(hashes) < 2:
        return []
    half = 1 << (len(hashes) - 1).bit_length() - 1
    if index < half:
        return path(index, hashes[:half]) + [root(hashes[half:])]
    return path(index - half, hashes[half:]) + [root(hashes[:half])]


class Signer:
    def __init__(self, name, kind, seed=None):
        self.name, self.kind = name, kind
        self.private = Ed25519PrivateKey.from_private_bytes(sha((seed or name).encode()))
        self.public = bytes([kind]) + self.private.public_key().public_bytes_raw()
        self.id = sha(name.encode() + b"\n" + self.public)[:4]
        self.vkey = f"{name}+{self.id.hex()}+{b64(self.public)}"

    def line(self, body, at=None):
        if self.kind == 1:
            signature = self.private.sign(body.encode())
        else:
            signature = at.to_bytes(8, "big") + self.private.sign(f"cosignature/v1\ntime {at}\n{body}".encode())
        return f"\u2014 {self.name} {b64(self.id + signature)}\n"


def entry(number, salt, words):
    def uuid(what):
        h = sha(f"{what} {number}".encode()).hex()
        return f"{h[:8]}-{h[8:12]}-7{h[13:16]}-8{h[17:20]}-{h[20:32]}"

    return json.dumps(
        {
            "action": "complaint.received" if words else "case.stage_changed",
            "actor": {"id": uuid("actor"), "kind": "public"},
            "at": f"2026-11-22T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.000000Z",
            "changes": [],
            "detail": {"words": sha(salt + words.encode()).hex()} if words else {},
            "id": uuid("id"),
            "object": {"id": uuid("object"), "kind": "complaint" if words else "case"},
            "salt": sha(f"leaf {number}".encode()).hex()[:32],
            "v": 1,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )


def main():
    folder = sys.argv[1]
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 600
    old = int(sys.argv[3]) if len(sys.argv) > 3 else size // 2
    log, strange = Signer(ORIGIN, 1), Signer(ORIGIN, 1, "another key")
    witnesses = [Signer(name, 4) for name in WITNESSES]

    def write(name, data):
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())

    def note(hashes, signer=log, seen_by=()):
        body = f"{ORIGIN}\n{len(hashes)}\n{b64(root(hashes))}\n"
        lines = [witness.line(body, 1_795_355_228 + n) for n, witness in enumerate(seen_by)]
        return body + "\n" + signer.line(body) + "".join(lines)

    salts = [sha(f"salt {n}".encode()) for n in range(size)]
    # Every third entry is the arrival of a complaint; the words of the first are fixed, so is their place.
    place, other = min(42, size - 1) // 3 * 3, 0
    words = [(SAID if n == place else f"words of complaint {n}") if n % 3 == 0 else "" for n in range(size)]
    entries = [entry(n, salts[n], words[n]) for n in range(size)]
    hashes = [sha(b"\0" + one.encode()) for one in entries]

    def receipt(n, of, seen_by):
        extra = {"entry": entries[n], "salt": salts[n].hex()}
        proof = "c2sp.org/tlog-proof@v1\n"
        proof += f"extra {b64(json.dumps(extra, separators=(',', ':'), ensure_ascii=False).encode())}\nindex {n}\n"
        proof += "".join(b64(one) + "\n" for one in path(n, hashes[:of])) + "\n" + note(hashes[:of], log, seen_by)
        return proof, json.dumps({**extra, "proof": proof}, ensure_ascii=False)

    write("key", log.vkey + "\n")
    write("key.of-another-log", strange.vkey + "\n")
    write("witnesses", "".join(witness.vkey + "\n" for witness in witnesses))
    write("words.txt", SAID + "\n")
    write("other-words.txt", words[other] + "\n")
    proof, whole = receipt(place, old, witnesses[:2])
    write("receipt.tlog-proof", proof)
    write("receipt.json", whole)
    write("other-receipt.tlog-proof", receipt(other, old, ())[0])
    write("old-checkpoint", note(hashes[:old]))
    forked = hashes[: old - 1] + [sha(b"another")]
    write("forked-checkpoint", note(forked))
    write("forked-now", note(hashes[:-1] + [sha(b"another")]))
    write("larger-checkpoint", note([*hashes, sha(b"one more")]))
    write("log/checkpoint", note(hashes, log, witnesses[:1]))
    level, below = 0, hashes
    while below:
        for index in range(-(-len(below) // 256)):
            tile = below[256 * index : 256 * index + 256]
            number, parts = f"{index % 1000:03}", index // 1000
            while parts:
                number, parts = f"x{parts % 1000:03}/{number}", parts // 1000
            suffix = "" if len(tile) == 256 else f".p/{len(tile)}"
            write(f"log/tile/{level}/{number}{suffix}", b"".join(tile))
        below = [root(below[256 * i : 256 * i + 256]) for i in range(len(below) // 256)]
        level += 1
    for first in range(0, size, 256):
        some = [one.encode() for one in entries[first : first + 256]]
        number, parts = f"{first // 256 % 1000:03}", first // 256 // 1000
        while parts:
            number, parts = f"x{parts % 1000:03}/{number}", parts // 1000
        suffix = "" if len(some) == 256 else f".p/{len(some)}"
        write(f"log/tile/entries/{number}{suffix}", b"".join(len(one).to_bytes(2, "big") + one for one in some))


main()
