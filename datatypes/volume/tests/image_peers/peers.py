"""Reads HDF5, JPEG 2000 and TIFF by the programs that most do it with, and writes files for others to read.

usage: peers.py FOLDER, where FOLDER/expected.json lists for each image its name, type and shape; NAME.raw holds its
elements in C order. NAME.KIND.h5, and folders NAME.KIND.jp2 and NAME.KIND.tif of slices, are what is compared. Each
image is written again as h5py.KIND.NAME.h5 and netcdf.LAYOUT.NAME.nc.
"""

import json
import pathlib
import sys

import glymur
import h5py
import netCDF4
import numpy
import PIL.Image
import tifffile

folder = pathlib.Path(sys.argv[1])
compared = 0

FILTERS = {
    "plain": {},
    "chunked": {"chunks": (2, 3, 4)},
    "gzip": {"chunks": (2, 3, 4), "compression": "gzip", "compression_opts": 9},
    "shuffled": {"chunks": (3, 5, 6), "compression": "gzip", "shuffle": True, "fletcher32": True},
    "lzf": {"chunks": (2, 3, 4), "compression": "lzf", "shuffle": True},
    "grows": {"chunks": (2, 3, 4), "maxshape": (None, 9, 9)},
    "grows-twice": {"chunks": (2, 3, 4), "maxshape": (None, None, 9), "compression": "gzip"},
}
if h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP):
    FILTERS["szip"] = {"chunks": (4, 5, 6), "compression": "szip"}


def compare(what, read, expected):
    global compared
    assert read.dtype == expected.dtype and read.shape == expected.shape, f"{what}: {read.dtype} {read.shape}"
    assert read.tobytes() == expected.tobytes(), f"{what}: elements differ"
    compared += 1


def compare_lossy(what, read, expected, decibels):
    global compared
    assert read.dtype == expected.dtype and read.shape == expected.shape, f"{what}: {read.dtype} {read.shape}"
    mean = numpy.mean((read.astype("f8") - expected) ** 2)
    ratio = 10 * numpy.log10(float(numpy.iinfo(expected.dtype).max) ** 2 / max(mean, 1e-9))
    assert ratio >= decibels, f"{what}: {ratio} dB"
    compared += 1


def slices(name, ending):
    return sorted((folder / name).glob(f"*.{ending}"))


for image in json.loads((folder / "expected.json").read_text()):
    name = image["name"]
    expected = numpy.fromfile(folder / f"{name}.raw", dtype=image["type"]).reshape(image["shape"])
    for path in folder.glob(f"{name}.*.h5"):
        with h5py.File(path) as file:
            dataset = file["/entry/data"]
            compare(path.name, dataset[...], expected)
            assert [dimension.label for dimension in dataset.dims] == ["z", "y", "x"], path.name
            assert dataset.attrs["units"] == "nm,nm,nm" and list(dataset.attrs["spacing"]) == [40.0, 4.5, 4.0]
            assert dataset.attrs["operator"] == "Ada" and dataset.attrs["gain"] == 2.5, path.name
            assert list(dataset.attrs["counts"]) == [1, 2, 3] and list(dataset.attrs["words"]) == ["a", "bc"]
            wanted = "gzip" if "gzip" in path.name else None
            assert dataset.compression == wanted and dataset.chunks == (2, 3, 4), path.name
    for kind in ["plain", "gzip"]:
        pages = slices(f"{name}.{kind}.tif", "tif")
        assert len(pages) == len(expected), f"{name}: {len(pages)} pages"
        plain = expected.astype("u1") if expected.dtype == bool else expected
        for page, plane in zip(pages, plain):
            compare(page.name, tifffile.imread(page), plane)
            if plane.dtype in ("u1", "u2"):
                compare(page.name, numpy.array(PIL.Image.open(page)), plane)
    if expected.dtype in ("u1", "u2"):
        for kind, decibels in [("lossless", None), ("psnr", 45)]:
            pages = slices(f"{name}.{kind}.jp2", "jp2")
            assert len(pages) == len(expected), f"{name}: {len(pages)} pages"
            for page, plane in zip(pages, expected):
                for reader in [lambda: glymur.Jp2k(page)[:], lambda: numpy.array(PIL.Image.open(page))]:
                    if decibels is None:
                        compare(page.name, reader(), plane)
                    else:
                        compare_lossy(page.name, reader(), plane, decibels)
                assert glymur.Jp2k(page).box[2].box[1].colorspace == glymur.core.GREYSCALE

    for version in ["earliest", "latest"]:
        for kind, options in FILTERS.items():
            if kind == "szip" and expected.dtype == bool:
                continue
            for order in "<>":
                if order == ">" and expected.dtype.itemsize == 1:
                    continue
                big = "" if order == "<" else "big-"
                with h5py.File(folder / f"h5py.{big}{kind}-{version}.{name}.h5", "w", libver=version) as file:
                    file.create_dataset("group/data", data=expected.astype(expected.dtype.newbyteorder(order)), **options)
    for layout in ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA", "NETCDF4"]:
        kind = expected.dtype.str[1:]
        if kind not in (["i1", "i2", "i4", "f4", "f8"] if "NETCDF3" in layout and "DATA" not in layout else
                        ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"]):
            continue
        with netCDF4.Dataset(folder / f"netcdf.{layout.lower()}.{name}.nc", "w", format=layout) as file:
            file.createDimension("z", None)
            for dimension, length in zip("yx", expected.shape[1:]):
                file.createDimension(dimension, length)
            # A second record variable, so that records of the two alternate.
            file.createVariable("z", "f8", ("z",))[:] = numpy.arange(len(expected))
            options = {"zlib": True, "shuffle": True} if layout == "NETCDF4" else {}
            variable = file.createVariable("data", kind, ("z", "y", "x"), **options)
            variable.set_auto_maskandscale(False)
            variable[:] = expected
print(f"{compared} images are the same")
