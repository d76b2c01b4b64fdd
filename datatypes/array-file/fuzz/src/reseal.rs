//! Checksums made right again, from the inside out, as far as the bytes make any sense.

/// What a manifest says of a layer, which a changed layer would no longer be.
pub struct Names {
    footer_at: u64,
    footer_bytes: u32,
    size: u64,
    id: [u8; 16],
}

const TRAILER: usize = 24;

/// Writes the checksum of all that is before the last four bytes into them.
pub fn reseal_whole(bytes: &mut [u8]) -> Option<()> {
    let (body, sum) = bytes.split_last_chunk_mut::<4>()?;
    *sum = crc32c::crc32c(body).to_le_bytes();
    Some(())
}

/// The trailer, the footer, the pages and the blocks that they name; answers what a manifest should say of it.
pub fn reseal_layer(layer: &mut [u8]) -> Option<Names> {
    let size = layer.len();
    let end = size.checked_sub(TRAILER)?;
    let footer_at = usize::try_from(number(layer, end)?).ok().filter(|at| *at <= end)?;
    // The footer goes up to the trailer, whatever the trailer says.
    layer[end + 8..end + 16].copy_from_slice(&wide(end - footer_at).to_le_bytes());
    let sum = crc32c::crc32c(&layer[end..end + 16]);
    layer[end + 16..end + 20].copy_from_slice(&sum.to_le_bytes());
    reseal_index(layer, 0, footer_at, end);
    let footer_bytes = u32::try_from(end - footer_at).ok()?;
    let id = part(layer, footer_at + 8)?;
    Some(Names { footer_at: wide(footer_at), footer_bytes, size: wide(size), id })
}

/// The pages and the footer that a manifest has of layers, the table of arrays, and the manifest. The layers
/// are named as they are, in their order.
pub fn reseal_manifest(manifest: &mut [u8], layers: &[Names]) -> Option<()> {
    reseal_parts(manifest, layers);
    reseal_whole(manifest)
}

fn reseal_parts(manifest: &mut [u8], layers: &[Names]) -> Option<()> {
    let mut at = 36;
    for _ in 0..length(manifest, &mut at)? {
        at += length(manifest, &mut at)?.checked_add(8)?;
    }
    for index in 0..length(manifest, &mut at)? {
        let footer_bytes = usize::try_from(u32::from_le_bytes(part(manifest, at + 24)?)).ok()?;
        let footer_at = number(manifest, at + 16)?;
        let has_index = *manifest.get(at + 44)? != 0;
        let named = at;
        at += 45;
        if has_index {
            let inline = length(manifest, &mut at)?;
            let bytes = manifest.get_mut(at..at.checked_add(inline)?)?;
            if let Some(footer) = inline.checked_sub(footer_bytes) {
                let base = footer_at.checked_sub(wide(footer)).unwrap_or_default();
                reseal_index(bytes, usize::try_from(base).ok()?, footer, inline);
            }
            // A footer that is here is believed, and one in the layer has to have its id.
            let id = inline.checked_sub(footer_bytes).and_then(|footer| part::<16>(bytes, footer + 8));
            if let Some(id) = id {
                manifest[named + 28..named + 44].copy_from_slice(&id);
            }
            at += inline;
        } else if let Some(Names { footer_at, footer_bytes, size, id }) = layers.get(index) {
            manifest[named + 8..named + 16].copy_from_slice(&size.to_le_bytes());
            manifest[named + 16..named + 24].copy_from_slice(&footer_at.to_le_bytes());
            manifest[named + 24..named + 28].copy_from_slice(&footer_bytes.to_le_bytes());
            manifest[named + 28..named + 44].copy_from_slice(id);
        }
    }
    if *manifest.get(at)? == 0 {
        at += 1;
        let catalog = length(manifest, &mut at)?;
        reseal_whole(manifest.get_mut(at..at.checked_add(catalog)?)?)?;
    }
    Some(())
}

/// A footer and its pages, in bytes that begin at `base` of their layer, and the blocks where these are in the
/// bytes too.
fn reseal_index(bytes: &mut [u8], base: usize, footer: usize, end: usize) -> Option<()> {
    reseal_pages(bytes, base, footer);
    reseal_whole(bytes.get_mut(footer..end)?)
}

fn reseal_pages(bytes: &mut [u8], base: usize, footer: usize) -> Option<()> {
    let mut at = footer + 24;
    let codec = length(bytes, &mut at)?;
    at = at.checked_add(codec)?.checked_add(8)?;
    for _ in 0..length(bytes, &mut at)? {
        at += 8;
        let rank = length(bytes, &mut at).filter(|rank| *rank <= 32)?;
        for _ in 0..length(bytes, &mut at)? {
            let from = usize::try_from(number(bytes, at)?).ok()?;
            let stored = usize::try_from(u32::from_le_bytes(part(bytes, at + 8)?)).ok()?;
            let entries = usize::try_from(u32::from_le_bytes(part(bytes, at + 12)?)).ok()?;
            at += 16 + 8 * rank;
            let Some(from) = from.checked_sub(base) else { continue };
            let Some(to) = from.checked_add(stored).filter(|to| *to <= footer) else { continue };
            if base == 0 {
                for entry in 0..entries.min(stored / (4 * rank + 45)) {
                    reseal_block(bytes, from + entry * (4 * rank + 45) + 4 * rank);
                }
            }
            reseal_whole(&mut bytes[from..to]);
        }
    }
    Some(())
}

/// The block that an entry of a page names.
fn reseal_block(bytes: &mut [u8], entry: usize) -> Option<()> {
    let from = usize::try_from(number(bytes, entry)?).ok()?;
    let stored = usize::try_from(u32::from_le_bytes(part(bytes, entry + 8)?)).ok()?;
    let raw: [u8; 4] = part(bytes, entry + 12)?;
    // What the index lies in isn't a block, whatever an entry says.
    let block = bytes.get_mut(from..from.checked_add(stored).filter(|to| *to <= entry)?)?;
    let (header, payload) = block.split_first_chunk_mut::<16>()?;
    header[8..12].copy_from_slice(&raw);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&header[..12]), payload);
    header[12..].copy_from_slice(&sum.to_le_bytes());
    Some(())
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    part(bytes, at).map(u64::from_le_bytes)
}

/// A count or a length, and the place behind it.
fn length(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let found = usize::try_from(u32::from_le_bytes(part(bytes, *at)?)).ok()?;
    *at += 4;
    // More items than bytes there can't be.
    (found <= bytes.len()).then_some(found)
}

fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
