"""Makes the golden images beside it, with tensorstore, zarr, compressed-segmentation and tifffile.

    python make.py

The elements are those of `expected` in ../golden.rs.
"""

import pathlib
import shutil

import compressed_segmentation
import numpy as np
import tensorstore as ts
import tifffile
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec

HERE = pathlib.Path(__file__).parent
SHAPE = (5, 7, 9)


def expected(dtype):
    """Blocks of equal elements, z, y, x."""
    z, y, x = np.indices(SHAPE, dtype=np.uint64)
    label = x // np.uint64(3) + np.uint64(10) * (y // np.uint64(2)) + np.uint64(100) * (z // np.uint64(2))
    return (label * np.uint64(2654435761)).astype(dtype)


def fresh(name):
    path = HERE / name
    shutil.rmtree(path, ignore_errors=True)
    return path


def segmentation_chunks():
    for dtype in ("uint32", "uint64"):
        xyz = np.asfortranarray(expected(dtype).transpose(2, 1, 0))
        for name, block in (("444", (4, 4, 4)), ("832", (8, 3, 2))):
            encoded = compressed_segmentation.compress(xyz, block_size=block, order="F")
            (HERE / f"segmentation_{dtype}_{name}.bin").write_bytes(encoded)


def precomputed(name, dtype, encoding, kind):
    path = fresh(name)
    for scale, step in enumerate((1, 2)):
        data = expected(dtype)[::step, ::step, ::step].transpose(2, 1, 0)
        metadata = {
            "size": list(data.shape),
            "voxel_offset": [-3 * (2 - scale), 10, 100],
            "encoding": encoding,
            "chunk_size": [8, 8, 4],
            "resolution": [4.5 * step, 4 * step, 40 * step],
        }
        if encoding == "compressed_segmentation":
            metadata["compressed_segmentation_block_size"] = [3, 2, 8]
        store = ts.open(
            {
                "driver": "neuroglancer_precomputed",
                "kvstore": f"file://{path}/",
                "multiscale_metadata": {"data_type": dtype, "num_channels": 1, "type": kind},
                "scale_metadata": metadata,
            },
            create=True,
        ).result()
        store[..., 0].write(data).result()


def zarr_array(name, **how):
    array = zarr.create_array(
        store=fresh(name), shape=SHAPE, dtype="uint16", chunks=(3, 4, 9), fill_value=0, zarr_format=3, **how
    )
    array[...] = expected("uint16")


def zarr_arrays():
    zarr_array("zstd.zarr", compressors=ZstdCodec(level=3, checksum=True), dimension_names=["z", "y", "x"])
    zarr_array(
        "gzip.zarr", serializer=BytesCodec(endian="big"), compressors=[GzipCodec(level=5), Crc32cCodec()],
        filters=TransposeCodec(order=(2, 0, 1)), chunk_key_encoding={"name": "v2", "separator": "."},
    )
    # Of float32; what isn't written is NaN, and the last slices aren't.
    array = zarr.create_array(
        store=fresh("fill.zarr"), shape=SHAPE, dtype="float32", fill_value=float("nan"), chunks=(3, 4, 9),
        compressors=None,
    )
    array[:3] = expected("float32")[:3]
    for name, location in (("sharded_end.zarr", "end"), ("sharded_start.zarr", "start")):
        sharding = ShardingCodec(
            chunk_shape=(2, 2, 3), codecs=[BytesCodec(), ZstdCodec()], index_location=location,
        )
        array = zarr.create_array(
            store=fresh(name), shape=SHAPE, dtype="uint64", fill_value=7, chunks=(4, 4, 6),
            serializer=sharding, compressors=None,
        )
        # Not all: some chunks of a shard are missing, and a shard is.
        array[:4, :3] = expected("uint64")[:4, :3]


def ome_zarr():
    path = fresh("image.ome.zarr")
    scales = [
        {
            "path": name,
            "coordinateTransformations": [
                {"type": "scale", "scale": [2.0 * step, 0.5 * step, 0.25 * step]},
                {"type": "translation", "translation": [0.0, 0.5 * (step - 1) / 2, 0.0]},
            ],
        }
        for name, step in (("full", 1), ("half", 2))
    ]
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    multiscale = {"name": "golden", "axes": axes, "datasets": scales}
    group = zarr.create_group(
        path, attributes={"ome": {"version": "0.5", "multiscales": [multiscale]}}, zarr_format=3
    )
    for name, step in (("full", 1), ("half", 2)):
        data = expected("uint8")[::step, ::step, ::step]
        array = group.create_array(name, shape=data.shape, chunks=(3, 4, 9), dtype="uint8", dimension_names=["z", "y", "x"])
        array[...] = data


def ome_tiffs():
    sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 500, "PhysicalSizeYUnit": "nm"}
    data = np.stack([expected("uint16"), expected("uint16") + 1])
    tifffile.imwrite(HERE / "tzyx.ome.tif", data, metadata={"axes": "TZYX", "TimeIncrement": 2.5, **sizes})
    tifffile.imwrite(
        HERE / "zcyx.ome.tif", data.transpose(1, 0, 2, 3), metadata={"axes": "ZCYX", **sizes}, compression="zlib"
    )


segmentation_chunks()
ome_tiffs()
zarr_arrays()
ome_zarr()
precomputed("precomputed_raw", "uint16", "raw", "image")
precomputed("precomputed_labels", "uint64", "compressed_segmentation", "segmentation")
