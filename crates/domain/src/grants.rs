//! Names of roles or permissions. Equal lists share their memory, because many service accounts have the same
//! ones.

use std::ops::Deref;

use internment::ArcIntern;
use serde::{Serialize, Serializer};

/// In the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants(ArcIntern<Vec<String>>);

impl From<Vec<String>> for Grants {
    fn from(names: Vec<String>) -> Self {
        Self(ArcIntern::new(names))
    }
}

impl Grants {
    /// Approximate memory in bytes: the list's, divided by the number of its current holders.
    pub fn bytes(&self) -> usize {
        let names = self.iter().map(|name| size_of::<String>() + name.len());
        names.sum::<usize>() / self.0.refcount()
    }
}

impl FromIterator<String> for Grants {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Vec::from_iter(names).into()
    }
}

impl Deref for Grants {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl Serialize for Grants {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::Grants;

    #[test]
    fn equal_lists_share_their_memory() {
        let names = || Grants::from(vec!["viewer".to_owned(), "editor".to_owned()]);
        let (one, other) = (names(), names());
        assert_eq!(one, other);
        assert_eq!(one.as_ptr(), other.as_ptr());
    }

    #[test]
    fn each_holder_counts_its_share() {
        let names = || Grants::from(vec!["a list of this test alone".to_owned()]);
        let one = names();
        let alone = one.bytes();
        let other = names();
        assert!(alone > 0);
        assert_eq!((one.bytes(), other.bytes()), (alone / 2, alone / 2));
    }

    #[test]
    fn the_order_counts() {
        let names = |names: [&str; 2]| Grants::from(names.map(str::to_owned).to_vec());
        assert_ne!(names(["a", "b"]), names(["b", "a"]));
    }
}
