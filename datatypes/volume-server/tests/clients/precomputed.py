"""Reads served volumes by tensorstore and compares every voxel with the files that were written beside them.

usage: precomputed.py FOLDER, where FOLDER/expected.json lists volumes by URL, and each scale's file, type, and offset
and shape, slowest axis first.
"""

import json
import pathlib
import sys

import numpy
import tensorstore

folder = pathlib.Path(sys.argv[1])
compared = 0
for volume in json.loads((folder / "expected.json").read_text()):
    for index, scale in enumerate(volume["scales"]):
        what = f"{volume['url']} scale {index}"
        served = tensorstore.open(
            {"driver": "neuroglancer_precomputed", "kvstore": volume["url"], "scale_index": index}, open=True
        ).result()
        expected = numpy.fromfile(folder / scale["file"], dtype=scale["type"]).reshape(scale["shape"])
        assert served.dtype.numpy_dtype == expected.dtype, f"{what}: {served.dtype} for {expected.dtype}"
        # x, y, z and one channel.
        assert served.domain.origin == (*scale["offset"][::-1], 0), f"{what}: {served.domain}"
        assert served.shape == (*scale["shape"][::-1], 1), f"{what}: {served.domain}"
        read = served[..., 0].read().result().transpose()
        assert read.tobytes() == expected.tobytes(), f"{what}: {numpy.sum(read != expected)} voxels differ"
        units = [str(unit) for unit in served.dimension_units[:3]]
        assert units == volume["units"][index], f"{what}: {units}"
        compared += expected.size
print(f"{compared} voxels are the same")
