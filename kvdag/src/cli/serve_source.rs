//! A precomputed volume at a URL, as a server shows it.

use std::path::Path;

use chunks::MultiscaleStore;
use engine_api::{Error, ErrorKind, Result};
use volume::PrecomputedSource;
use volume_server::Axis;

use super::serve_single::{HasScales, SingleVolume};
use super::through::Through;
use super::volume::import::name_of;

/// A volume at a URL, and what it is read through.
pub(crate) struct SourceThrough {
    source: PrecomputedSource,
    through: Through,
}

impl HasScales for SourceThrough {
    fn scales(&self) -> Result<Box<dyn MultiscaleStore + '_>> {
        self.through.source(&self.source)
    }
}

/// # Errors
/// `NotFound` when a volume is named that isn't it.
pub(crate) fn catalog(
    source: PrecomputedSource,
    through: Through,
    only: &[String],
    labels: &[String],
) -> Result<SingleVolume<SourceThrough>> {
    let name = name_of(Path::new(source.url()))?;
    if let Some(other) = only.iter().chain(labels).find(|named| **named != name) {
        return Err(Error::new(ErrorKind::NotFound, "there is no such volume")
            .with("volume", other)
            .with("there is", &name));
    }
    let labels = source.is_labels() || !labels.is_empty();
    let axes = source.image(0)?.axes().iter();
    let axes =
        axes.map(|axis| Axis { name: axis.name.clone(), spacing: axis.spacing, unit: axis.unit.clone() });
    Ok(SingleVolume { axes: axes.collect(), name, labels, store: SourceThrough { source, through } })
}
