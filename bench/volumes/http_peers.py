"""What the example `http` of the crate `bench` measures, in tensorstore (`neuroglancer_precomputed`): over HTTP, and in files.

Takes the name of the chunks, the URLs of both servers, and a folder. Prints program, where from, chunks, threads, and MB of voxels a
second on the clock.
"""

import itertools
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import tensorstore as ts

CHUNK, ROUNDS = 64, 5


def rate(spec, threads):
    context = ts.Context(
        {
            "data_copy_concurrency": {"limit": 2},
            "http_request_concurrency": {"limit": threads},
            "file_io_concurrency": {"limit": threads},
        }
    )
    # Slowest axis first, as chunks are stored, so that nothing is transposed.
    store = ts.open({"driver": "neuroglancer_precomputed", "kvstore": spec}, context=context, read=True).result()
    store = store[ts.d["channel"][0]].T
    extent = store.shape[0]
    starts = list(itertools.product(range(0, extent, CHUNK), repeat=3))

    def read(start):
        box = tuple(slice(at, at + CHUNK) for at in start)
        return store[box].read().result().nbytes

    rates = []
    for _ in range(ROUNDS):
        clock = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            got = sum(pool.map(read, starts))
        rates.append(got / 1e6 / (time.perf_counter() - clock))
    return sorted(rates)[ROUNDS // 2]


def main():
    name, served, sent, folder = sys.argv[1:]
    places = {
        "volume-server": {"driver": "http", "base_url": served + "/"},
        "plain server": {"driver": "http", "base_url": sent + "/"},
        "files": {"driver": "file", "path": folder + "/"},
    }
    for place, spec in places.items():
        for threads in [1, 4, 16]:
            print(f"tensorstore\t{place}\t{name}\t{threads} threads\t{rate(spec, threads):.0f} MB/s", flush=True)


main()
