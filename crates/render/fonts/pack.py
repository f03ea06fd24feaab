"""Packs font files for crates/render/src/text/fonts.rs: each behind its length (four bytes, the highest first), all of it
compressed with zstd. Usage: pack.py FAMILY.zst FILE.ttf..."""

import pathlib
import struct
import subprocess
import sys

target, *files = map(pathlib.Path, sys.argv[1:])
plain = target.with_suffix(".plain")
with plain.open("wb") as out:
    for file in files:
        data = file.read_bytes()
        out.write(struct.pack(">I", len(data)) + data)
subprocess.run(["zstd", "-q", "-f", "--ultra", "-22", str(plain), "-o", str(target)], check=True)
plain.unlink()
