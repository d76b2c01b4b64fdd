"""What the example `blockfs` of the crate `bench` measures, in tensorstore (`zarr3`, two threads) in a folder of Zarr.

Prints program, what, codec, seconds of processor time, seconds on the clock, and bytes on disk.
"""

import os
import resource
import shutil
import sys
import tempfile
import time

import numpy as np
import tensorstore as ts

N, CHUNK = 512, 64


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def timed(what, codec, call, path=None):
    wall, processor = time.perf_counter(), cpu()
    call()
    processor, wall = cpu() - processor, time.perf_counter() - wall
    size = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(path) for f in files) if path else 0
    print(f"tensorstore\t{what}\t{N}^3 u16, {codec}\tcpu {processor:.2f} s\twall {wall:.2f} s\t{size} B", flush=True)


def splitmix(i):
    i = i + np.uint64(0x9E3779B97F4A7C15)
    i = (i ^ (i >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    i = (i ^ (i >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return i ^ (i >> np.uint64(31))


def noisy():
    u = np.uint64
    i = np.arange(N**3, dtype=u)
    z, y, x = i >> u(18), (i >> u(9)) & u(511), i & u(511)
    return (((u(3) * z + u(2) * y + x) & u(1023)) + (splitmix(i) & u(255))).astype(np.uint16).reshape(N, N, N)


def main():
    data = noisy()
    threads = ts.Context({"data_copy_concurrency": {"limit": 2}, "file_io_concurrency": {"limit": 2}})
    one = ts.Context({"data_copy_concurrency": {"limit": 1}, "file_io_concurrency": {"limit": 1}})
    for name in ["zstd:1", "zstd:5", "lz4:5"]:
        compressor, level = name.split(":")
        blosc = {"cname": compressor, "clevel": int(level), "shuffle": "shuffle", "typesize": 2, "blocksize": 0}
        folder = tempfile.mkdtemp(dir=sys.argv[1])
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": os.path.join(folder, "a.zarr")}}
        metadata = {
            "shape": [N] * 3,
            "data_type": "uint16",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [CHUNK] * 3}},
            "codecs": [
                {"name": "bytes", "configuration": {"endian": "little"}},
                {"name": "blosc", "configuration": blosc},
            ],
        }
        store = ts.open({**spec, "metadata": metadata, "create": True}, context=threads).result()
        timed("write, 2 writers", name, lambda: store.write(data).result(), folder)
        store = ts.open(spec, context=one).result()

        def read():
            for z in range(0, N, CHUNK):
                for y in range(0, N, CHUNK):
                    for x in range(0, N, CHUNK):
                        store[z : z + CHUNK, y : y + CHUNK, x : x + CHUNK].read().result()

        timed("read, 1 thread", name, read)
        shutil.rmtree(folder)


main()
