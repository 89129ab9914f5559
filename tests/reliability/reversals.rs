//! Verdicts at three horizons: from inconclusive to decided they may go, never from *violated* to *holds* or back.
//!
//! Every problem of [`problems`](super::problems) is run to s, 1.5 s and 2 s and judged each time. What theory has
//! proved must not come out violated either, at any time and on any data.
//!
//! ```text
//! cargo test --test reliability reversals
//! MARGINFLOW_SEEDS=1000..3000 cargo test --release --test reliability reversals -- --nocapture
//! ```

use super::judged::{contradicts, judged};
use super::problems::{Drawn, drawn};
use marginflow::claims::{Outcome, Verdict};
use marginflow::flow::FlowOptions;
use marginflow::trajectory::Status;
use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Most a single flow may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a flow ended and what was said of it; `None` if it could not start.
fn verdicts(drawn: &Drawn, until: f64) -> Option<(Status, Vec<Verdict>)> {
    let options = FlowOptions {
        max_steps: 20_000,
        max_wall_seconds: 5.0,
        ..FlowOptions::to(until)
    };
    let judged = judged(&drawn.problem, &options, true).ok()?;
    Some((judged.status, judged.verdicts))
}

/// What the battery has seen.
#[derive(Debug, Default)]
struct Tally {
    problems: usize,
    /// Runs by how they ended.
    ends: BTreeMap<String, usize>,
    /// Verdicts by claim and outcome.
    outcomes: BTreeMap<(&'static str, &'static str), usize>,
    /// From one horizon to the next: (earlier, later) where they differ.
    changes: BTreeMap<(&'static str, &'static str), usize>,
    /// Reversals, and proofs contradicted.
    wrong: Vec<String>,
    /// Decided once and later not.
    withdrawn: Vec<String>,
}

impl Tally {
    fn count(&mut self, drawn: &Drawn) {
        self.problems += 1;
        let mut earlier: BTreeMap<&str, (f64, Verdict)> = BTreeMap::new();
        for factor in [1.0, 1.5, 2.0] {
            let until = factor * drawn.until;
            let Some((status, found)) = within_patience(drawn, until) else {
                *self.ends.entry("none".into()).or_default() += 1;
                continue;
            };
            *self.ends.entry(format!("{status:?}")).or_default() += 1;
            for verdict in found {
                let (id, outcome) = (verdict.id, verdict.outcome);
                let name = outcome.name();
                *self.outcomes.entry((id, name)).or_default() += 1;
                let told = |v: &Verdict, s: f64| {
                    format!("    {} at s = {s}: {}", v.outcome.name(), v.evidence)
                };
                if contradicts(&verdict) {
                    let text = told(&verdict, until);
                    self.wrong.push(format!("{id} is proved, {drawn}\n{text}"));
                }
                if let Some((s, before)) = earlier.get(id) {
                    if before.outcome != outcome {
                        *self
                            .changes
                            .entry((before.outcome.name(), name))
                            .or_default() += 1;
                    }
                    let text = format!(
                        "{id}, {drawn}\n{}\n{}",
                        told(before, *s),
                        told(&verdict, until)
                    );
                    match (before.outcome, outcome) {
                        (Outcome::Violated, Outcome::Holds)
                        | (Outcome::Holds, Outcome::Violated) => self.wrong.push(text),
                        (x, y)
                            if x != y
                                && status == Status::Completed
                                && (x != Outcome::Inconclusive || y == Outcome::NotApplicable) =>
                        {
                            self.withdrawn.push(text);
                        }
                        _ => {}
                    }
                }
                // what was decided stays in mind when a later run decides nothing
                let undecided = matches!(outcome, Outcome::Inconclusive | Outcome::NotApplicable);
                if !(undecided && earlier.contains_key(id)) {
                    earlier.insert(id, (until, verdict));
                }
            }
        }
    }
}

/// [`verdicts`] on a thread of their own, so that one flow that does not come back holds nothing up.
fn within_patience(drawn: &Drawn, until: f64) -> Option<(Status, Vec<Verdict>)> {
    let (send, receive) = channel();
    let drawn = drawn.clone();
    std::thread::spawn(move || {
        // nobody may be waiting any more
        let _ = send.send(verdicts(&drawn, until));
    });
    receive.recv_timeout(PATIENCE).unwrap_or_default()
}

/// The battery over these seeds, on as many threads as there are processors.
fn battery(seeds: std::ops::Range<u64>) -> Tally {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let next = Mutex::new(seeds);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = { next.lock().unwrap().next() } {
                    let mut own = Tally::default();
                    own.count(&drawn(seed));
                    own.wrong.iter().for_each(|text| println!("{text}"));
                    tally.lock().unwrap().add(own);
                }
            });
        }
    });
    Arc::into_inner(tally).unwrap().into_inner().unwrap()
}

impl Tally {
    fn add(&mut self, other: Self) {
        fn add<K: Ord>(to: &mut BTreeMap<K, usize>, from: BTreeMap<K, usize>) {
            for (key, count) in from {
                *to.entry(key).or_default() += count;
            }
        }
        self.problems += other.problems;
        add(&mut self.ends, other.ends);
        add(&mut self.outcomes, other.outcomes);
        add(&mut self.changes, other.changes);
        self.wrong.extend(other.wrong);
        self.withdrawn.extend(other.withdrawn);
    }

    fn print(&self) {
        println!("{} problems, runs by end: {:?}", self.problems, self.ends);
        for ((id, outcome), count) in &self.outcomes {
            println!("{id:<20} {outcome:<16} {count}");
        }
        for ((before, after), count) in &self.changes {
            println!("{before} -> {after}: {count}");
        }
        for text in &self.withdrawn {
            println!("withdrawn: {text}");
        }
    }
}

/// A few problems, or those of the seeds in `MARGINFLOW_SEEDS` (`from..to`).
#[test]
fn no_verdict_is_reversed() {
    let seeds = std::env::var("MARGINFLOW_SEEDS").unwrap_or_else(|_| "0..60".into());
    let (from, to) = seeds.split_once("..").expect("from..to");
    let tally = battery(from.parse().unwrap()..to.parse().unwrap());
    tally.print();
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
}
