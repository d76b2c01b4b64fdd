//! A store's volumes and versions, as a server shows them.

use engine_api::version::{Version, VersionDag};
use engine_api::{Error, ErrorKind, Result, Store};
use volume::{DATATYPE, Volume};
use volume_server::{Axis, Catalog, Served, VersionEntry, VolumeEntry};

use super::log::newest_first;
use super::store::AnyStore;
use super::through::Through;

/// The volumes of a store's only repo.
pub(crate) struct StoreCatalog {
    store: AnyStore,
    /// Those that are shown; all where none is named.
    only: Vec<String>,
    /// Those that hold labels, besides those that say so themselves.
    labels: Vec<String>,
    through: Through,
}

impl StoreCatalog {
    /// # Errors
    /// `NotFound` when a volume isn't there; `InvalidArgument` when it is none, or there are several repos.
    pub(crate) fn new(store: AnyStore, only: Vec<String>, labels: Vec<String>) -> Result<Self> {
        store.only_repo()?;
        for name in only.iter().chain(&labels) {
            Volume::open(&store, name)?;
        }
        Ok(Self { store, only, labels, through: Through::default() })
    }

    /// The same, whose chunks are read through what is given.
    pub(crate) fn through(self, through: Through) -> Self {
        Self { through, ..self }
    }

    fn shows(&self, volume: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == volume)
    }

    fn holds_labels<S: Store>(&self, volume: &Volume<'_, S>) -> bool {
        volume.properties().labels || self.labels.contains(&volume.instance().name)
    }
}

impl Catalog for StoreCatalog {
    fn volumes(&self) -> Result<Vec<VolumeEntry>> {
        let dag = self.store.dag()?;
        let repo = dag.only_repo()?.id;
        let versions: Vec<_> = newest_first(&dag, None, false)?
            .into_iter()
            .filter(|version| version.repo == repo && version.cleaned.is_none())
            .map(|version| entry(&dag, version))
            .collect();
        let mut volumes = Vec::new();
        for instance in dag.instances() {
            if instance.repo != repo || instance.datatype != DATATYPE || !self.shows(&instance.name) {
                continue;
            }
            let opened = match Volume::open(&self.store, &instance.name) {
                Ok(opened) => opened,
                // One whose import is under way, or was cut short, is shown when it is whole.
                Err(error) if matches!(error.kind(), ErrorKind::Poisoned | ErrorKind::NotFound) => continue,
                Err(error) => return Err(error),
            };
            volumes.push(VolumeEntry {
                name: instance.name.clone(),
                labels: self.holds_labels(&opened),
                versions: versions.clone(),
            });
        }
        Ok(volumes)
    }

    fn read(
        &self,
        volume: &str,
        version: &str,
        reader: &mut dyn FnMut(&Served<'_>) -> Result<()>,
    ) -> Result<()> {
        if !self.shows(volume) {
            return Err(Error::new(ErrorKind::NotFound, "there is no such volume").with("volume", volume));
        }
        let version = self.store.find(version)?;
        let opened = Volume::open(&self.store, volume)?;
        let axes: Vec<_> = opened
            .properties()
            .axes
            .iter()
            .map(|axis| Axis { name: axis.name.clone(), spacing: axis.spacing, unit: axis.unit.clone() })
            .collect();
        let at = opened.at(version.id).made_alone()?;
        reader(&Served {
            scales: &*self.through.chunks(&at, (opened.instance(), &version))?,
            axes: &axes,
            labels: self.holds_labels(&opened),
            version: &version.uuid.simple().to_string(),
            committed: version.committed.is_some(),
        })
    }
}

fn entry(dag: &VersionDag, version: &Version) -> VersionEntry {
    let branch = dag.next_on_branch(version).is_none().then(|| version.branch.clone());
    let tags = dag.tags().filter(|tag| tag.version == version.id).map(|tag| tag.name.clone());
    VersionEntry {
        version: version.uuid.simple().to_string(),
        names: branch.into_iter().chain(tags).collect(),
        note: version.note.clone(),
        committed: version.committed.is_some(),
    }
}
