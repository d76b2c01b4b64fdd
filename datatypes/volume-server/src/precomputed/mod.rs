//! Neuroglancer's precomputed format: an info file, and a chunk for every name that can be made from it.

mod chunk_name;
mod form;
mod info;

pub(crate) use chunk_name::chunk_region;
pub(crate) use form::Form;
pub(crate) use info::{info, scale_key, scale_of};
