//! Directory files: head, seal and table.
#![no_main]

use std::alloc::System;

use blockfs::check_directory;
use blockfs_fuzz::{MOST_BYTES, reseal_directory};
use cap::Cap;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MOST_BYTES);

fuzz_target!(|input: &[u8]| {
    let mut bytes = input.to_vec();
    reseal_directory(&mut bytes);
    if let Ok(contents) = check_directory(&bytes) {
        assert!(contents.written + contents.damaged <= contents.entries);
        // What was understood is written so that it is understood the same way.
        let again = check_directory(&contents.head).expect("what is written is read");
        assert_eq!(again.head, contents.head);
        assert_eq!(again.entries, contents.entries);
    }
});
