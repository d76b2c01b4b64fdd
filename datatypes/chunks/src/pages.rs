//! Memory in large pages.

#[cfg(target_os = "linux")]
use std::time::Duration;

/// What is shorter stays in small pages: it has few of them, or is memory that was used before. numpy's bound as well.
#[cfg(target_os = "linux")]
const LEAST: usize = 4 << 20;

/// What lies behind so much stays in small pages, as whoever asks for more may not fill all of it.
#[cfg(target_os = "linux")]
const MOST: usize = 1 << 30;

/// The size of a large page on most machines; on others it is only how much is had at a time.
#[cfg(target_os = "linux")]
const LARGE: usize = 2 << 20;

/// A large page takes a tenth of it, and as many small ones a quarter. It takes several times as long where a virtual machine's host has
/// to find the memory, which it takes back as soon as large pages are free.
#[cfg(target_os = "linux")]
const SLOW: Duration = Duration::from_millis(1);

/// So many slow pages are taken for chance.
#[cfg(target_os = "linux")]
const MOST_SLOW: usize = 3;

/// Has the system lay a long buffer on large pages, before anything is written to it. Handing pages out takes a good part of the time
/// that it takes to fill such a buffer, and of large ones there are five hundred times fewer. Where the system has none, or is slow to
/// find them, the rest stays on small ones; elsewhere than on Linux this does nothing.
///
/// ```
/// let mut volume = vec![0u16; 512 * 512 * 64];
/// chunks::lay_on_large_pages(&mut volume);
/// ```
pub fn lay_on_large_pages<T>(buffer: &mut [T]) {
    #[cfg(target_os = "linux")]
    if (LEAST..).contains(&size_of_val(buffer)) {
        linux::lay_on_large_pages(buffer.as_mut_ptr().cast(), size_of_val(buffer).min(MOST));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = buffer;
}

#[cfg(target_os = "linux")]
mod linux {
    #![allow(
        unsafe_code,
        reason = "it is calls of the system's, and reading 512 x 512 x 512 voxels takes a third less and more with it"
    )]

    use std::mem::MaybeUninit;
    use std::time::Duration;

    use rustix::mm::{Advice, madvise};
    use rustix::time::{ClockId, clock_gettime};

    use super::{LARGE, MOST_SLOW, SLOW};

    /// `start` is that of so many bytes that are borrowed exclusively.
    pub(super) fn lay_on_large_pages(start: *mut u8, bytes: usize) {
        // Pages that others have a part of are left alone.
        let skipped = start.align_offset(LARGE);
        let pages = bytes.saturating_sub(skipped) / LARGE;
        let page = |number: usize| start.wrapping_add(skipped + number * LARGE);
        let mut slow = 0;
        for number in 0..pages {
            let before = thread_time();
            // SAFETY: The range is within the buffer, and the advice changes no contents.
            if unsafe { madvise(page(number).cast(), LARGE, Advice::LinuxHugepage) }.is_err() {
                return;
            }
            let byte = page(number).cast::<MaybeUninit<u8>>();
            // SAFETY: The byte is within the buffer, and stays what it is, if it is anything.
            unsafe { byte.write_volatile(byte.read_volatile()) };
            slow += usize::from(thread_time().saturating_sub(before) > SLOW);
            if slow > MOST_SLOW {
                return;
            }
        }
    }

    /// Time in which this thread ran: who has to wait for others isn't slow.
    fn thread_time() -> Duration {
        Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_buffer_stays_what_it_was() {
        for length in [0, 1, (4 << 20) - 1, 4 << 20, (9 << 20) + 4099] {
            let mut buffer: Vec<u8> = (0..251).cycle().take(length).collect();
            let before = buffer.clone();
            lay_on_large_pages(&mut buffer);
            assert!(buffer == before, "{length} bytes");
            lay_on_large_pages(&mut buffer[length / 3..]);
            assert!(buffer == before, "{length} bytes, from within");
        }
    }
}
