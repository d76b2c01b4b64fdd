//! Files of statistics.
#![no_main]

use std::alloc::System;

use array_file::check_stats;
use array_file_fuzz::{MOST_BYTES, reseal_whole};
use cap::Cap;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MOST_BYTES);

fuzz_target!(|input: &[u8]| {
    let mut bytes = input.to_vec();
    reseal_whole(&mut bytes);
    drop(check_stats(&bytes));
});
