//! What many decisions of a file have in common is written once in it: entities, contexts, and
//! cases, which are all of a decision but its time, its ids and the facts of its moment.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

/// A kind of definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defined {
    Entity,
    Context,
    Case,
}

impl Defined {
    pub(super) const ALL: [Self; 3] = [Self::Entity, Self::Context, Self::Case];

    /// The `kind` of its lines.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Context => "context",
            Self::Case => "case",
        }
    }
}

/// How many definitions of each kind there are; the next one's number is one more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Numbers {
    entities: u32,
    contexts: u32,
    cases: u32,
}

impl Numbers {
    pub(super) const fn of(self, defined: Defined) -> u32 {
        match defined {
            Defined::Entity => self.entities,
            Defined::Context => self.contexts,
            Defined::Case => self.cases,
        }
    }

    pub(super) const fn of_mut(&mut self, defined: Defined) -> &mut u32 {
        match defined {
            Defined::Entity => &mut self.entities,
            Defined::Context => &mut self.contexts,
            Defined::Case => &mut self.cases,
        }
    }
}

/// What a file defines, for the one who writes it. Texts are known by two keyed hashes, which
/// nobody outside can make collide.
pub(super) struct Definitions {
    numbers: Numbers,
    known: HashMap<(u8, u64, u64), u32>,
    hashers: (RandomState, RandomState),
}

impl Definitions {
    /// For a file that has so many already. What they say is not looked up: it is defined again.
    pub(super) fn after(numbers: Numbers) -> Self {
        Self {
            numbers,
            known: HashMap::new(),
            hashers: (RandomState::new(), RandomState::new()),
        }
    }

    /// The number of a text; `Err` with its number if it must be defined first.
    pub(super) fn number(&mut self, defined: Defined, text: &str) -> Result<u32, u32> {
        let (one, other) = &self.hashers;
        let key = (defined as u8, one.hash_one(text), other.hash_one(text));
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
