use super::*;

#[test]
fn holds_at_every_depth_width_and_loss() {
    let logistic = dfa(data(), &[8]).with_loss(Loss::Logistic);
    let problems = [
        dfa(data(), &[8]),
        dfa(data(), &[6, 3]),
        dfa(data(), &[3, 4, 5]),
        logistic,
    ];
    for problem in problems {
        let v = Case::to(problem, 20.0).expect("prop-1", Outcome::Holds, "");
        assert!(v.residual.unwrap() < 1e-6, "{v:?}");
    }
}

type Change = Box<dyn Fn(&mut Vec<DVector<f64>>)>;

#[test]
fn other_feedback_than_the_run_had_is_violated() {
    let case = Case::to(dfa(data(), &[6, 4]), 20.0);
    let tilt = |l: usize, by: f64| move |b: &mut Vec<DVector<f64>>| b[l][0] += by * b[l].norm();
    let changes: [(&str, Change); 5] = [
        (
            "b_1 replaced",
            Box::new(|b| b[0] = dvector![1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        ),
        ("b_1 tilted", Box::new(tilt(0, 1e-3))),
        ("b_2 tilted", Box::new(tilt(1, 1e-3))),
        // Every layer is still an outer product: only the recursion of the φ_l can tell.
        ("b_1 doubled", Box::new(|b| b[0] *= 2.0)),
        ("b_2 reversed", Box::new(|b| b[1] *= -1.0)),
    ];
    for (what, change) in changes {
        let mut b = case.problem.feedback().unwrap();
        change(&mut b);
        let wrong = case.under(Rule::direct_feedback_alignment(b));
        let v = wrong.judge("prop-1");
        assert_eq!(v.outcome, Outcome::Violated, "{what}: {v:?}");
        assert!(v.residual > v.tolerance, "{what}: {v:?}");
    }
}

#[test]
fn one_entry_of_one_layer_at_one_time_is_enough() {
    let case = Case::to(dfa(data(), &[6, 4]), 20.0);
    for l in 1..=3 {
        for save in [1, case.trajectory.len() / 2, case.trajectory.len() - 1] {
            let layer = entries_of_layer(&case.problem, l);
            let mut wrong = case.clone();
            let size = wrong
                .trajectory
                .theta
                .view((layer.start, save), (layer.len(), 1))
                .norm();
            wrong.trajectory.theta[(layer.start, save)] += 1e-3 * size;
            wrong.expect("prop-1", Outcome::Violated, "");
        }
    }
}

#[test]
fn a_trajectory_from_random_weights_is_not_aligned() {
    let case = Case::to(from_random_weights(dfa(data(), &[8])), 20.0);
    case.expect(
        "prop-1",
        Outcome::NotApplicable,
        "initial weights are not zero",
    );
    // Judged as if it had started from zero.
    let case = case.as_from_zero();
    case.expect("prop-1", Outcome::Violated, "");
}

#[test]
fn aligned_layers_alone_do_not_do() {
    let case = Case::to(dfa(data(), &[8]), 20.0);
    // Backwards in time every layer is as well aligned as ever, but the loss rises.
    let mut backwards = case.clone();
    let theta = &mut backwards.trajectory.theta;
    for k in 0..theta.ncols() / 2 {
        theta.swap_columns(k, case.trajectory.len() - 1 - k);
    }
    backwards.expect("prop-1", Outcome::Violated, "the loss rises");
    // Standing still, the loss does not rise, but the norms do not grow, as on a plateau.
    let mut stalled = case.clone();
    let half = case.trajectory.len() / 2;
    let there = case.trajectory.theta.column(half).into_owned();
    for k in half..case.trajectory.len() {
        stalled.trajectory.theta.set_column(k, &there);
    }
    stalled.expect("prop-1", Outcome::Inconclusive, "does not grow");
}

#[test]
fn depth_one_has_nothing_to_align_and_short_runs_cannot_tell() {
    Case::to(dfa(data(), &[]), 20.0).expect("prop-1", Outcome::NotApplicable, "depth 1");
    let short = Case::to(dfa(data(), &[8]), 1.0);
    short.expect("prop-1", Outcome::Inconclusive, "extend flow.until");
}

#[test]
fn residual_follows_the_tolerance() {
    assert_residual_follows_the_tolerance("prop-1", &dfa(data(), &[8, 8]), 20.0);
}
