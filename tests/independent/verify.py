#!/usr/bin/env python3
"""Verifies a log of Temwen from outside, and a receipt, without any of Temwen's code: the second opinion to verify.go.

Needs Python 3.9 and its package `cryptography` (Debian: python3-cryptography). It takes what verify.go takes. It is RFC 6962
and the formats of C2SP written down as plainly as we could: read it before you trust it. It holds all leaf hashes of a log
in memory, 32 bytes each.

Exit codes: 0 all is well, 1 something is wrong and named, 2 it could not be checked.
"""

import argparse
import base64
import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from datetime import datetime, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LIMIT = 1 << 20


class Wrong(Exception):
    """Something is not as it must be."""


# RFC 6962 -------------------------------------------------------------------------------------------------------------


def leaf_hash(leaf):
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def split(size):
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def tree_hash(hashes):
    """The root over hashes of leaves (section 2.1)."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        pairs = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        # A hash without a neighbour rises as it is.
        hashes = pairs + hashes[len(hashes) - len(hashes) % 2 :]
    return hashes[0]


def root_by_inclusion(index, size, leaf, proof):
    """The root that an inclusion proof leads to (section 2.1.1)."""
    if size == 1:
        if proof:
            raise Wrong("the proof is too long")
        return leaf
    if not proof:
        raise Wrong("the proof is too short")
    half = split(size)
    if index < half:
        return node_hash(root_by_inclusion(index, half, leaf, proof[:-1]), proof[-1])
    return node_hash(proof[-1], root_by_inclusion(index - half, size - half, leaf, proof[:-1]))


def consistency_proof(old, hashes, whole=True):
    """PROOF(old, hashes) of section 2.1.2, made from the leaves."""
    size = len(hashes)
    if old == size:
        return [] if whole else [tree_hash(hashes)]
    half = split(size)
    if old <= half:
        return consistency_proof(old, hashes[:half], whole) + [tree_hash(hashes[half:])]
    return consistency_proof(old - half, hashes[half:], False) + [tree_hash(hashes[:half])]


def roots_by_consistency(old, size, proof, old_root, whole=True):
    """The two roots that a consistency proof leads to."""
    if old == size:
        if whole:
            return old_root, old_root
        return proof[0], proof[0]
    half, last = split(size), proof[-1]
    if old <= half:
        before, now = roots_by_consistency(old, half, proof[:-1], old_root, whole)
        return before, node_hash(now, last)
    before, now = roots_by_consistency(old - half, size - half, proof[:-1], old_root, False)
    return node_hash(last, before), node_hash(last, now)


# Signed notes, checkpoints, cosignatures ------------------------------------------------------------------------------


class Key:
    """A verifier key: `name+id+base64(type, public key)`."""

    def __init__(self, line):
        self.name, number, key = line.strip().split("+", 2)
        raw = base64.b64decode(key, validate=True)
        self.kind, self.key = raw[0], Ed25519PublicKey.from_public_bytes(raw[1:])
        self.id = hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        if self.id.hex() != number or self.kind not in (1, 4):
            raise ValueError("the id does not fit the key, or the type is unknown")


class Checkpoint:
    def __init__(self, what, note, keys):
        text, gap, lines = note.rpartition("\n\n")
        text += "\n"
        body = text.split("\n")
        if not gap or not lines.endswith("\n") or len(body) != 4 or not body[0]:
            raise Wrong(f"{what}: it is no checkpoint")
        self.text, self.origin, self.size = note, body[0], int(body[1])
        self.root = base64.b64decode(body[2], validate=True)
        if str(self.size) != body[1] or self.size < 0 or len(self.root) != 32:
            raise Wrong(f"{what}: its size or its root cannot be")
        signed, self.seen = False, []
        for line in lines[:-1].split("\n"):
            dash, name, signature = line.split(" ")
            raw = base64.b64decode(signature, validate=True)
            if dash != "\u2014":
                raise Wrong(f"{what}: a signature line is malformed")
            for key in keys:
                if key.name != name or key.id != raw[:4]:
                    continue
                try:
                    if key.kind == 1:
                        key.key.verify(raw[4:], text.encode())
                        signed = signed or name == self.origin
                    else:
                        at = int.from_bytes(raw[4:12], "big")
                        key.key.verify(raw[12:], f"cosignature/v1\ntime {at}\n{text}".encode())
                        when = datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                        self.seen.append(f"{name} at {when}")
                except InvalidSignature:
                    raise Wrong(f"{what}: the signature of {name} is false") from None
        if not signed:
            raise Wrong(f"{what}: not signed by the key that you gave")


# What the log serves --------------------------------------------------------------------------------------------------


class Source:
    def __init__(self, where):
        self.where = where.rstrip("/")

    def get(self, path):
        try:
            if "://" not in self.where:
                with open(os.path.join(self.where, path), "rb") as file:
                    return file.read(LIMIT)
            with urllib.request.urlopen(f"{self.where}/{path}", timeout=30) as answer:
                return answer.read(LIMIT)
        except FileNotFoundError:
            raise Wrong(f"{path} is missing") from None
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                raise Wrong(f"{path} is missing") from None
            raise

    def tile(self, level, index, width):
        number, parts = f"{index % 1000:03}", index // 1000
        while parts:
            number, parts = f"x{parts % 1000:03}/{number}", parts // 1000
        path = f"tile/{level}/{number}"
        try:
            data = self.get(path if width == 256 else f"{path}.p/{width}")
        except Wrong:
            if width == 256:
                raise
            data = self.get(path)[: 32 * width]
        if len(data) != 32 * width:
            raise Wrong(f"{path} has {len(data)} bytes, must have {32 * width}")
        return [data[i : i + 32] for i in range(0, len(data), 32)]


def leaves(point, source):
    """All hashes of leaves, after every tile of every level was compared with the level below it."""
    bottom = below = None
    level, tiles = 0, 0
    size = point.size
    while size:
        level_hashes = []
        for index in range(-(-size // 256)):
            level_hashes += source.tile(level, index, min(256, size - 256 * index))
            tiles += 1
        if below is None:
            bottom = level_hashes
        elif level_hashes != [tree_hash(below[i : i + 256]) for i in range(0, size * 256, 256)]:
            raise Wrong(f"a tile of level {level} is not made of the tiles below it")
        below, size, level = level_hashes, size // 256, level + 1
    bottom = bottom or []
    if tree_hash(bottom) != point.root:
        raise Wrong("the tiles give another root than the one that was signed")
    return bottom, tiles


def grown(before, now, hashes):
    if before.origin != now.origin:
        raise Wrong(f"these are two logs: {before.origin!r} and {now.origin!r}")
    if before.size > now.size:
        raise Wrong(f"ROLLBACK: the log once held {before.size} entries, now {now.size}")
    if before.size == now.size and before.root != now.root:
        raise Wrong(f"FORK: the log signed two different trees of {now.size} entries")
    if before.size in (0, now.size):
        return
    proof = consistency_proof(before.size, hashes)
    if roots_by_consistency(before.size, now.size, proof, before.root) != (before.root, now.root):
        raise Wrong(f"FORK: the first {before.size} entries are not those that the log once signed")


# Receipts -------------------------------------------------------------------------------------------------------------


class Receipt:
    def __init__(self, data, keys):
        text = data.decode()
        given = json.loads(text) if text.startswith("{") else {"proof": text}
        head, _, note = given["proof"].partition("\n\n")
        first, *lines = head.split("\n")
        if first != "c2sp.org/tlog-proof@v1":
            raise ValueError("the file is none")
        if lines[0].startswith("extra "):
            within = json.loads(base64.b64decode(lines.pop(0)[6:], validate=True))
            given = {**within, **given}
            if (given["entry"], given["salt"]) != (within["entry"], within["salt"]):
                raise Wrong("the receipt: it says two different things about its entry")
        name, number = lines.pop(0).split(" ")
        self.index, self.salt = int(number), bytes.fromhex(given["salt"])
        if name != "index" or str(self.index) != number:
            raise ValueError("it names no place")
        self.point = Checkpoint("the receipt's checkpoint", note, keys)
        leaf = leaf_hash(given["entry"].encode())
        proof = [base64.b64decode(line, validate=True) for line in lines]
        if self.index >= self.point.size or self.point.root != root_by_inclusion(
            self.index, self.point.size, leaf, proof
        ):
            raise Wrong("the receipt: its entry is not in the tree that the log signed")
        self.entry = json.loads(given["entry"])

    def matches(self):
        if self.entry["action"] not in ("complaint.received", "complaint.imported") or self.entry["object"]["kind"] != "complaint":
            raise Wrong(f"the entry: it is not about the arrival of a complaint, but says {self.entry['action']!r}")

    def said(self, words):
        if "words" not in self.entry["detail"]:
            raise ValueError("the entry holds no fingerprint of any words")
        # Editors end a file with a line break that nobody typed.
        for tried in (words, words.removesuffix(b"\n").removesuffix(b"\r")):
            if hashlib.sha256(self.salt + tried).hexdigest() == self.entry["detail"]["words"]:
                return
        raise Wrong("the words: those in the file are not the ones that were handed in, to the letter")


# ----------------------------------------------------------------------------------------------------------------------


def read(path):
    with open(path, "rb") as file:
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise ValueError(f"{path} is too long")
    return data


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], add_help=True)
    for name in ("log", "old", "receipt", "words", "save"):
        parser.add_argument(f"-{name}")
    parser.add_argument("-key", action="append", required=True)
    parser.add_argument("-witness", action="append", default=[])
    parser.add_argument("-witnesses-needed", type=int, default=0)
    given = parser.parse_args()
    if not given.log and not given.receipt or given.words and not given.receipt:
        parser.error("give -log, or -receipt, or both; -words needs -receipt")
    code = 0

    def step(said, check):
        """Runs one check and prints one line. Wrong weighs more than unknown."""
        nonlocal code
        try:
            result = check()
            print("ok           ", said(result) if callable(said) else said)
            return result if result is not None else True
        except Wrong as found:
            print("WRONG        ", found)
            code = 1
        except Exception as error:  # whatever it is, it was not checked
            print("cannot check ", f"{type(error).__name__}: {error}")
            code = code or 2
        return None

    def enough(point):
        if len(point.seen) < given.witnesses_needed:
            raise Wrong(f"{len(point.seen)} of your witnesses signed, {given.witnesses_needed} are needed")
        return ", ".join(point.seen) or "none that you named"

    def trusted():
        lines = []
        for key in given.key:
            lines += read(key).decode().split() if os.path.exists(key) else [key]
        logs, witnesses = [Key(line) for line in lines], [Key(line) for line in given.witness]
        if any(key.kind != 1 for key in logs) or any(key.kind != 4 for key in witnesses):
            raise ValueError("a log's key is of type 1, a witness's of type 4")
        if given.witnesses_needed > len(witnesses):
            raise ValueError("more witnesses are needed than you named")
        return logs + witnesses

    keys = step("the keys can be read", trusted)
    if not keys:
        return code
    receipt = None
    if given.receipt:
        receipt = step(
            lambda r: f"the receipt: entry {r.index} of {r.point.origin!r} is in the tree of {r.point.size} entries"
            " that the log signed",
            lambda: Receipt(read(given.receipt), keys),
        )
    if receipt:
        entry = receipt.entry
        step(
            f"the entry: {entry.get('action')} of {entry.get('object', {}).get('id')} at {entry.get('at')},"
            " by the log's own clock",
            receipt.matches,
        )
        step(lambda seen: f"the receipt's witnesses: {seen}", lambda: enough(receipt.point))
        if given.words:
            step("the words: they are exactly those that were handed in", lambda: receipt.said(read(given.words)))
    if not given.log:
        return code
    source = Source(given.log)
    now = step(
        lambda p: f"the checkpoint: {p.origin!r} signed a tree of {p.size} entries",
        lambda: Checkpoint("the checkpoint", source.get("checkpoint").decode(), keys),
    )
    if not now:
        return code
    step(lambda seen: f"the checkpoint's witnesses: {seen}", lambda: enough(now))
    tiles = step(
        lambda found: f"the tiles: {found[1]} of them give exactly the root that was signed",
        lambda: leaves(now, source),
    )
    hashes = tiles[0] if tiles else None

    def same_log(before):
        if hashes is None and 0 < before.size < now.size:
            raise ValueError("without good tiles nothing can be said about how the log grew")
        grown(before, now, hashes)

    if given.old:
        old = step(
            lambda p: f"the old checkpoint: {p.origin!r} signed a tree of {p.size} entries",
            lambda: Checkpoint("the old checkpoint", read(given.old).decode(), keys),
        )
        if old:
            step(
                f"the log grew from {old.size} to {now.size} entries, and nothing before was changed",
                lambda: same_log(old),
            )
    if receipt:
        step("the log still holds all that it held when it gave the receipt", lambda: same_log(receipt.point))
    if given.save and tiles and code == 0:
        with open(given.save, "w", encoding="utf-8") as file:
            file.write(now.text)
    return code


if __name__ == "__main__":
    sys.exit(main())
