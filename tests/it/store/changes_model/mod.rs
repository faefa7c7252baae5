//! The rule of what is kept in memory, as a model whose every interleaving is looked at: a process that keeps a row
//! and may crash; two writes, of that row's organization or another, on its own node or another one; and looks that
//! are late, fail or never end.
//!
//! A tick is 450 ms: the lease is two of them, the bound of a second is taken as two, too. What is left of the lease
//! and the ages of looks and answers are kept, not the time, so that it goes on without end. Rows do not concern one
//! another, nor does one that was read before: one stands for all.

mod state;

use stateright::{Checker as _, Model, Property};

use state::{LEASE, Look, Row, Saw, Stage, State, Write};

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
    /// Of two own writes the one that notes its epoch last wins, not the later epoch.
    LastNoteWins,
    /// A look that has seen writes of both organizations notes them for the other one only.
    OneOrganizationOfALook,
    /// A row is still kept after a crash.
    RowOutlivesCrash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Tick,
    Write(usize),
    BeginLook,
    Look,
    FailLook,
    Read,
    Crash,
}

struct Memory {
    fault: Fault,
}

impl Memory {
    fn write(&self, state: &mut State, number: usize) {
        let version = state.version();
        let write = &mut state.writes[number];
        write.stage = match write.stage {
            Stage::Pending => {
                write.version = version + 1;
                Stage::Committed
            }
            Stage::Committed if write.is_own && self.fault != Fault::AnsweredFirst => {
                state.epoch += 1;
                Stage::Numbered { epoch: state.epoch }
            }
            Stage::Numbered { epoch } => {
                if write.is_of_row {
                    state.latest = match self.fault {
                        Fault::LastNoteWins => epoch,
                        _ => state.latest.max(epoch),
                    };
                }
                Stage::Noted
            }
            _ => write.acknowledged(),
        };
    }

    fn look(&self, state: &mut State) {
        let left = |age: u8| match self.fault {
            Fault::LeaseFromTheEnd => LEASE,
            _ => LEASE - age,
        };
        match state.look {
            Look::Idle => {}
            Look::Begun { age } => {
                let saw = state.writes.map(Write::is_committed);
                state.look = Look::Seen { age, saw };
            }
            Look::Seen { age, saw } if self.fault == Fault::LeaseFirst => {
                state.lease = left(age);
                state.look = Look::Leased { saw };
            }
            Look::Seen { age, saw } => {
                self.note(state, saw);
                state.lease = left(age);
            }
            Look::Leased { saw } => self.note(state, saw),
        }
    }

    fn note(&self, state: &mut State, saw: Saw) {
        let told = state.told.unwrap_or_default();
        let of = |is_of_row| {
            let mut writes = state.writes.iter().zip(saw.iter().zip(&told));
            writes.any(|(write, (saw, told))| write.is_of_row == is_of_row && *saw && !told)
        };
        let (row, other) = match state.told {
            // The first look only finds the place, and takes everything for changed.
            None => (self.fault != Fault::FirstLookTrusted, true),
            Some(_) if self.fault == Fault::OneOrganizationOfALook => {
                (of(true) && !of(false), of(false))
            }
            Some(_) => (of(true), of(false)),
        };
        if row || other {
            state.epoch += 1;
        }
        if row {
            state.latest = state.epoch;
        }
        state.told = Some(saw);
        state.look = Look::Idle;
    }

    fn read(&self, state: &mut State) {
        state.row = match state.row {
            Row::None | Row::Kept { .. } => Row::Begun { epoch: state.epoch },
            Row::Begun { epoch } => Row::Found {
                epoch,
                version: state.version(),
            },
            Row::Found { version, .. } if self.fault == Fault::EpochAfterTheRead => Row::Kept {
                epoch: state.epoch,
                version,
            },
            Row::Found { epoch, version } => Row::Kept { epoch, version },
        };
    }

    /// The process ends and another one begins; the database goes on.
    fn crash(&self, before: &State) -> State {
        let writes = before.writes.map(|write| match write.stage {
            Stage::Committed | Stage::Numbered { .. } | Stage::Noted if write.is_own => Write {
                stage: Stage::Unanswered,
                ..write
            },
            _ => write,
        });
        let mut after = State::begin(writes);
        if self.fault == Fault::RowOutlivesCrash && matches!(before.row, Row::Kept { .. }) {
            after.row = before.row;
        }
        after
    }
}

impl Model for Memory {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let kinds = [(true, true), (false, true), (true, false), (false, false)];
        let of = |(is_own, is_of_row)| Write {
            is_own,
            is_of_row,
            stage: Stage::Pending,
            version: 0,
        };
        let mut all = Vec::new();
        // Which of the two is named first makes no difference; one of them changes the row.
        for (number, first) in kinds.into_iter().enumerate() {
            for second in kinds[number..].iter().filter(|it| first.1 || it.1) {
                all.push(State::begin([of(first), of(*second)]));
            }
        }
        all
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        steps.extend([Step::Tick, Step::Crash, Step::Read]);
        for (number, write) in state.writes.iter().enumerate() {
            if !matches!(write.stage, Stage::Acknowledged { .. } | Stage::Unanswered) {
                steps.push(Step::Write(number));
            }
        }
        match state.look {
            Look::Idle => steps.push(Step::BeginLook),
            _ => steps.extend([Step::Look, Step::FailLook]),
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = *before;
        match step {
            Step::Tick => state.tick(),
            Step::Write(number) => self.write(&mut state, number),
            Step::BeginLook => state.look = Look::Begun { age: 0 },
            Step::Look => self.look(&mut state),
            Step::FailLook => state.look = Look::Idle,
            Step::Read => self.read(&mut state),
            Step::Crash => state = self.crash(before),
        }
        Some(state.normalized())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing is used too late", |_, state: &State| {
                let outdates =
                    |(_, version): (u8, u8)| state.writes.iter().any(|it| it.outdates(version));
                !state.usable().is_some_and(outdates)
            }),
            // Else the rule would hold because nothing is ever used.
            Property::sometimes("memory is used after a crash, too", |_, state: &State| {
                let is_crash = |it: &Write| it.stage == Stage::Unanswered;
                state.writes.iter().any(is_crash) && state.usable().is_some()
            }),
            Property::sometimes("an old row may be used for a moment", |_, state: &State| {
                let is_old = |it: &Write, version| {
                    matches!(it.stage, Stage::Acknowledged { .. }) && it.is_newer(version)
                };
                let usable = state.usable();
                usable.is_some_and(|(_, version)| state.writes.iter().any(|it| is_old(it, version)))
            }),
            Property::sometimes(
                "a write of another organization voids nothing",
                |_, state: &State| state.usable().is_some_and(|(epoch, _)| epoch < state.epoch),
            ),
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
        (Fault::LastNoteWins, "the last note wins"),
        (Fault::OneOrganizationOfALook, "one organization of a look"),
        (Fault::RowOutlivesCrash, "a row outlives a crash"),
    ] {
        let checked = Memory { fault }.checker().spawn_bfs().join();
        let found = checked.discovery("nothing is used too late");
        assert!(found.is_some(), "{what}: the fault is not found");
        println!("{what}: {} states", checked.unique_state_count());
    }
}
