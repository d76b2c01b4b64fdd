//! Records, behind the header of their file.
#![no_main]

use std::alloc::System;

use blockfs::check_records;
use blockfs_fuzz::{MOST_BYTES, reseal_records};
use cap::Cap;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MOST_BYTES);

fuzz_target!(|input: &[u8]| {
    let mut bytes = input.to_vec();
    reseal_records(&mut bytes);
    drop(check_records(&bytes));
});
