"""What the crate `bench-arrays` measures, in tensorstore and in zarrs (through zarr-python), in folders of Zarr.

Prints program, data and codec, what, and milliseconds of processor time and on the clock, each the least of the rounds.
"""

import json
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
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
rows = {}


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def timed(of, what, call):
    wall, processor = time.perf_counter(), cpu()
    call()
    processor, wall = cpu() - processor, time.perf_counter() - wall
    before = rows.get((of, what), (processor, wall))
    rows[of, what] = min(before[0], processor), min(before[1], wall)


def splitmix(i):
    i = i + np.uint64(0x9E3779B97F4A7C15)
    i = (i ^ (i >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    i = (i ^ (i >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return i ^ (i >> np.uint64(31))


def cube(voxel):
    u = np.uint64
    i = np.arange(N**3, dtype=u)
    return voxel(i, i >> u(18), (i >> u(9)) & u(511), i & u(511)).astype(np.uint16).reshape(N, N, N)


def noisy():
    u = np.uint64
    return cube(lambda i, z, y, x: ((u(3) * z + u(2) * y + x) & u(1023)) + (splitmix(i) & u(255)))


def blocky():
    u = np.uint64
    return cube(lambda i, z, y, x: (z >> u(4)) + u(32) * (y >> u(4)) + u(1024) * (x >> u(4)))


def blocks():
    for z in range(0, N, CHUNK):
        for y in range(0, N, CHUNK):
            for x in range(0, N, CHUNK):
                yield slice(z, z + CHUNK), slice(y, y + CHUNK), slice(x, x + CHUNK)


def metadata(codec):
    blosc = lambda cname, level: {
        "name": "blosc",
        "configuration": {"cname": cname, "clevel": level, "shuffle": "shuffle", "typesize": 2, "blocksize": 0},
    }
    compressors = {
        "none": [],
        "lz4+shuffle": [blosc("lz4", 5)],
        "zstd:1+shuffle": [blosc("zstd", 1)],
        "zstd:3": [{"name": "zstd", "configuration": {"level": 3, "checksum": False}}],
    }[codec]
    return {
        "shape": [N] * 3,
        "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [CHUNK] * 3}},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}] + compressors,
    }


class Tensorstore:
    name = "tensorstore"

    def create(self, path, codec):
        self.path = path
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": path}, "create": True}
        self.store = ts.open({**spec, "metadata": metadata(codec)}).result()

    def open(self):
        # A context of its own, so that nothing is cached.
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": self.path}}
        self.store = ts.open(spec, context=ts.Context()).result()

    def write(self, where, data):
        self.store[where].write(data).result()

    def read(self, where):
        return self.store[where].read().result()


class Zarrs:
    name = "zarrs"

    def create(self, path, codec):
        zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
        self.path = path
        os.makedirs(path)
        more = {"chunk_key_encoding": {"name": "default"}, "fill_value": 0, "attributes": {}}
        with open(os.path.join(path, "zarr.json"), "w") as file:
            json.dump({"zarr_format": 3, "node_type": "array", **metadata(codec), **more}, file)
        self.open()

    def open(self):
        self.store = zarr.open_array(self.path, mode="r+")

    def write(self, where, data):
        self.store[where] = data

    def read(self, where):
        return self.store[where]


def measure(program, name, data, codec, path):
    of = (program.name, f"{name}, {codec}")
    whole = (slice(0, N),) * 3
    at = lambda start, length: tuple(slice(axis, axis + length) for axis in start)

    def all_views():
        for block in blocks():
            program.write(block, data[block])

    program.create(path, codec)
    timed(of, "write, chunks as views of the cube", all_views)
    shutil.rmtree(path)
    program.create(path, codec)
    timed(of, "write, all in one call", lambda: program.write(whole, data))
    size = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(path) for f in files)
    rows[of, "size"] = size
    program.open()
    timed(of, "read all", lambda: program.read(whole))
    assert (program.read(at((64, 128, 192), 64)) == data[at((64, 128, 192), 64)]).all()

    def all_chunks():
        for block in blocks():
            program.read(block)

    program.open()
    timed(of, "read chunk by chunk", all_chunks)
    program.open()
    timed(of, "one voxel, cold", lambda: program.read(at((307,) * 3, 1)))
    program.open()
    timed(of, "8^3 edit and flush", lambda: program.write(at((102,) * 3, 8), np.full((8, 8, 8), 7, np.uint16)))
    assert (program.read(at((102,) * 3, 8)) == 7).all()


def main():
    for name, make in ("noisy", noisy), ("blocky", blocky):
        data = make()
        for _ in range(ROUNDS):
            for program in Tensorstore(), Zarrs():
                for codec in ["zstd:3", "none", "zstd:1+shuffle", "lz4+shuffle"]:
                    folder = tempfile.mkdtemp(dir=sys.argv[1])
                    measure(program, name, data, codec, os.path.join(folder, "a.zarr"))
                    shutil.rmtree(folder)
    for ((program, of), what), took in rows.items():
        if what == "size":
            print(f"{program}\t{of}\tsize\t{took} B")
        else:
            print(f"{program}\t{of}\t{what}\tcpu {took[0] * 1e3:.2f} ms\twall {took[1] * 1e3:.2f} ms")


main()
