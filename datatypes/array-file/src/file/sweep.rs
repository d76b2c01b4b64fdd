//! Removing what no commit needs.

use object_store::ObjectMeta;

use crate::error::Result;
use crate::io::Io;
use crate::names::Names;

/// The layers that there are, whether or not a commit names them.
async fn list_layers(io: &Io, names: &Names) -> Result<Vec<(u64, ObjectMeta)>> {
    let listed = io.store.list_with_delimiter(Some(names.folder())).await?;
    let numbered = listed.objects.into_iter();
    Ok(numbered.filter_map(|meta| names.layer_number(&meta.location).map(|number| (number, meta))).collect())
}

/// A number above those of all layers.
pub(super) async fn first_free_layer(io: &Io, names: &Names) -> Result<u64> {
    let layers = list_layers(io, names).await?;
    Ok(layers.iter().map(|(number, _)| number.saturating_add(1)).max().unwrap_or(1))
}
