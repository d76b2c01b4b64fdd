//! Block storages.
#![no_main]

use std::alloc::System;

use cap::Cap;
use dataset_cache_fuzz::{MOST_BYTES, reseal, try_storage};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MOST_BYTES);

fuzz_target!(|input: &[u8]| {
    let mut bytes = input.to_vec();
    reseal(&mut bytes, 32);
    try_storage(bytes);
});
