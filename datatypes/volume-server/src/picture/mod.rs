//! Slices as pictures.

mod colour;
mod shade;
mod slice;
mod window;

pub(crate) use shade::Shade;
pub(crate) use slice::{Slice, draw};
pub(crate) use window::suggested;
