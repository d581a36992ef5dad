//! The allocator: the system's, with large buffers on huge pages.
//!
//! Blocking and comparing read a few words here and there of buffers of hundreds of megabytes. With pages of 4 KiB nearly every such read
//! waits for the page table too, on virtual machines twice over; with pages of 2 MiB hardly any does. Linux gives them to whoever asks.
#![warn(missing_docs)]
use std::alloc::{GlobalAlloc, Layout, System};

/// Buffers from this size on are laid on huge pages.
const LARGE: usize = 4 << 20;

/// The system's allocator, which asks for huge pages where a large buffer lies.
#[derive(Debug, Default, Clone, Copy)]
pub struct LargeOnHugePages;

/// Asks for huge pages within a buffer: whole ones only, so that nothing beside it is touched. A page of which a part is used is taken whole.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn advise(start: *mut u8, size: usize) {
    const HUGE_PAGE: usize = 2 << 20;
    if size < LARGE || start.is_null() {
        return;
    }
    let before = (start as usize).wrapping_neg() % HUGE_PAGE;
    let whole = (size - before) / HUGE_PAGE * HUGE_PAGE;
    // SAFETY: the range lies within a buffer that was just allocated, and the advice changes nothing of what it holds. Where it is not
    // followed, small pages serve as well.
    unsafe { libc::madvise(start.add(before).cast(), whole, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise(_: *mut u8, _: usize) {}

// SAFETY: all memory comes from the system's allocator and goes back to it, with the layouts that it was asked for with.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for LargeOnHugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let start = unsafe { System.alloc(layout) };
        advise(start, layout.size());
        start
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let start = unsafe { System.alloc_zeroed(layout) };
        advise(start, layout.size());
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !cfg!(target_os = "linux") || new_size < LARGE || new_size <= layout.size() {
            // SAFETY: the caller's promise.
            return unsafe { System.realloc(start, layout, new_size) };
        }
        // The system would move the pages, and break up huge ones on the way.
        // SAFETY: the caller promises that the size is one that a layout can have, and that `start` has this layout; the new buffer is
        // larger, and not the old one.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(start, new, layout.size());
                System.dealloc(start, layout);
            }
            new
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: LargeOnHugePages = LargeOnHugePages;

    /// Whether huge pages were asked for where the middle of a buffer lies.
    fn is_advised(buffer: &[u8]) -> bool {
        let middle = buffer.as_ptr() as usize + buffer.len() / 2;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut is_here = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            if let Some((Ok(from), Ok(to))) = range.map(|(a, b)| (usize::from_str_radix(a, 16), usize::from_str_radix(b, 16))) {
                is_here = (from..to).contains(&middle);
            } else if is_here && line.starts_with("VmFlags:") {
                return line.split(' ').any(|flag| flag == "hg");
            }
        }
        false
    }

    #[test]
    fn large_buffers_lie_on_huge_pages_and_small_ones_do_not() {
        if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            return;
        }
        assert!(is_advised(&vec![7; 64 << 20]));
        assert!(is_advised(&vec![0; 64 << 20]));
        assert!(!is_advised(&vec![7; 1 << 18]));
    }

    #[test]
    fn a_buffer_that_grows_and_shrinks_keeps_what_it_holds() {
        let is_whole = |buffer: &[u8]| buffer.iter().enumerate().all(|(place, byte)| place as u8 == *byte);
        let mut buffer = Vec::new();
        for place in 0..20_000_000usize {
            buffer.push(place as u8);
        }
        assert!(is_whole(&buffer));
        buffer.truncate(9 << 20);
        buffer.shrink_to_fit();
        assert!(is_whole(&buffer));
        buffer.truncate(1_000);
        buffer.shrink_to_fit();
        assert!(is_whole(&buffer));
    }
}
