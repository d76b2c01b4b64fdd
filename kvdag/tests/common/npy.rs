//! NumPy arrays by hand.

/// A NumPy array of version 1, as NumPy writes it.
pub(crate) fn npy(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (header.len() + 11).next_multiple_of(64) - 10;
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(length).expect("the header is short").to_le_bytes());
    file.extend(format!("{header:<width$}\n", width = length - 1).into_bytes());
    file.extend(elements);
    file
}

/// The elements of a NumPy array.
pub(crate) fn elements(npy: &[u8]) -> &[u8] {
    &npy[10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]))..]
}
