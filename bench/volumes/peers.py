"""What the example `volumes` of the crate `bench` measures, in tensorstore and in zarrs (through zarr-python), on disk.

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
import zarr
import zarrs  # noqa: F401  (registers its pipeline)

N, CHUNK = 512, 64


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def timed(program, what, codec, call, path=None):
    wall, processor = time.perf_counter(), cpu()
    call()
    processor, wall = cpu() - processor, time.perf_counter() - wall
    size = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(path) for f in files) if path else 0
    print(f"{program}\t{what}\t{N}^3 u16, {codec}\tcpu {processor:.2f} s\twall {wall:.2f} s\t{size} B", flush=True)


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


def blocks():
    for z in range(0, N, CHUNK):
        for y in range(0, N, CHUNK):
            for x in range(0, N, CHUNK):
                yield slice(z, z + CHUNK), slice(y, y + CHUNK), slice(x, x + CHUNK)


def codecs(name):
    endian = {"name": "bytes", "configuration": {"endian": "little"}}
    blosc = lambda cname, level: {
        "name": "blosc",
        "configuration": {"cname": cname, "clevel": level, "shuffle": "shuffle", "typesize": 2, "blocksize": 0},
    }
    return [endian] + {
        "none": [],
        "lz4+shuffle": [blosc("lz4", 5)],
        "zstd:1+shuffle": [blosc("zstd", 1)],
        "zstd:3": [{"name": "zstd", "configuration": {"level": 3, "checksum": False}}],
    }[name]


def with_tensorstore(data, codec, path):
    spec = {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": path},
        "metadata": {
            "shape": list(data.shape),
            "data_type": "uint16",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [CHUNK] * 3}},
            "codecs": codecs(codec),
        },
        "create": True,
    }
    store = ts.open(spec).result()
    timed("tensorstore", "write", codec, lambda: store.write(data).result(), path)
    store = ts.open({"driver": "zarr3", "kvstore": spec["kvstore"]}).result()

    def read():
        for block in blocks():
            store[block].read().result()

    read()
    timed("tensorstore", "chunk reads", codec, read)


def with_zarrs(data, codec, path):
    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    import json

    os.makedirs(path)
    with open(os.path.join(path, "zarr.json"), "w") as file:
        json.dump(
            {
                "zarr_format": 3,
                "node_type": "array",
                "shape": list(data.shape),
                "data_type": "uint16",
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [CHUNK] * 3}},
                "chunk_key_encoding": {"name": "default"},
                "fill_value": 0,
                "codecs": codecs(codec),
                "attributes": {},
            },
            file,
        )
    array = zarr.open_array(path, mode="r+")

    def write():
        array[:] = data

    def read():
        for block in blocks():
            array[block]

    timed("zarrs", "write", codec, write, path)
    read()
    timed("zarrs", "chunk reads", codec, read)


def main():
    data = noisy()
    for program in (with_tensorstore, with_zarrs):
        for codec in ["none", "lz4+shuffle", "zstd:1+shuffle", "zstd:3"]:
            folder = tempfile.mkdtemp(dir=sys.argv[1])
            program(data, codec, os.path.join(folder, "a.zarr"))
            shutil.rmtree(folder)


main()
