//! Reads and writes at a place of a file, by many threads at once: none moves a position that another uses.

use std::fs::File;
use std::io;

/// Reads as many bytes as there are from `at` on, up to the length of `out`; answers how many.
///
/// # Errors
/// What the operating system says.
pub fn read_at(file: &File, mut out: &mut [u8], mut at: u64) -> io::Result<usize> {
    let wanted = out.len();
    while !out.is_empty() {
        match system::read_at(file, out, at) {
            Ok(0) => break,
            Ok(read) => {
                out = &mut out[read..];
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(wanted - out.len())
}

/// Fills `out` from `at` on.
///
/// # Errors
/// `UnexpectedEof` where the file ends before; what the operating system says.
pub fn read_exact_at(file: &File, out: &mut [u8], at: u64) -> io::Result<()> {
    if read_at(file, out, at)? < out.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Writes all of `data` from `at` on; the file becomes longer where it has to.
///
/// # Errors
/// What the operating system says.
pub fn write_all_at(file: &File, mut data: &[u8], mut at: u64) -> io::Result<()> {
    while !data.is_empty() {
        match system::write_at(file, data, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                data = &data[written..];
                at += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(unix)]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt;

    pub(super) fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
        file.read_at(out, at)
    }

    pub(super) fn write_at(file: &File, data: &[u8], at: u64) -> io::Result<usize> {
        file.write_at(data, at)
    }
}

#[cfg(windows)]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::windows::fs::FileExt;

    pub(super) fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
        file.seek_read(out, at)
    }

    pub(super) fn write_at(file: &File, data: &[u8], at: u64) -> io::Result<usize> {
        file.seek_write(data, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_at_a_place_is_read_there() {
        let file = tempfile::tempfile().unwrap();
        write_all_at(&file, b"after a gap", 5).unwrap();
        let mut out = [1; 20];
        assert_eq!(read_at(&file, &mut out, 3).unwrap(), 13);
        assert_eq!(&out, b"\0\0after a gap\x01\x01\x01\x01\x01\x01\x01");
        let mut out = [0; 3];
        read_exact_at(&file, &mut out, 13).unwrap();
        assert_eq!(&out, b"gap");
        assert_eq!(read_exact_at(&file, &mut out, 14).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read_at(&file, &mut out, 99).unwrap(), 0);
    }
}
