#!/usr/bin/env python3
"""`mortem bt` with a real debuginfod server on loopback: debug file and source come from there; a server that is not
there is said once and costs no time.

usage: debuginfod_server.py MORTEM FOLDER
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

SOURCE = "int *nothing;\nint inner(void) {\n\treturn *nothing;  // the line that dies\n}\nint main(void) { return inner(); }\n"


def fail(text):
    sys.exit("debuginfod_server.py: " + text)


def main():
    mortem, folder = sys.argv[1:3]
    shutil.rmtree(folder, ignore_errors=True)
    served = os.path.join(folder, "served")
    os.makedirs(served)
    with open(os.path.join(served, "dies.c"), "w") as file:
        file.write(SOURCE)
    program, core = os.path.join(folder, "program"), os.path.join(folder, "core")
    subprocess.run(["gcc", "-g", "-O0", "-Wl,--build-id", os.path.join(served, "dies.c"), "-o", program], check=True)
    subprocess.run(["objcopy", "--only-keep-debug", program, os.path.join(served, "program.debug")], check=True)
    subprocess.run(["strip", program], check=True)
    subprocess.run(["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set startup-with-shell off", "-ex",
                    "run", "-ex", "generate-core-file " + core, program], stdout=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = dict(os.environ, DEBUGINFOD_CACHE_PATH=os.path.join(folder, "cache"),
                       DEBUGINFOD_URLS="http://127.0.0.1:%d/" % port, XDG_CACHE_HOME=os.path.join(folder, "store"))

    def bt(*more):
        started = time.monotonic()
        done = subprocess.run([mortem, "bt", core, *more], capture_output=True, text=True, env=environment, timeout=120)
        if done.returncode != 0:
            fail(done.stderr)
        return done.stdout, done.stderr, time.monotonic() - started

    out, missing, _ = bt()
    if "inner" in out or "do not answer" not in missing:
        fail("without a server: %s%s" % (out, missing))

    build_id = json.loads(subprocess.run([mortem, "info", "--json", core], capture_output=True, text=True, env=dict(
        environment, DEBUGINFOD_URLS="")).stdout)["modules"][0]["id"]
    server = subprocess.Popen(["debuginfod", "-p", str(port), "-d", ":memory:", "-F", served], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen("http://127.0.0.1:%d/buildid/%s/debuginfo" % (port, build_id), timeout=10).read()
                break
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline or server.poll() is not None:
                    fail("the server has nothing of " + build_id)
                time.sleep(0.2)
        # The client remembers for ten minutes what was not there.
        shutil.rmtree(os.path.join(folder, "cache"), ignore_errors=True)
        out, missing, _ = bt("--lines", "1")
        if "inner () at %s/dies.c:3" % served not in out or "=>      3      return *nothing;  // the line that dies" not in out:
            fail("with the server: " + out + missing)
        # The source stands elsewhere: the server gives it.
        out, missing, _ = bt("--lines", "1", "--substitute", served + "=/nowhere")
        if "at /nowhere/dies.c:3" not in out or "the line that dies" not in out:
            fail("source from the server: " + out + missing)
    finally:
        server.kill()
        server.wait()
    # A checkout.
    environment["DEBUGINFOD_URLS"] = ""
    checkout = os.path.join(folder, "checkout", "deep")
    os.makedirs(checkout)
    shutil.move(os.path.join(served, "dies.c"), os.path.join(checkout, "dies.c"))
    rules = ["--symbols", os.path.join(served, "program.debug"), "--substitute", served + "=/somewhere/deep"]
    out, _, _ = bt("--lines", "1", "--source-dir", os.path.join(folder, "checkout"), *rules)
    if "the line that dies" not in out:
        fail("source from a checkout: " + out)
    out, _, _ = bt("--lines", "1", *rules)
    if "the line that dies" in out or "at /somewhere/deep/dies.c:3" not in out:
        fail("a source that is nowhere: " + out)


main()
