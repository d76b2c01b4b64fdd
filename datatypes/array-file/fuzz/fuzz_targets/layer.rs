//! Layers by themselves.
#![no_main]

use std::alloc::System;

use array_file::{CodecRegistry, check_layer};
use array_file_fuzz::{MOST_BYTES, reseal_layer};
use cap::Cap;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MOST_BYTES);

fuzz_target!(|input: &[u8]| {
    let mut bytes = input.to_vec();
    drop(reseal_layer(&mut bytes));
    drop(check_layer(&bytes, &CodecRegistry::default()));
});
