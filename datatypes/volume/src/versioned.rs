//! A volume at every version of a repo, over any engine.

use chunks::Scales;
use engine_api::key::{DataContext, RepoId, VersionId};
use engine_api::version::{Instance, NewInstance, Versioned};
use engine_api::{Error, ErrorKind, Result, Store};

use crate::archive::{Archive, archives_now};
use crate::properties::Properties;
use crate::volume_at::VolumeAt;

/// The datatype's name in an [`Instance`].
pub const DATATYPE: &str = "volume";

/// A volume: an array with a version history.
#[derive(Debug)]
pub struct Volume<'s, S> {
    store: &'s Versioned<S>,
    instance: Instance,
    properties: Properties,
    scales: Scales,
}

impl<'s, S: Store> Volume<'s, S> {
    /// Makes a volume in a repo; every element is the fill value, at every version.
    ///
    /// # Errors
    /// `AlreadyExists` when the repo has an instance of this name; `InvalidArgument` and `TooLarge` for properties that
    /// don't fit together.
    pub fn create(store: &'s Versioned<S>, repo: RepoId, name: &str, properties: Properties) -> Result<Self> {
        properties.check()?;
        let scales = properties.scales()?;
        let new = NewInstance::new(name, DATATYPE).properties(properties.to_json()?);
        let instance = store.create_instance(repo, &new)?;
        Ok(Self { store, instance, properties, scales })
    }

    /// Opens the only repo's volume of this name.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when the instance is of another datatype; `Corrupt`; `Poisoned` when
    /// its import was cut short.
    pub fn open(store: &'s Versioned<S>, name: &str) -> Result<Self> {
        let volume = Self::open_unfinished(store, name)?;
        if volume.properties.importing.is_some() {
            return Err(Error::new(
                ErrorKind::Poisoned,
                "the volume's import was cut short; import it again under this name",
            )
            .with("volume", name));
        }
        Ok(volume)
    }

    /// Opens a volume, even one whose import was cut short.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), but `Poisoned`.
    pub fn open_unfinished(store: &'s Versioned<S>, name: &str) -> Result<Self> {
        Self::of_instance(store, store.instance_of(DATATYPE, name)?)
    }

    pub(crate) fn of_instance(store: &'s Versioned<S>, instance: Instance) -> Result<Self> {
        let properties = Properties::from_json(&instance.properties)?;
        let scales = properties.scales()?;
        Ok(Self { store, instance, properties, scales })
    }

    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// What the volume says of itself.
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Replaces what the volume says of itself, but for its archives: those are as [`archive`](Self::archive) and
    /// [`restore`](Self::restore) have left them.
    ///
    /// # Errors
    /// `InvalidArgument` when the grid differs, or scales that there are, or whether elements are labels: what is
    /// stored wouldn't fit. Coarser scales may be added.
    pub fn set_properties(&mut self, properties: Properties) -> Result<()> {
        if properties.grid != self.properties.grid
            || properties.labels != self.properties.labels
            || !properties.factors.starts_with(&self.properties.factors)
        {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "a volume's grid, scales and kind are fixed when it is made",
            ));
        }
        let archives = archives_now(self.store, self.instance.id)?;
        self.record(Properties { archives, ..properties })
    }

    /// Changes which archives there are.
    pub(crate) fn set_archives(&mut self, change: impl FnOnce(&mut Vec<Archive>)) -> Result<()> {
        let mut archives = archives_now(self.store, self.instance.id)?;
        change(&mut archives);
        self.record(Properties { archives, ..self.properties.clone() })
    }

    fn record(&mut self, properties: Properties) -> Result<()> {
        let scales = properties.scales()?;
        self.instance = self.store.set_properties(self.instance.id, &properties.to_json()?)?;
        self.properties = properties;
        self.scales = scales;
        Ok(())
    }

    /// The versioned store that it is in.
    pub fn store(&self) -> &'s Versioned<S> {
        self.store
    }

    /// The grids of all scales.
    pub fn scales(&self) -> &Scales {
        &self.scales
    }

    /// The volume at a version: a [`ChunkStore`](chunks::ChunkStore), and a
    /// [`MultiscaleStore`](chunks::MultiscaleStore).
    pub fn at(&self, version: VersionId) -> VolumeAt<'s, S> {
        let ctx = DataContext::versioned(self.instance.id, version);
        VolumeAt::new(self.store, ctx, self.properties.clone(), self.scales.clone())
    }
}
