#![doc = include_str!("../README.md")]
// Without FUSE nobody asks the disk for anything.
#![cfg_attr(not(all(feature = "fuse", target_os = "linux")), allow(dead_code))]

mod content;
mod disk;
mod faults;
#[cfg(all(feature = "fuse", target_os = "linux"))]
mod fuse;
#[cfg(not(all(feature = "fuse", target_os = "linux")))]
#[path = "absent.rs"]
mod fuse;
mod image;
#[cfg(all(feature = "fuse", target_os = "linux"))]
mod keeper;
mod names;
mod shared;
mod volume;

pub use disk::Disk;
pub use faults::Faults;
pub use image::Image;
