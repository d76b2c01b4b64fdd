//! A precomputed volume at a URL, as a server shows it.

use std::path::Path;

use engine_api::{Error, ErrorKind, Result};
use volume::PrecomputedSource;
use volume_server::{Axis, Catalog, Served, VersionEntry, VolumeEntry};

use super::through::Through;
use super::volume::import::name_of;

/// The only version there is.
const NOW: &str = "now";

/// One volume, as it is.
pub(crate) struct SourceCatalog {
    source: PrecomputedSource,
    through: Through,
    name: String,
    labels: bool,
    axes: Vec<Axis>,
}

impl SourceCatalog {
    /// # Errors
    /// `NotFound` when a volume is named that isn't it.
    pub(crate) fn new(
        source: PrecomputedSource,
        through: Through,
        only: &[String],
        labels: &[String],
    ) -> Result<Self> {
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
        Ok(Self { axes: axes.collect(), source, through, name, labels })
    }
}

impl Catalog for SourceCatalog {
    fn volumes(&self) -> Result<Vec<VolumeEntry>> {
        let now = VersionEntry { version: NOW.to_owned(), ..VersionEntry::default() };
        Ok(vec![VolumeEntry { name: self.name.clone(), labels: self.labels, versions: vec![now] }])
    }

    fn read(
        &self,
        volume: &str,
        version: &str,
        reader: &mut dyn FnMut(&Served<'_>) -> Result<()>,
    ) -> Result<()> {
        if volume != self.name || version != NOW {
            return Err(Error::new(ErrorKind::NotFound, "there is no such volume")
                .with("volume", volume)
                .with("version", version));
        }
        reader(&Served {
            scales: &*self.through.source(&self.source)?,
            axes: &self.axes,
            labels: self.labels,
            version: NOW,
            committed: false,
        })
    }
}
