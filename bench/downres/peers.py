"""What the example `throughput` of the crate `downres` measures, in tinybrain and tensorstore.

Prints program, input, method and millions of input elements per second of processor time, best of several. Called
with the compressed labels and where their elements are to be written for the other program.
"""

import gzip
import sys
import time

import crackle
import numpy as np
import tensorstore as ts
import tinybrain

N = 512


def report(program, what, method, rounds, call):
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    print(f"{program}\t{what}\t{method}\t{N**3 / best / 1e6:.0f}", flush=True)


def tensorstore(what, array, methods):
    one = ts.Context({"data_copy_concurrency": {"limit": 1}})
    for method in methods:
        view = ts.downsample(ts.array(array, context=one), [2, 2, 2], method)
        report("tensorstore", what, method, 3, lambda: view.read().result())


def tinybrain_mode(what, array):
    # tinybrain takes Fortran order, x first.
    report("tinybrain", what, "mode", 5, lambda: tinybrain.downsample_segmentation(array.T, (2, 2, 2)))


def splitmix(i):
    i = i + np.uint64(0x9E3779B97F4A7C15)
    i = (i ^ (i >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    i = (i ^ (i >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return i ^ (i >> np.uint64(31))


def main(labels):
    real = np.ascontiguousarray(np.squeeze(crackle.decompress(gzip.open(labels).read())).T)
    real.tofile(sys.argv[2])
    u = np.uint64
    i = np.arange(N**3, dtype=u)
    z, y, x = i >> u(18), (i >> u(9)) & u(511), i & u(511)
    mixed = splitmix(i)
    noisy = ((((u(3) * z + u(2) * y + x) & u(1023)) + (mixed & u(255))) >> u(2)).astype(np.uint8)
    noisy = noisy.reshape(N, N, N)
    blocky = ((z + u(5)) >> u(4)) + u(64) * ((y + u(5)) >> u(4)) + u(4096) * ((x + u(5)) >> u(4)) + u(1 + 2**40)
    del i, z, y, x
    for factor, name in [((2, 2, 2), "2x2x2"), ((2, 2, 1), "1x2x2")]:
        mean = lambda **more: tinybrain.downsample_with_averaging(noisy.T, factor, **more)
        report("tinybrain", f"noisy u8 {name}", "mean-truncated", 9, mean)
    sparse = lambda: tinybrain.downsample_with_averaging(noisy.T, (2, 2, 2), sparse=True)
    report("tinybrain", "noisy u8 2x2x2", "mean-truncated-sparse", 5, sparse)
    tensorstore("noisy u8 2x2x2", noisy, ["mean", "mode", "median", "min", "max", "stride"])
    for name, array in [("real u32", real), ("real u64", real.astype(u)), ("blocky u64", blocky.reshape(N, N, N)),
                        ("random u64", (mixed % u(8)).reshape(N, N, N))]:
        tinybrain_mode(f"{name} 2x2x2", array)
        tensorstore(f"{name} 2x2x2", array, ["mode"])


main(sys.argv[1])
