//! Manifests, with the table of arrays and the short indexes in them.
#![no_main]

use std::alloc::System;

use array_file::check_manifest;
use array_file_fuzz::{MOST_BYTES, reseal_manifest};
use cap::Cap;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MOST_BYTES);

fuzz_target!(|input: &[u8]| {
    let mut bytes = input.to_vec();
    reseal_manifest(&mut bytes, &[]);
    drop(check_manifest(&bytes));
});
