//! Inputs on which verdicts were wrong, with their kinds: `cases/NAME` holds the files of one.

use super::*;
use marginflow::control::Control;
use marginflow::run::{Run, RunOptions, compare, run};
use marginflow::scenario;
use std::path::Path;

/// The run of a case to this horizon, with other keys set besides.
fn finished(name: &str, until: f64, set: &[&str]) -> Run {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/claims/cases");
    let mut keys = vec![format!("flow.until.log-log-time={until:?}")];
    keys.extend(set.iter().map(|key| (*key).to_owned()));
    let scenario = scenario::load(&root.join(name).join("s.toml"), &keys).unwrap();
    run(scenario, RunOptions::default(), &Control::none()).unwrap()
}

fn verdict<'a>(run: &'a Run, id: &str) -> &'a Verdict {
    run.verdicts.iter().find(|v| v.id == id).unwrap()
}

/// The outcomes of a claim at several horizons: none is *violated*.
#[track_caller]
fn never_violated(name: &str, id: &str, horizons: &[f64], set: &[&str]) -> Vec<Outcome> {
    let outcomes = horizons.iter().map(|until| {
        let run = finished(name, *until, set);
        let v = verdict(&run, id);
        assert_ne!(v.outcome, Outcome::Violated, "s = {until}: {v:?}");
        v.outcome
    });
    outcomes.collect()
}

/// Relative drifts of weights that are almost zero say nothing, and runs that are not accurate neither.
#[test]
fn a_run_that_drifts_violates_nothing() {
    for seed in 1..=6 {
        for until in [8.0, 12.0] {
            let set = [format!(
                "rule.direct-feedback-alignment.feedback.gaussian.seed={seed}"
            )];
            let run = finished("2-prop3-false", until, &set.each_ref().map(String::as_str));
            for v in &run.verdicts {
                assert_ne!(v.outcome, Outcome::Violated, "seed {seed}: {v:?}");
                if run.conclusion.status != Status::Completed {
                    assert_ne!(v.outcome, Outcome::Holds, "seed {seed}: {v:?}");
                }
            }
        }
    }
}

/// Equal columns leave ℓ₁ many minimisers: what counts is what the direction costs.
#[test]
fn one_minimiser_of_many_is_as_good_as_another() {
    let name = "3a-gdconv-nonunique-onehot";
    for seed in 1..=5 {
        let set = format!("initial.gaussian.seed={seed}");
        let run = finished(name, 30.0, &[&set]);
        let v = verdict(&run, "gd-conv");
        assert_eq!(v.outcome, Outcome::Holds, "{v:?}");
        assert!(v.evidence.contains("duality gap"), "{v:?}");
        assert_eq!(verdict(&run, "rate-bp").outcome, Outcome::NotApplicable);
    }
    // columns that differ by 1e-12 have one minimiser, which no run can tell from the others
    let data = |gap: f64| {
        Dataset::new(
            dmatrix![1.0, 0.0, 1.0 + gap, 0.2; 0.3, 1.0, 0.3 - gap, -0.5; -0.2, 1.0, -0.2, 0.4],
            dvector![1.0, -1.0, -1.0],
        )
    };
    for gap in [0.0, 1e-12, 1e-9] {
        let problem = descent(data(gap), Network::diagonal(4, 2));
        let case = Case::to(problem, 40.0);
        let outcome = case.judge("gd-conv").outcome;
        assert_ne!(outcome, Outcome::Violated, "{gap}");
        assert_eq!(outcome == Outcome::Holds, case.limit.is_some(), "{gap}");
    }
}

/// Runs rest for long near vectors with too few entries.
#[test]
fn a_plateau_on_the_way_is_not_the_end() {
    let outcomes = never_violated("4-gdconv-stalled", "gd-conv", &[30.0, 60.0, 100.0], &[]);
    assert_eq!(outcomes[2], Outcome::Holds);
}

/// Products of layers that underflow are followed until they no longer do: the plateau is no minimum.
#[test]
fn plateaus_of_vanishing_products_are_left() {
    for (depth, scale, outcome) in [
        (20, "1e-20", Outcome::Inconclusive),
        (3, "1e-300", Outcome::Holds),
        (5, "1e-150", Outcome::Holds),
        (10, "1e-40", Outcome::Holds),
        (50, "1e-10", Outcome::Inconclusive),
    ] {
        let depth = format!("network.fully-connected-linear.depth={depth}");
        let scale = format!("initial.gaussian.scale={scale}");
        let run = finished("6-plateau-rest", 48.0, &[&depth, &scale]);
        for v in &run.verdicts {
            assert_ne!(v.outcome, Outcome::Violated, "{depth} {scale}: {v:?}");
        }
        let v = verdict(&run, "rate-bp");
        assert_eq!(v.outcome, Outcome::Holds, "{depth} {scale}: {v:?}");
        let v = verdict(&run, "gd-fc");
        assert_eq!(v.outcome, outcome, "{depth} {scale}: {v:?}");
    }
}

/// Where the support spans everything, what comes before the predicted 1/log t falls far more slowly.
#[test]
fn an_early_angle_is_not_a_stalled_one() {
    let horizons = [4.0, 6.0, 8.0, 12.0, 20.0, 60.0];
    let outcomes = never_violated("13-thm1-early", "thm-1", &horizons, &[]);
    assert_eq!(outcomes[5], Outcome::Holds);
    never_violated("13-thm1-early", "prop-1", &horizons, &[]);
}

#[test]
fn a_first_layer_does_not_flip() {
    let horizons = [12.0, 15.0, 20.0, 30.0, 45.0];
    for id in ["thm-4-first-layer", "thm-4", "thm-3"] {
        let outcomes = never_violated("14-first-layer-flips", id, &horizons, &[]);
        assert_eq!(outcomes[4], Outcome::Holds, "{id}");
    }
}

/// Alignments that start negative do so whatever the size of the steps.
#[test]
fn a_negative_start_is_not_the_steps_fault() {
    let run = finished("15-discrete-start", 30.0, &[]);
    assert_eq!(verdict(&run, "thm-2-corrected").outcome, Outcome::Holds);
    let v = verdict(&run, "thm-2-discrete");
    assert_ne!(v.outcome, Outcome::Violated, "{v:?}");
    let compared = compare(run.scenario, false, &Control::none()).unwrap();
    let v = verdict(&compared, "thm-2-discrete");
    assert_ne!(v.outcome, Outcome::Violated, "{v:?}");
}

/// The loss rises from s = 0.025 to 0.35 and from 0.742 to 0.842, all before the second save of a long run.
#[test]
fn a_loss_that_rose_early_has_risen_at_every_horizon() {
    for until in [4.0, 20.0, 60.0, 120.0] {
        let run = finished("16-loss-rise-missed", until, &[]);
        let v = verdict(&run, "loss-decreases");
        assert_eq!(v.outcome, Outcome::Violated, "s = {until}: {v:?}");
        let risen = run.trajectory.loss_rise.as_ref().unwrap();
        assert!((risen.nats - 0.2488).abs() < 1e-3, "s = {until}: {risen:?}");
    }
}

/// On ±1 data of depth 3 the angle rises for a while, far below the tolerance.
#[test]
fn an_angle_that_rises_below_the_tolerance_holds() {
    let data = |seed: u64| {
        let x: Vec<f64> = standard_normals("signs", seed)
            .take(7 * 5)
            .map(f64::signum)
            .collect();
        let x = DMatrix::from_row_slice(7, 5, &x);
        let teacher = DVector::from_iterator(5, standard_normals("teacher", seed).take(5));
        let y = (&x * teacher).map(f64::signum);
        Dataset::new(x, y)
    };
    for seed in 1..=4 {
        let problem = direct(data(seed), Network::convolutional(5, 3), seed);
        let mut held = false;
        for until in [20.0, 30.0, 40.0, 60.0] {
            let case = Case::run(problem.clone(), FlowOptions::to(until));
            let v = case.judge("thm-2-corrected");
            assert_ne!(
                v.outcome,
                Outcome::Violated,
                "seed {seed}, s = {until}: {v:?}"
            );
            if case.trajectory.status == Status::Completed {
                held |= v.outcome == Outcome::Holds;
                assert_eq!(
                    held,
                    v.outcome == Outcome::Holds,
                    "seed {seed}, s = {until}: {v:?}"
                );
            }
        }
    }
}
