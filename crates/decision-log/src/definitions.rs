//! Data that many decisions of a file share is defined once: entities, contexts, and cases, which hold everything
//! of a decision but its time, ids and context.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use siphasher::sip128::{Hasher128 as _, SipHasher13};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DefinitionKind {
    Entity,
    Context,
    Case,
}

impl DefinitionKind {
    pub(super) const ALL: [Self; 3] = [Self::Entity, Self::Context, Self::Case];

    /// The `kind` member of its lines.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Context => "context",
            Self::Case => "case",
        }
    }
}

/// Number of definitions of each kind; the next one gets the next number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct DefinitionCounts {
    entities: u32,
    contexts: u32,
    cases: u32,
}

impl DefinitionCounts {
    pub(super) const fn of(self, defined: DefinitionKind) -> u32 {
        match defined {
            DefinitionKind::Entity => self.entities,
            DefinitionKind::Context => self.contexts,
            DefinitionKind::Case => self.cases,
        }
    }

    pub(super) const fn of_mut(&mut self, defined: DefinitionKind) -> &mut u32 {
        match defined {
            DefinitionKind::Entity => &mut self.entities,
            DefinitionKind::Context => &mut self.contexts,
            DefinitionKind::Case => &mut self.cases,
        }
    }
}

/// Assigns numbers to definitions. Texts are identified by a keyed hash of 128 bits, for which no collision can be
/// constructed.
pub(super) struct DefinitionWriter {
    numbers: DefinitionCounts,
    known: HashMap<(u8, u128), u32>,
    hasher: SipHasher13,
}

impl DefinitionWriter {
    /// Continues a file with that many definitions. They are not read, so their texts are defined again.
    pub(super) fn after(numbers: DefinitionCounts) -> Self {
        Self {
            numbers,
            known: HashMap::new(),
            hasher: SipHasher13::new_with_keys(random(), random()),
        }
    }

    /// The number of a text; `Err` with a new number if it must be defined first.
    pub(super) fn number(&mut self, defined: DefinitionKind, text: &str) -> Result<u32, u32> {
        let mut hasher = self.hasher;
        hasher.write(text.as_bytes());
        let key = (defined as u8, hasher.finish128().as_u128());
        if let Some(number) = self.known.get(&key) {
            return Ok(*number);
        }
        let numbers = self.numbers.of_mut(defined);
        *numbers += 1;
        let number = *numbers;
        self.known.insert(key, number);
        Err(number)
    }
}

/// As a hash table keys its hashes.
fn random() -> u64 {
    RandomState::new().hash_one(())
}
