//! Generates decision ids. Randomness is drawn in advance, since one system call per id would
//! dominate the cost of recording.

use std::sync::Arc;

use charter_domain::entropy::Entropy;
use charter_domain::id::DecisionId;
use charter_domain::timestamp::Timestamp;

const BYTES_OF_ONE: usize = 10;
const DRAWN: usize = 400;

pub(super) struct IdGenerator {
    entropy: Arc<dyn Entropy>,
    drawn: Box<[[u8; BYTES_OF_ONE]; DRAWN]>,
    used: usize,
}

impl IdGenerator {
    pub(super) fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self {
            entropy,
            drawn: Box::new([[0; BYTES_OF_ONE]; DRAWN]),
            used: DRAWN,
        }
    }

    pub(super) fn next(&mut self, now: Timestamp) -> DecisionId {
        if self.used == DRAWN {
            self.entropy.fill(self.drawn.as_flattened_mut());
            self.used = 0;
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "just drawn anew where all was used"
        )]
        let part = &self.drawn[self.used];
        self.used += 1;
        DecisionId::generate(now, &RandomBytes(part))
    }
}

/// The random bytes of one id.
struct RandomBytes<'a>(&'a [u8; BYTES_OF_ONE]);

impl Entropy for RandomBytes<'_> {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(self.0);
    }
}
