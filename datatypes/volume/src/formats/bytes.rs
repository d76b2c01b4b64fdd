//! Orders of bytes.

/// The order of an element's bytes in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

/// Reverses the bytes of every element.
pub(super) fn swap_elements(element_size: usize, data: &mut [u8]) {
    match element_size {
        2 => data.as_chunks_mut::<2>().0.iter_mut().for_each(|element| element.reverse()),
        4 => data.as_chunks_mut::<4>().0.iter_mut().for_each(|element| element.reverse()),
        8 => data.as_chunks_mut::<8>().0.iter_mut().for_each(|element| element.reverse()),
        _ => {}
    }
}
