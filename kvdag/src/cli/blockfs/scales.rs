//! The coarser scales of a volume: volumes of their own beside it, by the names that this file gives them.

use std::path::{Path, PathBuf};

use chunks::{Grid, Scales};
use engine_api::Result;

/// Where a coarser scale of a volume is: `head.1.blockfs` is the first of `head.blockfs`.
pub(super) fn scale_path(base: &Path, scale: usize) -> PathBuf {
    let mut name = base.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{scale}.blockfs"));
    base.with_file_name(name)
}

/// The scales that a volume has if it has all of them: each half the one before.
pub(super) fn all_scales(base: &Grid) -> Result<Scales> {
    Scales::halving(*base)
}
