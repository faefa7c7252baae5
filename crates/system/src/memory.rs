//! How the kernel backs the process's memory.

/// Has the kernel back memory with pages of 4 KiB only (`PR_SET_THP_DISABLE`, prctl(2)).
///
/// The allocator asks for transparent huge pages; then whoever first touches one of 2 MiB waits until all of it is
/// zeroed, for milliseconds on a virtual machine, and with it all requests of that worker.
///
/// # Errors
///
/// The kernel is older than Linux 3.15 or refuses; the service can run without.
pub fn forbid_huge_pages() -> std::io::Result<()> {
    Ok(rustix::thread::disable_transparent_huge_pages(true)?)
}
