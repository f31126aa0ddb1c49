//! Threads of a command. The only file of this crate with `unsafe`.
#![allow(unsafe_code)] // `mallopt` is a C function; the call is below

/// Starts the pool of `wanted` threads, or one for each core, and returns how many they are.
pub(crate) fn start(wanted: Option<usize>) -> usize {
    let threads = wanted.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    share_heaps(threads);
    // The first pool stays.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    threads
}

/// Has glibc keep one heap for each thread that calculates, and none for the others.
///
/// Left alone it gives every thread its own, and what one frees the others do not get: on 500,000 × 50 rows a run took 10 MiB more, and searches of milliseconds
/// took a quarter longer, for memory that is touched for the first time costs most there (ADR 25). Elsewhere this does nothing.
fn share_heaps(threads: usize) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` takes two numbers and may be called at any time; what it refuses (it returns 0) stays as it was, which costs memory
    // only.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, threads.clamp(1, 1_024) as libc::c_int);
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = threads;
}
