//! A volume that has no versions, as a server shows it.

use chunks::MultiscaleStore;
use engine_api::{Error, ErrorKind, Result};
use volume_server::{Axis, Catalog, Served, VersionEntry, VolumeEntry};

/// The only version there is.
const NOW: &str = "now";

/// Where the scales of a volume are.
pub(crate) trait HasScales: Send + Sync + 'static {
    /// The scales as they are now.
    fn scales(&self) -> Result<Box<dyn MultiscaleStore + '_>>;
}

/// One volume, as it is.
pub(crate) struct SingleVolume<S> {
    pub(crate) name: String,
    pub(crate) labels: bool,
    pub(crate) axes: Vec<Axis>,
    pub(crate) store: S,
}

impl<S: HasScales> Catalog for SingleVolume<S> {
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
            scales: &*self.store.scales()?,
            axes: &self.axes,
            labels: self.labels,
            version: NOW,
            committed: false,
        })
    }
}
