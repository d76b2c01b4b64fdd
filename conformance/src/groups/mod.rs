//! The cases, group by group.

mod batch;
mod concurrency;
mod conditional;
mod cursor;
mod errors;
mod graph;
mod limits;
mod open;
mod persistence;
mod point;
mod power;
mod scan;
mod versioned;
mod view;

use crate::case::Case;

pub(crate) use graph::remove_hub;

/// Every case, in the order of the catalogue.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let groups = [
        &point::CASES[..],
        &scan::CASES,
        &[cursor::CASES, batch::CASES],
        &conditional::CASES,
        &[view::CASES],
        &limits::CASES,
        &persistence::CASES,
        &power::CASES,
        &open::CASES,
        &[errors::CASES],
        &concurrency::CASES,
        &versioned::CASES,
        &graph::CASES,
    ];
    groups.concat().into_iter().flatten()
}
