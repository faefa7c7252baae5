//! The log's id: random, beside its head, so that positions in one log are not used with another replica's.

use std::io;
use std::path::Path;

use charter_domain::entropy::Entropy;
use charter_system::atomic;

/// The id of the log with this head. Created with the log.
pub(super) fn read_or_create(head: &Path, entropy: &dyn Entropy) -> io::Result<String> {
    let path = head.with_extension("id");
    let read = std::fs::read_to_string(&path);
    if read.as_ref().is_ok_and(|id| !id.is_empty()) {
        return read;
    }
    if let Err(error) = read
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    let id = format!("{:032x}", u128::from_be_bytes(bytes));
    atomic::replace_private(&path, id.as_bytes())?;
    Ok(id)
}
