//! A graph in keys and values, with versions and without.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod lab;
mod meddling;
mod model;
mod operations;
mod races;
mod versions;
