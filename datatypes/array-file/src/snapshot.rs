//! A commit that is open: its layers, and its table of arrays.

use std::sync::Arc;

use bytes::Bytes;

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::io::Io;
use crate::layer::Layer;
use crate::manifest::{CatalogAt, Manifest, checksum};
use crate::names::Names;

/// What a commit says.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) commit: u64,
    /// The checksum of the manifest, by which others know it: zero before the first commit.
    pub(crate) checksum: u32,
    pub(crate) next_layer: u64,
    pub(crate) next_array: u64,
    /// The oldest first.
    pub(crate) layers: Vec<Arc<Layer>>,
    pub(crate) snapshots: Vec<(String, u64)>,
    pub(crate) catalog: Catalog,
    /// Where the table of arrays is, if it isn't in the manifest.
    pub(crate) catalog_at: Option<CatalogAt>,
}

impl Snapshot {
    /// A file in which nothing was ever committed.
    pub(crate) fn empty() -> Self {
        Self {
            commit: 0,
            checksum: 0,
            next_layer: 1,
            next_array: 1,
            layers: Vec::new(),
            snapshots: Vec::new(),
            catalog: Catalog::default(),
            catalog_at: None,
        }
    }

    /// Opens a commit. Layers that are open already, and are among its, stay so.
    pub(crate) async fn load(
        io: &Io,
        names: &Names,
        commit: u64,
        known: &[Arc<Layer>],
    ) -> Result<Option<Self>> {
        let path = names.manifest(commit);
        let Some(bytes) = io.object(&path).await? else { return Ok(None) };
        let manifest = Manifest::decode(&bytes).map_err(|error| error.at(path.as_ref()))?;
        if manifest.commit != commit {
            return Err(Error::corrupt(path.to_string(), "it is the manifest of another commit"));
        }
        let layers: Vec<Arc<Layer>> = manifest
            .layers
            .into_iter()
            .map(|reference| {
                let open = known.iter().find(|layer| {
                    layer.reference.number == reference.number && layer.reference.id == reference.id
                });
                open.cloned().unwrap_or_else(|| {
                    let path = names.layer(reference.number);
                    Arc::new(Layer::new(reference, path))
                })
            })
            .collect();
        let (catalog, catalog_at) = match manifest.catalog {
            CatalogAt::Here(bytes) => (decode_catalog(&bytes, path.as_ref())?, None),
            CatalogAt::Layer { number, at, bytes } => {
                let layer = layers.iter().find(|layer| layer.reference.number == number);
                let layer = layer.filter(|layer| {
                    at.checked_add(bytes).is_some_and(|end| end <= layer.reference.footer_at)
                });
                let layer = layer.ok_or_else(|| {
                    Error::corrupt(path.to_string(), "its table of arrays is in no layer of its")
                })?;
                let found =
                    io.layer_ranges(&layer.path, std::slice::from_ref(&(at..at + bytes))).await?.pop();
                let catalog = decode_catalog(&found.unwrap_or_default(), layer.path.as_ref())?;
                (catalog, Some(CatalogAt::Layer { number, at, bytes }))
            }
        };
        Ok(Some(Self {
            commit,
            checksum: checksum(&bytes),
            next_layer: manifest.next_layer,
            next_array: manifest.next_array,
            layers,
            snapshots: manifest.snapshots,
            catalog,
            catalog_at,
        }))
    }
}

fn decode_catalog(bytes: &Bytes, path: &str) -> Result<Catalog> {
    Catalog::decode(bytes).map_err(|error| error.at(path))
}
