//! Buffers whose size comes from outside.

use engine_api::{Error, ErrorKind, Result};

use crate::pages::lay_on_large_pages;

/// A buffer of zeros; one that there is no memory for is an error rather than the end of the process.
///
/// # Errors
/// `TooLarge`.
pub fn zeroed(bytes: usize) -> Result<Vec<u8>> {
    // Asking first makes it an error, and no abort.
    let mut buffer: Vec<u8> = Vec::new();
    buffer.try_reserve_exact(bytes).map_err(|error| {
        Error::new(
            ErrorKind::TooLarge,
            "there is no memory for the elements; take a smaller region or smaller chunks",
        )
        .with("bytes", bytes)
        .caused_by(error)
    })?;
    drop(buffer);
    // Zeros come from the system without being written.
    let mut zeros = vec![0; bytes];
    lay_on_large_pages(&mut zeros);
    Ok(zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_memory_holds_is_an_error() {
        assert_eq!(zeroed(3).unwrap(), [0; 3]);
        assert_eq!(zeroed(usize::MAX / 2).unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
