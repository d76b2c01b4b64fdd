//! Memory in large pages.

/// What is shorter stays in small pages: it has few of them, or is memory that was used before. numpy's bound as well.
#[cfg(target_os = "linux")]
const LEAST: usize = 4 << 20;

/// Asks the system for large pages beneath a long buffer that nothing was written to yet. Handing pages out takes a good part of the time
/// that it takes to fill such a buffer, and of large ones there are five hundred times fewer. Where the system has none, nothing changes;
/// elsewhere than on Linux this does nothing.
///
/// ```
/// let mut volume = vec![0u16; 512 * 512 * 64];
/// chunks::ask_for_large_pages(&mut volume);
/// ```
pub fn ask_for_large_pages<T>(buffer: &mut [T]) {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        use rustix::param::page_size;

        let bytes = size_of_val(buffer);
        if bytes < LEAST {
            return;
        }
        // Pages that others have a part of are left alone.
        let start = buffer.as_mut_ptr().cast::<u8>();
        let skipped = start.align_offset(page_size());
        let length = bytes.saturating_sub(skipped) / page_size() * page_size();
        #[allow(
            unsafe_code,
            reason = "it is a call of the system's, and reading 512 x 512 x 512 voxels takes a third less and more with it"
        )]
        // SAFETY: The range is within the buffer, which is borrowed exclusively, and the advice changes no contents.
        let _ = unsafe { madvise(start.wrapping_add(skipped).cast(), length, Advice::LinuxHugepage) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = buffer;
}
