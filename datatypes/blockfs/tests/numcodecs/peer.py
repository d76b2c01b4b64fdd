"""Reads and writes volumes of BlockFS with NumPy and numcodecs, from what is known of the format and nothing else.

usage: peer.py FOLDER, where FOLDER/expected.json lists volumes: `name`, and the block that is `missing`. NAME.blockfs is
read and compared with NAME.raw, and written again, compressed by numcodecs, as NAME.python.blockfs.
"""

import itertools
import json
import os
import pathlib
import struct
import sys

import numpy
from numcodecs.blosc import Blosc

folder = pathlib.Path(sys.argv[1])
read = 0


def parts(head):
    """The blocks in z, y, x: number in the table, and the slices of the voxels."""
    axes = [range(0, head[a + "Extent"], head[a + "BlockSize"]) for a in "ZYX"]
    for corner in itertools.product(*axes):
        index = sum(c // head[a + "BlockSize"] * head[a + "Stride"] for c, a in zip(corner, "ZYX"))
        yield index, tuple(slice(c, min(c + head[a + "BlockSize"], head[a + "Extent"])) for c, a in zip(corner, "ZYX"))


for volume in json.loads((folder / "expected.json").read_text()):
    name = volume["name"]
    data = (folder / f"{name}.blockfs").read_bytes()
    magic, size, start = struct.unpack_from("<8sII", data)
    assert magic == b"BlockFS\0"
    head = json.loads(data[16 : 16 + size])
    bits = head["NOffsetBits"] + head["NSizeBits"]
    width = (bits + 7) // 8
    shape = tuple(head[a + "Extent"] for a in "ZYX")
    expected = numpy.frombuffer((folder / f"{name}.raw").read_bytes(), head["DType"]).reshape(shape)
    codec = Blosc(cname=head["Compression"], clevel=head["CompressionLvl"], shuffle=Blosc.SHUFFLE)
    names = [f"{folder}/{name}.python.blockfs.{k}" for k in range(len(head["BlockFilenames"]))]
    text = json.dumps({**head, "BlockFilenames": names}).encode()
    outputs = [open(path, "wb") for path in names]
    table = {}
    for index, where in parts(head):
        entry = int.from_bytes(data[start + index * width : start + (index + 1) * width], "little")
        offset, length = entry & (1 << head["NOffsetBits"]) - 1, entry >> head["NOffsetBits"]
        voxels = numpy.ascontiguousarray(expected[where])
        if index == volume["missing"]:
            assert length == 0, (name, index)
            continue
        with open(head["BlockFilenames"][index % len(names)], "rb") as file:
            file.seek(offset)
            found = numpy.frombuffer(codec.decode(file.read(length)), head["DType"]).reshape(voxels.shape)
        assert found.tobytes() == voxels.tobytes(), (name, index)
        read += 1
        frame = codec.encode(voxels)
        output = outputs[index % len(names)]
        table[index] = (output.tell() | len(frame) << head["NOffsetBits"]).to_bytes(width, "little")
        output.write(frame)
    for output in outputs:
        output.close()
    with open(folder / f"{name}.python.blockfs", "wb") as file:
        file.write(struct.pack("<8sII", magic, len(text), 16 + len(text)) + text)
        for index, entry in table.items():
            file.seek(16 + len(text) + index * width, os.SEEK_SET)
            file.write(entry)

print(f"{read} blocks are the same")
