//! A battery of extreme inputs, run through the program as users run it, and the page that tells what became of each.
//!
//! [`battery::cases`] lists them as data; [`program`] runs one with a limit of time; [`judge`] knows what every outcome
//! must look like, whatever it is; [`page`] writes docs/reliability.md. [`memory`] holds estimates of memory to real
//! runs, and [`reversals`] verdicts at one horizon to those at longer ones.

mod battery;
mod cells;
mod degenerate;
mod hangs;
mod judge;
#[path = "../support/judged.rs"]
mod judged;
mod keys;
mod memory;
#[path = "../support/program.rs"]
mod outside;
mod page;
mod problems;
mod program;
mod relu;
mod reversals;
mod scales;
mod scenario;

use program::{Case, Ended};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Every case with how it ended, in order; run once for all tests.
fn ended() -> &'static [(Case, Ended)] {
    static ENDED: OnceLock<Vec<(Case, Ended)>> = OnceLock::new();
    ENDED.get_or_init(|| {
        let cases = battery::cases();
        let slots: Vec<OnceLock<Ended>> = cases.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(case) = cases.get(at) else { break };
                        slots[at].set(program::run(case)).expect("each runs once");
                    }
                });
            }
        });
        let outcomes = slots
            .into_iter()
            .map(|slot| slot.into_inner().expect("every case ran"));
        cases.into_iter().zip(outcomes).collect()
    })
}

/// Collects what is wrong with every case, so that one run shows all.
#[track_caller]
fn none_is_wrong(wrong: impl Fn(&Case, &Ended) -> Result<(), String>) {
    let failures: Vec<String> = (ended().iter())
        .filter_map(|(case, ended)| {
            let why = wrong(case, ended).err()?;
            Some(format!(
                "{} / {}: {why}\n{}",
                case.group, case.name, ended.stderr
            ))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn nothing_panics_hangs_or_ends_with_a_code_of_its_own() {
    assert!(ended().len() >= 400, "{} cases", ended().len());
    none_is_wrong(judge::ends_well);
}

#[test]
fn every_refusal_says_what_is_wrong_and_where() {
    none_is_wrong(judge::refuses_by_name);
}

#[test]
fn every_run_that_ends_early_says_when_how_and_what_to_try() {
    none_is_wrong(judge::names_its_end);
}

#[test]
fn completed_runs_hold_finite_numbers_only() {
    none_is_wrong(judge::is_finite_if_completed);
}

#[test]
fn answers_are_right_or_not_given() {
    none_is_wrong(judge::is_right);
}

/// Rewritten with `MARGINFLOW_WRITE_PAGES=1 cargo test --test reliability page`.
#[test]
fn the_page_says_what_became_of_every_case() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let page = page::written(ended());
    if std::env::var_os("MARGINFLOW_WRITE_PAGES").is_some() {
        std::fs::write(&path, &page).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let inputs = |page: &str| -> Vec<String> {
        let rows = page.lines().filter(|line| line.starts_with('|'));
        rows.map(|row| row.split('|').nth(1).unwrap_or_default().to_owned())
            .collect()
    };
    if !committed.contains(&page::machine()) {
        // another processor: outcomes have been judged by the other tests, and the inputs are the same
        assert_eq!(
            inputs(&committed),
            inputs(&page),
            "docs/reliability.md lists other inputs"
        );
        return;
    }
    let differences: Vec<String> = (page.lines())
        .filter(|line| !committed.lines().any(|other| other == *line))
        .map(|line| format!("now: {line}"))
        .chain(
            (committed.lines())
                .filter(|line| !page.lines().any(|other| other == *line))
                .map(|line| format!("was: {line}")),
        )
        .collect();
    assert!(
        committed == page,
        "docs/reliability.md is not what these tests have just seen; if it should be, write it anew: \
         MARGINFLOW_WRITE_PAGES=1 cargo test --test reliability page\n{}",
        differences.join("\n")
    );
}
