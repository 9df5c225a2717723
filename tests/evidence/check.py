#!/usr/bin/env python3
"""Uploads with a tus client that is not ours, and an S3-compatible server that is not ours.

    check.py [PROGRAM]

PROGRAM is target/debug/temwen unless given. It is started twice: with evidence in a directory, and in a bucket. Python
packages go to target/tools/evidence; what is listed in requirements.txt is fetched there once. Everything listens on loopback
alone, and is stopped in the end.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PLACE = os.path.join(ROOT, "target", "tools", "evidence")
PYTHON = os.path.join(PLACE, "bin", "python3")
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
MARKER = b"PLANTED-IN-A-FILE-"


def ready():
    """A Python with what the two need; this program goes on in it."""
    if sys.prefix == PLACE:
        return
    if not os.path.exists(os.path.join(PLACE, "ready")):
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", os.path.join(HERE, "requirements.txt")], check=True)
        open(os.path.join(PLACE, "ready"), "w").close()
    os.execv(PYTHON, [PYTHON, os.path.abspath(__file__), *sys.argv[1:]])


class Server:
    """temwen serve --demo, on a port of its own."""

    def __init__(self, program, folder, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TEMWEN_", "DATABASE_", "AWS_"))}
        self.process = subprocess.Popen(
            [program, "serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir", folder],
            stdout=subprocess.PIPE, stderr=open(os.path.join(folder, "log"), "w"), text=True, env={**kept, **environment})
        self.passwords = {}
        for line in self.process.stdout:
            if account := re.match(r"\s+(\S+@\S+)\s+(\S+)$", line):
                self.passwords[account[1]] = account[2]
            if address := re.search(r"listens on (http://\S+)", line):
                self.address = address[1]
                break
        else:
            sys.exit("the server did not start:\n" + open(os.path.join(folder, "log")).read())

    def ask(self, method, path, body=None, token=None, **headers):
        request = urllib.request.Request(self.address + path, method=method, data=None if body is None else json.dumps(body).encode())
        headers = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if token:
            headers["Authorization"] = "Bearer " + token
        for name, value in headers.items():
            request.add_header(name, value)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def sign_in(self, email):
        pair = self.ask("POST", "/v1/sessions", {"email": email, "password": self.passwords[email]})
        return json.loads(pair)["access_token"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def case(server, token):
    complaint = {"channel": "web_form", "language": "en", "narrative": "A patrol was rude.", "reported_category": "minor_misconduct"}
    receipt = json.loads(server.ask("POST", "/v1/complaints", complaint, token))
    decision = {"decision": "open_case", "category": "minor_misconduct", "priority": "routine", "reason": "It can be a breach."}
    opened = server.ask("POST", f"/v1/complaints/{receipt['id']}/assessment", decision, token, If_Match='"1"')
    return json.loads(opened)["id"]


def upload(server, objects):
    """A file of several parts: broken off, taken up again by another client, downloaded; nothing of it in the clear."""
    from tusclient import client

    token = server.sign_in("triage_officer@demo.example")
    at = f"/v1/cases/{case(server, token)}/evidence"
    file = MARKER * 1_200_000
    path = os.path.join(tempfile.gettempdir(), f"temwen-tus-{os.getpid()}")
    with open(path, "wb") as whole:
        whole.write(file)
    try:
        tus = client.TusClient(server.address + at + "/uploads", headers={"Authorization": "Bearer " + token})
        said = {"filename": "planted-name.bin", "sha256": hashlib.sha256(file).hexdigest()}
        first = tus.uploader(path, chunk_size=3_000_000, metadata=said)
        first.upload_chunk()
        first.upload_chunk()
        second = tus.uploader(path, url=first.url, chunk_size=5_000_000)
        if second.get_offset() != 6_000_000:
            sys.exit(f"the upload is at {second.get_offset()} and not where it broke off")
        second.upload()
    finally:
        os.remove(path)
    evidence = first.url.rsplit("/", 1)[1]
    known = json.loads(server.ask("GET", f"{at}/{evidence}", token=token))
    if known["sha256"] != said["sha256"] or known["name"] != said["filename"]:
        sys.exit(f"another file came than was sent: {known}")
    if server.ask("GET", f"{at}/{evidence}/content", token=token) != file:
        sys.exit("another file went than came")
    if server.ask("GET", f"{at}/{evidence}/content", token=token, Range="bytes=5999990-6000010") != file[5999990:6000011]:
        sys.exit("a range is another")
    kept = objects()
    if len(kept) < 4 or any(MARKER[:9] in each for each in kept):
        sys.exit(f"of {len(kept)} objects, one holds what is in the file")
    # What is given up leaves nothing.
    third = client.TusClient(server.address + at + "/uploads", headers={"Authorization": "Bearer " + token})
    left = third.uploader(file_stream=__import__("io").BytesIO(b"x" * 100), chunk_size=50)
    left.upload_chunk()
    server.ask("DELETE", left.url.removeprefix(server.address), token=token, Tus_Resumable="1.0.0")
    if len(objects()) != len(kept):
        sys.exit("what was given up is still there")
    return len(kept)


def in_directory(program):
    folder = tempfile.mkdtemp(prefix="temwen-evidence-")
    os.chmod(folder, 0o711)
    server = Server(program, folder)

    def objects():
        found = []
        for place, _, names in os.walk(os.path.join(folder, "evidence")):
            found += [open(os.path.join(place, name), "rb").read() for name in names]
        return found

    try:
        print(f"   a directory: {upload(server, objects)} objects, all sealed")
    finally:
        server.stop()
        shutil.rmtree(folder)


def in_bucket(program):
    import boto3
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    s3.start()
    host, port = s3.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    bucket = boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test").Bucket("temwen")
    bucket.create()
    folder = tempfile.mkdtemp(prefix="temwen-evidence-")
    os.chmod(folder, 0o711)
    server = Server(program, folder, TEMWEN_EVIDENCE_STORE="s3://temwen/files", AWS_ENDPOINT=endpoint, **KEYS)

    def objects():
        return [each.get()["Body"].read() for each in bucket.objects.filter(Prefix="files/")]

    try:
        print(f"   a bucket: {upload(server, objects)} objects, all sealed")
        if os.path.exists(os.path.join(folder, "evidence")):
            sys.exit("something was kept in a directory too")
    finally:
        server.stop()
        s3.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    ready()
    began = time.time()
    built = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target", "debug", "temwen")
    in_directory(built)
    in_bucket(built)
    print(f"   a tus client and an S3 server that are not ours: all is well ({time.time() - began:.0f} s)")
