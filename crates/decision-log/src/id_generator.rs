//! Generates decision ids. Randomness is drawn in advance, since one system call per id would
//! dominate the cost of recording.

use std::sync::Arc;

use charter_domain::entropy::Entropy;
use charter_domain::id::DecisionId;
use charter_domain::timestamp::Timestamp;

const BYTES_OF_ONE: usize = 10;
const DRAWN: usize = 400 * BYTES_OF_ONE;

pub(super) struct IdGenerator {
    entropy: Arc<dyn Entropy>,
    drawn: Box<[u8; DRAWN]>,
    used: usize,
}

impl IdGenerator {
    pub(super) fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self {
            entropy,
            drawn: Box::new([0; DRAWN]),
            used: DRAWN,
        }
    }

    pub(super) fn next(&mut self, now: Timestamp) -> DecisionId {
        if self.used + BYTES_OF_ONE > DRAWN {
            self.entropy.fill(&mut *self.drawn);
            self.used = 0;
        }
        let from = self.used;
        self.used += BYTES_OF_ONE;
        let part = self.drawn.get(from..self.used).unwrap_or_default();
        DecisionId::generate(now, &RandomBytes(part))
    }
}

/// The random bytes of one id.
struct RandomBytes<'a>(&'a [u8]);

impl Entropy for RandomBytes<'_> {
    fn fill(&self, buffer: &mut [u8]) {
        for (to, from) in buffer.iter_mut().zip(self.0) {
            *to = *from;
        }
    }
}
