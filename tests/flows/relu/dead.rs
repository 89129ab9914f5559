//! Samples that no unit sees: their margins are zero, exactly and however late it is, and runs that have them complete.

use marginflow::control::Control;
use marginflow::run::{Run, RunOptions, run as made};
use marginflow::scenario;
use marginflow::trajectory::Status;
use std::path::Path;

/// The scenario at a path of the repository with some keys assigned anew, run to its end.
fn run(path: &str, overrides: &[&str]) -> Run {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
    let scenario = scenario::load(&path, &overrides).unwrap();
    made(scenario, RunOptions::default(), &Control::none()).unwrap()
}

/// The run has completed, and its loss is that of its dead samples, which it names.
fn ends_with_dead(run: &Run, dead: &[usize]) {
    assert_eq!(
        run.conclusion.status,
        Status::Completed,
        "{:?}",
        run.conclusion.message
    );
    let d = &run.diagnostics;
    let last = d.log_loss.len() - 1;
    assert_eq!(d.homogeneous.as_ref().unwrap().dead, dead);
    assert_eq!(d.min_margin[last], 0.0);
    let expected = (dead.len() as f64).ln();
    assert!(
        (d.log_loss[last] - expected).abs() < 1e-12,
        "{}",
        d.log_loss[last]
    );
    for n in dead {
        assert_eq!(d.margins[(*n, last)].to_bits(), 0, "no sign, no rounding");
    }
    assert!(
        d.worst_multiplier_drift() < 1e-5,
        "{}",
        d.worst_multiplier_drift()
    );
}

/// Rounding of the margins of samples that units slide on the kinks of grew like log t: ln 𝓛 = +107.96 at s = 36, and
/// no end at all at s = 40.
#[test]
fn rounding_of_dead_margins_does_not_grow() {
    for until in ["36.0", "40.0", "100.0"] {
        let until = format!("flow.until.log-log-time={until}");
        let run = run(
            "tests/flows/relu/cases/11-dead-sample-loss/s.toml",
            &[&until],
        );
        ends_with_dead(&run, &[1, 3]);
    }
}

/// At s = 9.97 a unit turns to a sample that has been dead until ln t = 21384, whose multiplier is e^21384 of the
/// others'.
#[test]
fn a_sample_that_was_dead_for_long_is_learned_at_once() {
    let run = run("tests/flows/relu/cases/1a-hang-relu-dfa/s.toml", &[]);
    ends_with_dead(&run, &[4]);
    let d = &run.diagnostics;
    let last = d.log_time.len() - 1;
    let before = d.log_log_time.iter().position(|s| *s > 9.0).unwrap();
    assert_eq!(d.margins[(0, before)], 0.0);
    assert!(d.margins[(0, last)] > 0.9 * d.log_time[last]);
}

#[test]
fn layers_may_be_dark_in_deep_networks() {
    let budget = "flow.max-wall-seconds=300.0";
    let run = run("tests/flows/relu/cases/18-hang-fa3/s.toml", &[budget]);
    ends_with_dead(&run, &[0, 2, 3, 6, 8]);
}

/// The repository's own scenarios, beyond where they hung.
#[test]
fn scenarios_complete_at_far_horizons() {
    let far = "flow.until.log-log-time=38.0";
    ends_with_dead(&run("scenarios/relu-xor.toml", &[far]), &[0, 2]);
    let narrow = "network.relu.hidden=[4]";
    ends_with_dead(&run("scenarios/relu-dfa.toml", &[narrow]), &[1, 6, 7, 8]);
}

/// With rounded kinks what no unit sees is learned in a time of order 1/ε², and named.
#[test]
fn smoothed_kinks_learn_what_exact_ones_do_not() {
    let four = "network.relu.hidden=[4]";
    let until = "flow.until.log-log-time=4.0";
    let exact = run("scenarios/relu-dfa.toml", &[four, until]);
    let dead = exact.diagnostics.homogeneous.as_ref().unwrap().dead.clone();
    assert!([6, 7, 8].iter().all(|n| dead.contains(n)), "{dead:?}");
    let learned = [0.1f64, 0.01, 0.001].map(|epsilon| {
        let smoothing = format!("network.relu.smoothing={epsilon}");
        let rounded = run("scenarios/relu-dfa.toml", &[four, until, &smoothing]);
        let (d, h) = (
            &rounded.diagnostics,
            rounded.diagnostics.homogeneous.as_ref().unwrap(),
        );
        assert_eq!(h.dead, [0; 0]);
        assert_eq!(h.smoothing, epsilon);
        let unseen: Vec<usize> = h.unseen.iter().flatten().map(|u| u.sample).collect();
        assert!([6, 7, 8].iter().all(|n| unseen.contains(n)), "{unseen:?}");
        let first = |n: usize| {
            (0..d.log_time.len())
                .find(|k| d.margins[(n, *k)] > 1.0)
                .unwrap()
        };
        // ln(ε² t) when the last of them is learned
        [6, 7, 8]
            .map(|n| d.log_time[first(n)])
            .iter()
            .fold(0.0f64, |a, b| a.max(*b))
            + 2.0 * epsilon.ln()
    });
    for shifted in learned {
        assert!((-1.6..0.3).contains(&shifted), "{learned:?}");
    }
}
