//! Interrupted runs of finite steps end as if they had not been interrupted; damaged and foreign checkpoints are never
//! used.

use super::scenario;
use marginflow::control::{Control, Observer};
use marginflow::descent::{Descent, Progress, descend};
use marginflow::error::Error;
use marginflow::problem::Problem;
use marginflow::scenario::Scenario;
use marginflow::storage::forget;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// Sends a signal after so many looks, and remembers what it was told.
struct Stop<'a> {
    after: AtomicUsize,
    signal: &'a AtomicUsize,
    notes: Mutex<Vec<String>>,
}

impl Observer for Stop<'_> {
    fn steps(&self, _: Progress) {
        if self.after.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.signal.store(15, Ordering::Relaxed);
        }
    }

    fn note(&self, text: String) {
        self.notes.lock().unwrap().push(text);
    }
}

/// Goes on with the runs of a folder until the signal comes after `after` looks; what came of it, and the notes.
fn session(
    (scenario, problem): (&Scenario, &Problem),
    folder: &Path,
    after: usize,
) -> (Result<Vec<Descent>, Error>, Vec<String>) {
    let signal = AtomicUsize::new(0);
    let stop = Stop {
        after: AtomicUsize::new(after),
        signal: &signal,
        notes: Mutex::new(Vec::new()),
    };
    let control = Control {
        checkpoints: Some(folder),
        interval: 0.0,
        signal: &signal,
        observer: &stop,
    };
    let outcome = descend(problem, scenario.steps.as_ref().unwrap(), &control);
    (outcome, stop.notes.into_inner().unwrap())
}

fn same(left: &[Descent], right: &[Descent]) {
    assert_eq!(left.len(), right.len());
    for (l, r) in left.iter().zip(right) {
        assert_eq!(l.steps, r.steps);
        assert_eq!(l.trajectory.theta, r.trajectory.theta);
        assert_eq!(l.trajectory.log_log_time, r.trajectory.log_log_time);
        assert_eq!(l.trajectory.status, r.trajectory.status);
    }
}

fn checkpoints(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = (fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn runs_cut_into_pieces_end_bit_for_bit_as_uncut_ones() {
    let constant = "steps.sizes=[1e-2,3e-3]";
    let lanes = "steps.sizes=[1e-2,3e-3,1e-3,5e-4,2e-4]";
    for (name, more) in [
        ("fc-dfa", vec![constant]),
        ("fc-bp", vec![lanes]),
        ("fc-dfa", vec![constant, "steps.state=reduced"]),
        ("conv-dfa-2", vec![lanes, "steps.schedule=loss-normalised"]),
        (
            "conv-bp-2",
            vec![constant, "steps.schedule=loss-normalised"],
        ),
        ("relu-bp", vec![constant]),
    ] {
        let scenario = scenario(name, &[&more[..], &["steps.count=3000"]].concat());
        let problem = scenario.build().unwrap();
        let uncut = descend(&problem, scenario.steps.as_ref().unwrap(), &Control::none()).unwrap();
        let folder = TempDir::new().unwrap();
        let mut sessions = 0;
        let cut = loop {
            sessions += 1;
            let (outcome, notes) = session((&scenario, &problem), folder.path(), 40 * sessions);
            assert!(
                sessions == 1 || notes.iter().any(|n| n.contains("resumed")),
                "{notes:?}"
            );
            match outcome {
                Ok(descents) => break descents,
                Err(Error::Interrupted {
                    signal: 15,
                    resumable: true,
                }) => {}
                Err(e) => panic!("{e}"),
            }
        };
        assert!(sessions > 2, "{name}: {sessions}");
        same(&cut, &uncut);
        forget(folder.path()).unwrap();
        assert!(checkpoints(folder.path()).is_empty());
    }
}

#[test]
fn damaged_and_foreign_checkpoints_are_named_and_not_used() {
    let first = scenario("fc-dfa", &["steps.sizes=[1e-2]", "steps.count=3000"]);
    let problem = first.build().unwrap();
    let uncut = descend(&problem, first.steps.as_ref().unwrap(), &Control::none()).unwrap();
    let folder = TempDir::new().unwrap();
    let (outcome, _) = session((&first, &problem), folder.path(), 30);
    assert!(outcome.is_err());
    let file = checkpoints(folder.path()).remove(0);
    let good = fs::read(&file).unwrap();

    let truncated = good[..good.len() / 2].to_vec();
    let mut flipped = good.clone();
    flipped[good.len() / 3] ^= 1;
    for damaged in [truncated, flipped, Vec::new(), b"not a checkpoint".to_vec()] {
        fs::write(&file, damaged).unwrap();
        let (outcome, notes) = session((&first, &problem), folder.path(), usize::MAX);
        assert!(notes[0].contains("it is damaged"), "{notes:?}");
        same(&outcome.unwrap(), &uncut);
    }
    for other in [
        "steps.sizes=[2e-2]",
        "steps.count=3001",
        "steps.schedule=loss-normalised",
        "loss=logistic",
        "dataset.gaussian-teacher.seed=6",
        "rule.direct-feedback-alignment.feedback.gaussian.seed=8",
    ] {
        fs::write(&file, &good).unwrap();
        let other = scenario("fc-dfa", &["steps.sizes=[1e-2]", "steps.count=3000", other]);
        let problem = other.build().unwrap();
        let (outcome, notes) = session((&other, &problem), folder.path(), usize::MAX);
        assert!(notes[0].contains("another run"), "{notes:?}");
        let uncut = descend(&problem, other.steps.as_ref().unwrap(), &Control::none()).unwrap();
        same(&outcome.unwrap(), &uncut);
    }
}

/// The number of threads decides who computes, not what.
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let scenario = scenario(
        "fc-dfa",
        &[
            "steps.sizes=[1e-2,5e-3,4e-3,3e-3,2e-3,1e-3,5e-4,2e-4,1e-4,5e-5]",
            "steps.count=2000",
        ],
    );
    let problem = scenario.build().unwrap();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            descend(&problem, scenario.steps.as_ref().unwrap(), &Control::none()).unwrap()
        })
    };
    let one = with(1);
    for threads in [2, 7] {
        same(&with(threads), &one);
    }
}
