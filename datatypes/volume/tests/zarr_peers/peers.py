"""Reads Zarr arrays by zarr-python, the crate zarrs and tensorstore, and writes some for others to read.

usage: peers.py FOLDER, where FOLDER/expected.json lists for each array its name, type and shape; NAME.raw holds its
elements in C order. Each is written again as PEER.CODECS.NAME.zarr.
"""

import json
import pathlib
import sys

import numpy
import tensorstore
import zarr
import zarr.codecs as codecs

PIPELINES = {"zarr": "zarr.core.codec_pipeline.BatchedCodecPipeline", "zarrs": "zarrs.ZarrsCodecPipeline"}
COMPRESSORS = {
    "zstd": [codecs.ZstdCodec(level=3, checksum=True)],
    "gzip": [codecs.GzipCodec(level=5)],
    "blosc": [codecs.BloscCodec(cname="lz4", shuffle="shuffle")],
    "crc32c": [codecs.Crc32cCodec()],
    "zstd-crc32c": [codecs.ZstdCodec(level=1), codecs.Crc32cCodec()],
}

folder = pathlib.Path(sys.argv[1])
compared = 0


def compare(what, read, expected):
    global compared
    assert read.dtype == expected.dtype and read.shape == expected.shape, f"{what}: {read.dtype} {read.shape}"
    assert read.tobytes() == expected.tobytes(), f"{what}: elements differ"
    compared += 1


for array in json.loads((folder / "expected.json").read_text()):
    name = array["name"]
    expected = numpy.fromfile(folder / f"{name}.raw", dtype=array["type"]).reshape(array["shape"])
    path = folder / f"{name}.zarr"
    store = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
    compare(f"{name}, tensorstore", tensorstore.open(store).result().read().result(), expected)
    for peer, pipeline in PIPELINES.items():
        with zarr.config.set({"codec_pipeline.path": pipeline}):
            compare(f"{name}, {peer}", zarr.open_array(path, mode="r")[...], expected)
            for chain, compressors in COMPRESSORS.items():
                for shards in [None, (4, 4, 4)]:
                    sharded = "sharded-" if shards else ""
                    written = zarr.create_array(
                        store=folder / f"{peer}.{sharded}{chain}.{name}.zarr",
                        shape=expected.shape,
                        chunks=(2, 2, 4),
                        shards=shards,
                        dtype=expected.dtype,
                        compressors=compressors,
                        dimension_names=["z", "y", "x"],
                    )
                    written[...] = expected
print(f"{compared} arrays are the same")
