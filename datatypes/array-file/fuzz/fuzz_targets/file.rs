//! Whole files: opened, read, compacted and read again.
#![no_main]

use std::alloc::System;

use array_file_fuzz::{MOST_BYTES, read_everything, reseal_layer, reseal_manifest, reseal_whole, split};
use cap::Cap;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MOST_BYTES);

fuzz_target!(|input: &[u8]| {
    let mut objects = split(input).into_iter();
    let (Some(mut manifest), Some(mut stats)) = (objects.next(), objects.next()) else { return };
    let mut layers: Vec<Vec<u8>> = objects.take(4).collect();
    let names: Option<Vec<_>> = layers.iter_mut().map(|layer| reseal_layer(layer)).collect();
    reseal_manifest(&mut manifest, &names.unwrap_or_default());
    reseal_whole(&mut stats);
    drop(read_everything(&manifest, &layers, &stats));
});
