//! What a build without a format's feature says of it.

use engine_api::{Error, ErrorKind};

/// The format needs a cargo feature that is off.
pub(super) fn needs(feature: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, "this build hasn't got the format; a cargo feature adds it")
        .with("feature", feature)
}
