//! Inputs whose checksums are right, so that what is behind the checksums is reached.

/// More bytes in use than this end a run: nothing that a file says may ask for more.
pub const MOST_BYTES: usize = 64 << 20;

/// The longest block that a frame is decoded to.
pub const MOST_BLOCK: usize = 1 << 20;

const SEAL: [u8; 4] = [0x8B, b'K', b'B', b'D'];

/// Makes the checksums of a directory file's seal right, if it has one.
pub fn reseal_directory(file: &mut [u8]) {
    let Some(length) = file.get(8..).and_then(<[u8]>::first_chunk) else { return };
    let at = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX).saturating_add(16);
    if file.get(at..).is_none_or(|gap| !gap.starts_with(&SEAL)) {
        return;
    }
    let (head, seal) = file.split_at_mut(at);
    let sum = crc32c::crc32c(head).to_le_bytes();
    let Some(name) = seal.get(28..).and_then(<[u8]>::first_chunk) else { return };
    let end = 30 + usize::from(u16::from_le_bytes(*name));
    if seal.len() < end + 4 {
        return;
    }
    seal[24..28].copy_from_slice(&sum);
    let sum = crc32c::crc32c(&seal[..end]).to_le_bytes();
    seal[end..end + 4].copy_from_slice(&sum);
}

/// Makes the checksums of records right, those that aren't zero.
pub fn reseal_records(records: &mut [u8]) {
    for (index, record) in records.chunks_mut(64).enumerate() {
        for (kind, part) in [(b"BEGN", 0..16), (b"DONE", 32..56)] {
            let Some(part) = record.get_mut(part) else { continue };
            if part.iter().all(|byte| *byte == 0) {
                continue;
            }
            let (bytes, sum) = part.split_at_mut(part.len() - 4);
            let place = u64::try_from(index).unwrap_or(u64::MAX).to_le_bytes();
            let found = crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(kind), &place), bytes);
            sum.copy_from_slice(&found.to_le_bytes());
        }
    }
}
