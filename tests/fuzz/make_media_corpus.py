#!/usr/bin/env python3
"""Turn a small disc image into an input of fuzz_media_open.

    tool_media_disc make m.iso FOLDER MINI 1700000000 bios=… efi=…
    make_media_corpus.py m.iso corpus/fuzz_media_open/udf
    make_media_corpus.py m.iso corpus/fuzz_media_open/bridge 19 20 21   # without its UDF side
    xorriso -as mkisofs -J -iso-level 3 -b boot/bios.bin -no-emul-boot -o x.iso FOLDER
    make_media_corpus.py x.iso corpus/fuzz_media_open/joliet

Further arguments are sectors to leave out. Records: sector number (bit 15: make the
descriptor's sums right), length, that many bytes; what is left out is zeros.
"""
import struct
import sys

SECTOR = 2048
VOLUME = (1, 2, 4, 5, 6, 7, 8, 9, 256, 261)


def main(iso, out, *drop):
    data = open(iso, "rb").read()
    result = b""
    for lsn in range(len(data) // SECTOR):
        sector = data[lsn * SECTOR:(lsn + 1) * SECTOR].rstrip(b"\0")
        if not sector or str(lsn) in drop or 48 <= lsn < 64:
            continue
        tag = struct.unpack("<H", sector[:2].ljust(2, b"\0"))[0]
        signed = 0x8000 if lsn >= 32 and tag in VOLUME else 0
        result += struct.pack("<HH", lsn | signed, len(sector)) + sector
    with open(out, "wb") as f:
        f.write(result)


main(*sys.argv[1:])
