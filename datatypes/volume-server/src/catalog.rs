//! What a server shows, in terms that know neither engines nor files.

use chunks::MultiscaleStore;
use engine_api::Result;
use serde::Serialize;

/// Volumes by name, versions by name.
///
/// # Contract
/// - All methods may be called from several threads at once; they may block.
/// - A version that is committed has the same elements whenever it is read, and its
///   [`version`](Served::version) never names another.
pub trait Catalog: Send + Sync + 'static {
    /// What there is to see, in the order in which it is to be listed.
    fn volumes(&self) -> Result<Vec<VolumeEntry>>;

    /// Lends a volume at a version to `reader`, for the length of a call, once.
    ///
    /// Both names are as a client wrote them, percent-decoded: what names a version is the catalog's to say.
    ///
    /// # Errors
    /// `NotFound` when there is no such volume or version; those of `reader`.
    fn read(
        &self,
        volume: &str,
        version: &str,
        reader: &mut dyn FnMut(&Served<'_>) -> Result<()>,
    ) -> Result<()>;
}

/// A volume at a version.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// The elements, at every scale.
    pub scales: &'a dyn MultiscaleStore,
    /// The axes, slowest first; as many as the array has, or none where nothing is known of them.
    pub axes: &'a [Axis],
    /// Whether the elements are labels: names of things rather than amounts.
    pub labels: bool,
    /// The version's name that names no other, now or later, such as a UUID.
    pub version: &'a str,
    /// Whether the version is closed for writing for ever.
    pub committed: bool,
}

/// An axis of a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Axis {
    /// Its name, such as `z`, or empty.
    pub name: String,
    /// The distance from one element of scale 0 to the next, in `unit`.
    pub spacing: Option<f64>,
    /// The unit of the spacing: a length from `m` to `pm` is understood, others are passed on.
    pub unit: Option<String>,
}

/// A volume as a list of them shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VolumeEntry {
    /// Its name.
    pub name: String,
    /// Whether its elements are labels.
    pub labels: bool,
    /// Its versions, newest first.
    pub versions: Vec<VersionEntry>,
}

/// A version as a list of them shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VersionEntry {
    /// The name that names no other: [`Served::version`].
    pub version: String,
    /// The branches of which it is the newest version, and the tags on it.
    pub names: Vec<String>,
    /// What people say of it.
    pub note: String,
    /// Whether it is closed for writing for ever.
    pub committed: bool,
}
