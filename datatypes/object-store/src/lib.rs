#![doc = include_str!("../README.md")]

mod at_version;
mod attributes;
mod block;
mod bucket;
mod copy;
mod core;
mod envelope;
mod error;
mod fields;
mod generation;
mod intent;
mod keys;
mod layout;
mod list;
mod multipart;
mod objects;
mod plain;
mod read;
mod record;
mod remove;
mod space;
mod upload;
mod write;

pub use bucket::{Bucket, DATATYPE};
pub use objects::{Objects, Pending};
pub use remove::Swept;
