//! The rule of what is kept in memory, as a model whose every interleaving is looked at: a reader that
//! keeps a row, writers on its own node and on another one, and looks that are late, fail or never end.
//!
//! A tick is 300 ms: the lease is three of them, the bound of a second is taken as three, too.

use stateright::{Checker as _, Model, Property};

const LEASE: u8 = 3;
const BOUND: u8 = 3;
const END: u8 = 7;

/// Parts of the rule that can be left out; then the model must find a row that is used too late.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The lease is counted from the end of a look.
    LeaseFromTheEnd,
    /// The lease is extended before what was seen is noted.
    LeaseFirst,
    /// A row carries the epoch from after it was read.
    EpochAfterTheRead,
    /// The first look is taken as if all before it were known.
    FirstLookTrusted,
    /// An own write is answered before it is noted.
    AnsweredFirst,
}

/// A write of the row from version 0 to 1, on either node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Write {
    Pending,
    Committed,
    /// Own writes only.
    Noted,
    Acknowledged {
        at: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Look {
    Idle,
    Begun {
        at: u8,
    },
    /// Whether the database had the write.
    Seen {
        at: u8,
        saw: bool,
    },
    /// Half applied, where the order is wrong.
    Leased {
        saw: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Read {
    Idle,
    Begun { epoch: u8 },
    Found { epoch: u8, version: u8 },
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "facts of the model, each true or false"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    now: u8,
    write: Write,
    is_own: bool,
    epoch: u8,
    /// The epoch of the latest change that is known.
    latest: u8,
    lease: u8,
    has_looked: bool,
    /// Whether the write was told: that happens once.
    is_told: bool,
    look: Look,
    read: Read,
    kept: Option<(u8, u8)>,
    used_late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Tick,
    Write,
    BeginLook,
    Look,
    FailLook,
    BeginRead,
    Read,
    Use,
}

struct Memory {
    fault: Fault,
}

impl State {
    fn version(&self) -> u8 {
        u8::from(self.write != Write::Pending)
    }

    fn advance(&mut self) {
        self.epoch += 1;
        self.latest = self.epoch;
    }
}

impl Memory {
    fn write(&self, state: &mut State) {
        let acknowledged = Write::Acknowledged { at: state.now };
        state.write = match state.write {
            Write::Pending => Write::Committed,
            Write::Committed if !state.is_own => acknowledged,
            Write::Committed if self.fault == Fault::AnsweredFirst => acknowledged,
            Write::Committed => {
                state.advance();
                Write::Noted
            }
            Write::Noted | Write::Acknowledged { .. } => acknowledged,
        };
    }

    fn look(&self, state: &mut State) {
        let extended = |at: u8| match self.fault {
            Fault::LeaseFromTheEnd => state.now + LEASE,
            _ => at + LEASE,
        };
        match state.look {
            Look::Idle => {}
            Look::Begun { at } => {
                let saw = state.version() > 0;
                state.look = Look::Seen { at, saw };
            }
            Look::Seen { at, saw } if self.fault == Fault::LeaseFirst => {
                state.lease = extended(at);
                state.look = Look::Leased { saw };
            }
            Look::Seen { at, saw } => {
                let lease = extended(at);
                self.note(state, saw);
                state.lease = lease;
            }
            Look::Leased { saw } => self.note(state, saw),
        }
    }

    fn note(&self, state: &mut State, saw: bool) {
        let is_new = if state.has_looked {
            saw && !state.is_told
        } else {
            // The first look only finds the place, and takes everything for changed.
            self.fault != Fault::FirstLookTrusted
        };
        if is_new {
            state.advance();
        }
        (state.has_looked, state.is_told) = (true, saw);
        state.look = Look::Idle;
    }

    fn read(&self, state: &mut State) {
        match state.read {
            Read::Idle => {}
            Read::Begun { epoch } => {
                let version = state.version();
                state.read = Read::Found { epoch, version };
            }
            Read::Found { epoch, version } => {
                let epoch = match self.fault {
                    Fault::EpochAfterTheRead => state.epoch,
                    _ => epoch,
                };
                state.kept = Some((epoch, version));
                state.read = Read::Idle;
            }
        }
    }
}

impl Model for Memory {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let of = |is_own| State {
            now: 0,
            write: Write::Pending,
            is_own,
            epoch: 0,
            latest: 0,
            lease: 0,
            has_looked: false,
            is_told: false,
            look: Look::Idle,
            read: Read::Idle,
            kept: None,
            used_late: false,
        };
        vec![of(false), of(true)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.now < END {
            steps.push(Step::Tick);
        }
        if !matches!(state.write, Write::Acknowledged { .. }) {
            steps.push(Step::Write);
        }
        match state.look {
            Look::Idle if state.now < END => steps.push(Step::BeginLook),
            Look::Idle => {}
            _ => steps.extend([Step::Look, Step::FailLook]),
        }
        match state.read {
            Read::Idle => steps.push(Step::BeginRead),
            _ => steps.push(Step::Read),
        }
        if state.kept.is_some() {
            steps.push(Step::Use);
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = *before;
        match step {
            Step::Tick => state.now += 1,
            Step::Write => self.write(&mut state),
            Step::BeginLook => state.look = Look::Begun { at: state.now },
            Step::Look => self.look(&mut state),
            Step::FailLook => state.look = Look::Idle,
            Step::BeginRead => state.read = Read::Begun { epoch: state.epoch },
            Step::Read => self.read(&mut state),
            Step::Use => {
                let (epoch, version) = state.kept?;
                let is_usable = state.now < state.lease && state.latest <= epoch;
                let bound = if state.is_own { 0 } else { BOUND };
                if let Write::Acknowledged { at } = state.write {
                    state.used_late |= is_usable && version == 0 && state.now >= at + bound;
                }
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing is used too late", |_, state: &State| {
                !state.used_late
            }),
            // Else the rule would hold because nothing is ever used.
            Property::sometimes("memory is used", |_, state: &State| {
                let is_usable =
                    |(epoch, _): (u8, u8)| state.now < state.lease && state.latest <= epoch;
                state.kept.is_some_and(is_usable)
            }),
            Property::sometimes("an old row may be used for a moment", |_, state: &State| {
                let is_usable = |(epoch, version): (u8, u8)| {
                    version == 0 && state.now < state.lease && state.latest <= epoch
                };
                let is_acknowledged = matches!(state.write, Write::Acknowledged { .. });
                !state.is_own && is_acknowledged && state.kept.is_some_and(is_usable)
            }),
        ]
    }
}

#[test]
fn nothing_is_used_too_late_in_any_order() {
    let checked = Memory { fault: Fault::None }.checker().spawn_bfs().join();
    println!("{} states", checked.unique_state_count());
    checked.assert_properties();
}

#[test]
fn each_part_of_the_rule_is_needed() {
    for (fault, what) in [
        (Fault::LeaseFromTheEnd, "the lease from the end of a look"),
        (Fault::LeaseFirst, "the lease first"),
        (Fault::EpochAfterTheRead, "the epoch after the read"),
        (Fault::FirstLookTrusted, "the first look trusted"),
        (Fault::AnsweredFirst, "answered first"),
    ] {
        let checked = Memory { fault }.checker().spawn_bfs().join();
        let found = checked.discovery("nothing is used too late");
        assert!(found.is_some(), "{what}: the fault is not found");
    }
}
