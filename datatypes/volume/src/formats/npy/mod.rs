//! NumPy arrays in `.npy` files, versions 1 to 3.
//!
//! The layout is that of NEP 1 (<https://numpy.org/neps/nep-0001-npy-format.html>). An array in C order keeps
//! its shape. An array in Fortran order has its first axis fastest, which is C order with the axes reversed:
//! NumPy's `a[x, y, z]` is read as (z, y, x), and nothing is transposed. Files are written in C order.

mod header;
mod io;
mod number;

pub(super) use io::{create, open, open_regions};
pub use number::{NpyNumber, create_npy_parts, open_npy_parts};
