#!/usr/bin/env python3
"""Make tests/fuzz/corpus/fuzz_wim_metadata: metadata resources cut out of small WIMs of our own.

    tests/fuzz/make_wim_corpus.py build/asan/tool_wim_edit

Contents are named "aaaa…" and "bbbb…" in them, as the target expects.
"""
import hashlib
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

tool = os.path.abspath(sys.argv[1])
out = pathlib.Path(__file__).resolve().parent / "corpus/fuzz_wim_metadata"
contents = {"one": b"first", "two": b"second"}
SD = "O:BAG:SYD:PAI(A;OICI;FA;;;BA)(A;;FR;;;WD)S:(AU;SAFA;FA;;;WD)"
TREES = {
    "links": ["mkdir", "a\\b", "put", "a\\x", "one", SD, "0x20", "link", "a\\x", "a\\b\\y", "link", "a\\x", "z",
              "put", "q", "two", "-", "0x22", "link", "q", "a\\q"],
    "streams": ["put", "f", "one", "-", "0", "stream", "f", "alt", "two", "stream", "f", "b", "one", "mkdir", "d",
                "stream", "d", "s", "two", "sd", "d", SD],
    "reparse": ["symlink", "s", "..\\x", "junction", "j", "C:\\y", "dirlink", "d", "x", "stream", "s", "n", "one"],
    "names": ["put", "\u00e4\u00c4\u03a9\U0001f600", "one", "-", "0x80", "put", "A", "two", "-", "0", "mkdir", "b", "mkdir", "C"],
    "empty": [],
}


def cut(wim):
    data = wim.read_bytes()
    at, size = struct.unpack_from("<QQ", data, 48 + 8)
    for e in range(at, at + size, 50):
        stored, start = struct.unpack_from("<QQ", data, e)
        if stored >> 56 & 2:
            return data[start:start + (stored & (1 << 56) - 1)]


with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    for name, data in contents.items():
        pathlib.Path(name).write_bytes(data)
    out.mkdir(exist_ok=True)
    for name, words in TREES.items():
        subprocess.run([tool, "-", name + ".wim", "new=1", "compression=none", *words], check=True, stdout=subprocess.DEVNULL)
        data = cut(pathlib.Path(name + ".wim"))
        for fill, content in zip(b"ab", contents.values()):
            data = data.replace(hashlib.sha1(content).digest(), bytes([fill]) * 20)
        (out / name).write_bytes(data)
