//! Buffers whose size comes from outside.

use engine_api::{Error, ErrorKind, Result};

use crate::pages::lay_on_large_pages;

/// A buffer of zeros; one that there is no memory for is an error rather than the end of the process.
///
/// # Errors
/// `TooLarge`.
pub fn zeroed(bytes: usize) -> Result<Vec<u8>> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(bytes).map_err(|error| {
        Error::new(
            ErrorKind::TooLarge,
            "there is no memory for the elements; take a smaller region or smaller chunks",
        )
        .with("bytes", bytes)
        .caused_by(error)
    })?;
    lay_on_large_pages(buffer.spare_capacity_mut());
    buffer.resize(bytes, 0);
    Ok(buffer)
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
