#!/usr/bin/env python3
"""Makes the corpora of fuzz_registry_*: make_registry_corpus.py BUILD-FOLDER

Hives come from tool_registry_edit; logs are built here, their hashes are set by the fuzz target.
"""
import pathlib
import struct
import subprocess
import sys
import tempfile

tool = pathlib.Path(sys.argv[1]).resolve() / 'tool_registry_edit'
corpus = pathlib.Path(__file__).parent / 'corpus'
work = pathlib.Path(tempfile.mkdtemp())


def write(target, name, data):
    folder = corpus / f'fuzz_registry_{target}'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def hive(name, *args):
    subprocess.run([tool, *[str(a) for a in args]], check=True)
    data = (work / name).read_bytes()
    # Bins beyond the base block count; its last 3.5 KiB are zeros.
    write('load', name, data)
    return data


few = hive('few', 'many', work / 'few', 3)
hive('lists', 'many', work / 'lists', 20)
hive('values', 'data', work / 'values', 0, 1, 4, 5, 100)
hive('big', 'data', work / 'big', 16345)
old = bytearray(few)
struct.pack_into('<I', old, 24, 3)
write('load', 'version3', bytes(old))
write('load', 'cut', few[:6000])

base = bytearray(few[:512])
struct.pack_into('<I', base, 28, 6)


def entry(seq, bins, pages):
    refs = b''.join(struct.pack('<II', at, len(data)) for at, data in pages)
    body = refs + b''.join(data for _, data in pages)
    size = (40 + len(body) + 511) // 512 * 512
    return (struct.pack('<4sIIIIIQQ', b'HvLE', size, 0, seq, bins, len(pages), 0, 0) + body).ljust(size, b'\0')


page = few[4096:8192]
write('log', 'one', bytes(base) + entry(1, 4096, [(0, page)]))
write('log', 'two', bytes(base) + entry(1, 4096, [(0, page[:512])]) + entry(2, 8192, [(512, page[512:1024])]))
write('log', 'gap', bytes(base) + entry(1, 4096, [(0, page[:512])]) + entry(5, 4096, [(0, page[:512])]))
write('log', 'outside', bytes(base) + entry(1, 4096, [(4095, page[:512])]))
struct.pack_into('<I', base, 28, 1)
write('log', 'dirt', (bytes(base) + b'DIRT\x05').ljust(1024, b'\0') + page[:512] + page[1024:1536])

start = 'Windows Registry Editor Version 5.00\r\n\r\n'
texts = {
    'kinds': '[HKEY_LOCAL_MACHINE\\SOFTWARE\\K]\r\n@="default"\r\n"a"=dword:00000001\r\n"b"=hex:01,02,\\\r\n  03\r\n'
             '"c"=hex(7):61,00,00,00,00,00\r\n"d\\\\\\"e"="x\\\\y\\"z"\r\n"f"=-\r\n',
    'keys': '[-HKLM\\SOFTWARE\\Gone]\r\n[HKCR\\.txt] ; comment\r\n[HKCU\\Other]\r\n"v"="w"\r\n',
    'lines': '; first\r\n[HKLM\\SOFTWARE\\A]\r\n"two\r\nlines"="a\r\nb"\r\n',
}
for name, text in texts.items():
    write('text', name, (start + text).encode())
write('text', 'wide', b'\xff\xfe' + (start + texts['kinds']).encode('utf-16-le'))
write('text', 'four', b'REGEDIT4\n\n[HKLM\\SOFTWARE\\K]\n"m"=hex(7):61,62,00,63,00,00\n')
