//! Prints the tables in Markdown, with notes.

use std::collections::BTreeMap;

use crate::arguments::Scenario;
use crate::compare::Compared;

/// The result of one scenario.
pub(crate) struct Row {
    pub(crate) scenario: Scenario,
    pub(crate) closed: Compared,
    pub(crate) open: Option<Compared>,
    pub(crate) notes: Vec<String>,
}

impl Row {
    fn ratio(&self) -> f64 {
        ratio(self.closed.rate())
    }

    /// Counts of responses other than 200, without the warm-up.
    fn errors(&self) -> BTreeMap<&str, usize> {
        let rounds = self.closed.rounds.iter();
        let rounds = rounds.chain(self.open.iter().flat_map(|open| &open.rounds));
        let mut errors = BTreeMap::new();
        for (what, times) in rounds.flatten().flat_map(|(measured, _)| &measured.errors) {
            *errors.entry(what.as_str()).or_default() += times;
        }
        errors
    }
}

pub(crate) fn print(rows: &[Row]) {
    println!(
        "| closed loop | Charter, a second | yardstick | ratio | of its kind's first | p99, ms | yardstick | ratio \
         | processor time, µs | yardstick | ratio |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for row in rows {
        let first = row.scenario.first_of_kind();
        let first = rows.iter().find(|row| row.scenario == first);
        let of_first = first.filter(|first| first.scenario != row.scenario);
        let of_first = of_first.map_or_else(
            || "–".to_owned(),
            |first| format!("{:.2}", row.ratio() / first.ratio()),
        );
        let [rate, bare] = row.closed.rate();
        println!(
            "| `{}` | {rate:.0} | {bare:.0} | {:.2} | {of_first} | {} | {} |",
            row.scenario.name(),
            row.ratio(),
            cells(row.closed.p99()),
            cells(row.closed.processor()),
        );
    }
    println!(
        "\n| open loop | answers a second | bare handler | p50, ms | bare handler | ratio | p99, ms | bare handler \
         | ratio |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for (row, open) in rows
        .iter()
        .filter_map(|row| Some((row, row.open.as_ref()?)))
    {
        let [rate, bare] = open.rate();
        println!(
            "| `{}` | {rate:.0} | {bare:.0} | {} | {} |",
            row.scenario.name(),
            cells(open.p50()),
            cells(open.p99()),
        );
    }
    println!();
    for row in rows {
        let name = row.scenario.name();
        for note in &row.notes {
            println!("- `{name}`: {note}");
        }
        let [resident, _] = row.closed.resident;
        let errors = row.errors();
        println!("- `{name}`: {resident:.0} MiB resident afterwards; other answers {errors:?}");
    }
}

/// Two figures and their ratio, as three cells.
fn cells([of, to]: [f64; 2]) -> String {
    format!("{of:.2} | {to:.2} | {:.1}", ratio([of, to]))
}

fn ratio([of, to]: [f64; 2]) -> f64 {
    of / to
}
