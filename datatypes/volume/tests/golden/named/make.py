"""Writes the files of this folder that h5py and netCDF4 have made.

usage: make.py FOLDER; elements are told by the tests that read them.
"""

import pathlib
import sys

import h5py
import netCDF4
import numpy

folder = pathlib.Path(sys.argv[1])
ramp = numpy.arange(4 * 5 * 6, dtype="u2").reshape(4, 5, 6) * 500

for name, libver in [("earliest", "earliest"), ("latest", "latest")]:
    with h5py.File(folder / f"h5py_{name}.h5", "w", libver=libver) as file:
        file["plain"] = ramp
        file["plain"].attrs["unit"] = "counts"
        file["plain"].attrs["gain"] = numpy.array([1.5, 2.5])
        file.create_dataset("group/gzip", data=ramp, compression="gzip", shuffle=True, chunks=(2, 3, 4))
        file.create_dataset("group/lzf", data=ramp.astype("i4"), compression="lzf", fletcher32=True, chunks=(2, 3, 4))
        file.create_dataset("grows", data=ramp, maxshape=(None, None, 6), chunks=(3, 3, 6))
        file.create_dataset("big", data=ramp.astype(">f8"), chunks=(4, 5, 6))
        file["mask"] = ramp % 3 == 0
        file["scalar"] = numpy.float32(2.5)
        file.create_dataset("sparse", shape=(3, 4), dtype="i2", fillvalue=-7, chunks=(2, 2))[0, 0] = 5
        file["words"] = ["a", "b"]
        file["complex"] = numpy.zeros(3, "c8")

with h5py.File(folder / "elsewhere.h5", "w") as file:
    file["here"] = numpy.arange(4, dtype="u1")
    file["group/again"] = h5py.SoftLink("/here")
    file["link"] = h5py.ExternalLink("h5py_latest.h5", "/plain")
    layout = h5py.VirtualLayout(shape=(4, 5, 6), dtype="u2")
    layout[:] = h5py.VirtualSource("h5py_latest.h5", "plain", shape=(4, 5, 6))
    file.create_virtual_dataset("virtual", layout)
    file.create_dataset("external", shape=(4,), dtype="u1", external=[("h5py_latest.h5", 0, 4)])
    file["group/itself"] = file["/"]

for layout in ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA", "NETCDF4"]:
    with netCDF4.Dataset(folder / f"{layout.lower()}.nc", "w", format=layout) as file:
        file.createDimension("time", None)
        file.createDimension("lat", 3)
        file.createDimension("lon", 4)
        time = file.createVariable("time", "f8", ("time",))
        time.units = "days since 2000-01-01"
        temp = file.createVariable("temp", "f4", ("time", "lat", "lon"), fill_value=-999.0)
        temp.units = "K"
        temp.levels = numpy.array([1, -2, 3], "i2")
        mask = file.createVariable("mask", "i1", ("lat", "lon"))
        file.createVariable("crs", "i4", ())[...] = 7
        file.createVariable("name", "S1", ("lon",))[:] = list("abcd")
        time[:] = [0.5, 1.5]
        temp[:] = numpy.arange(24, dtype="f4").reshape(2, 3, 4) / 8
        mask[:] = numpy.arange(12).reshape(3, 4) - 6
