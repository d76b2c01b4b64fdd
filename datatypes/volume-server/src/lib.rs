#![doc = include_str!("../README.md")]

mod answer;
mod catalog;
mod connections;
mod describe;
mod failure;
mod picture;
mod precomputed;
mod routes;
mod server;
mod space;

pub use catalog::{Axis, Catalog, Served, VersionEntry, VolumeEntry};
pub use connections::Limits;
pub use server::{Server, termination};
