//! What the process, its looks and the two writes are at, at one moment.

/// What is left of a lease when it begins.
pub(super) const LEASE: u8 = 2;
/// When a write of another node must be known.
const BOUND: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Pending,
    Committed,
    /// Own writes only: it has its epoch.
    Numbered {
        epoch: u8,
    },
    /// Own writes only.
    Noted,
    /// From the bound on, older ones are the same.
    Acknowledged {
        age: u8,
    },
    /// The process crashed before its answer.
    Unanswered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Write {
    pub(super) is_own: bool,
    /// Of the row's organization.
    pub(super) is_of_row: bool,
    pub(super) stage: Stage,
    /// The row's version from its commit on.
    pub(super) version: u8,
}

impl Write {
    pub(super) fn is_committed(self) -> bool {
        self.stage != Stage::Pending
    }

    /// Own writes hold at once, and of another organization's the age does not matter.
    pub(super) fn acknowledged(self) -> Stage {
        let age = if self.is_own || !self.is_of_row {
            BOUND
        } else {
            0
        };
        Stage::Acknowledged { age }
    }

    pub(super) fn is_newer(self, version: u8) -> bool {
        self.is_of_row && version < self.version
    }

    /// Whether a row of this version must not be used any more.
    pub(super) fn outdates(self, version: u8) -> bool {
        let is_over = self.stage == Stage::Acknowledged { age: BOUND };
        is_over && self.is_newer(version)
    }
}

/// Which of the two writes were committed.
pub(super) type Saw = [bool; 2];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Look {
    Idle,
    Begun {
        age: u8,
    },
    Seen {
        age: u8,
        saw: Saw,
    },
    /// Half applied, where the order is wrong.
    Leased {
        saw: Saw,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Row {
    None,
    /// It is being read.
    Begun {
        epoch: u8,
    },
    Found {
        epoch: u8,
        version: u8,
    },
    Kept {
        epoch: u8,
        version: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) writes: [Write; 2],
    pub(super) epoch: u8,
    /// The epoch of the latest change of the row's organization that is known.
    pub(super) latest: u8,
    /// What is left of it.
    pub(super) lease: u8,
    /// What the looks before have seen.
    pub(super) told: Option<Saw>,
    pub(super) look: Look,
    pub(super) row: Row,
}

impl State {
    pub(super) fn version(&self) -> u8 {
        let is_in = |it: &&Write| it.is_of_row && it.is_committed();
        u8::try_from(self.writes.iter().filter(is_in).count()).expect("two at most")
    }

    /// The epoch and version of a row that may be used.
    pub(super) fn usable(&self) -> Option<(u8, u8)> {
        match self.row {
            Row::Kept { epoch, version } if self.lease > 0 && self.latest <= epoch => {
                Some((epoch, version))
            }
            _ => None,
        }
    }

    /// A row that is never used again is none, and of epochs only the order matters.
    pub(super) fn normalized(mut self) -> Self {
        if matches!(self.row, Row::Kept { epoch, .. } if epoch < self.latest) {
            self.row = Row::None;
        }
        let mut epochs = vec![&mut self.epoch, &mut self.latest];
        match &mut self.row {
            Row::None => {}
            Row::Begun { epoch } | Row::Found { epoch, .. } | Row::Kept { epoch, .. } => {
                epochs.push(epoch);
            }
        }
        for write in &mut self.writes {
            if let Stage::Numbered { epoch } = &mut write.stage {
                epochs.push(epoch);
            }
        }
        epochs.sort_unstable();
        let (mut rank, mut before) = (0, None);
        for epoch in epochs {
            rank += u8::from(before.replace(*epoch).is_some_and(|it| it < *epoch));
            *epoch = rank;
        }
        self
    }

    pub(super) fn tick(&mut self) {
        self.lease = self.lease.saturating_sub(1);
        for write in &mut self.writes {
            if let Stage::Acknowledged { age } = &mut write.stage {
                *age = BOUND.min(*age + 1);
            }
        }
        if let Look::Begun { age } | Look::Seen { age, .. } = &mut self.look {
            *age = LEASE.min(*age + 1);
        }
    }

    pub(super) fn begin(writes: [Write; 2]) -> Self {
        Self {
            writes,
            epoch: 0,
            latest: 0,
            lease: 0,
            told: None,
            look: Look::Idle,
            row: Row::None,
        }
    }
}
