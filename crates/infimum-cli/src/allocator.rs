//! What the C library's allocator keeps of freed memory. The only file of this crate with `unsafe`.
#![allow(unsafe_code)] // `mallopt` is a C function; the calls are below

/// Blocks of this size and more are mapped by themselves and given back to the system when they are freed, and so is what lies free at the
/// end of the heap.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 2 << 20;

/// Has glibc give large blocks back when they are freed.
///
/// Left alone, it takes the largest block ever freed (a sample of the rows, say) as a sign that blocks up to that size come and go, keeps twice as much free
/// memory in each heap, and a run takes a quarter of the matrix more than it uses. Elsewhere this does nothing.
pub(crate) fn give_back_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for parameter in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        // SAFETY: `mallopt` takes two numbers and may be called at any time; what it refuses (it returns 0) stays as it was, which costs
        // memory only.
        unsafe { libc::mallopt(parameter, LARGE) };
    }
}
