#![doc = include_str!("../README.md")]

mod analysis;
mod csv_read;
mod csv_write;
mod dot;
mod graphml_read;
mod graphml_write;
mod lazily;
mod loader;
mod regions;
mod snapshot;
mod tally;
mod text;
mod versioned;
mod visit;

pub use analysis::{Component, Path, components, shortest_path, strong_components};
pub use csv_read::{CsvOptions, read_csv};
pub use csv_write::write_csv;
pub use dot::write_dot;
pub use engine_api::graph::*;
pub use graphml_read::GraphMl;
pub use graphml_write::write_graphml;
pub use lazily::{All, EdgeRead, Lazily};
pub use loader::{Loader, Progress, Watch};
pub use regions::{CENTROID, RegionOptions, Regions, region_adjacency};
pub use snapshot::{Link, Snapshot};
pub use versioned::{DATATYPE, GraphAt, VersionedGraph, element_of};
pub use visit::{EdgeSeen, EdgesAt};
