use super::*;

const LAWS: [(&str, usize, f64); 4] = [
    ("rate-dfa", 2, -1.0 / 3.0),
    ("rate-dfa", 3, -1.0 / 7.0),
    ("rate-bp", 2, -1.0 / 2.0),
    ("rate-bp", 3, -1.0 / 3.0),
];

fn problem(id: &str, depth: usize) -> Problem {
    let make = if id == "rate-dfa" { dfa } else { bp };
    make(data(), &vec![8; depth - 1])
}

#[test]
fn laws_hold_and_the_residual_shrinks_with_the_horizon() {
    for (id, depth, law) in LAWS {
        let residuals = [15.0, 24.0, 38.0].map(|horizon| {
            let case = Case::to(problem(id, depth), horizon);
            let v = case.expect(id, Outcome::Holds, "slope");
            let rate = case.diagnose().rate.unwrap();
            assert!((rate.predicted.unwrap() - law).abs() < 1e-15);
            assert_eq!(v.residual.unwrap(), (rate.observed - law).abs());
            v.residual.unwrap()
        });
        for pair in residuals.windows(2) {
            assert!(pair[1] < 0.5 * pair[0], "{id} {depth}: {residuals:?}");
        }
    }
}

/// The same predictor at every time, written as a network of other depth: layers of ones between the first, which is
/// the predictor, and the output.
fn as_if_of_depth(case: &Case, id: &str, depth: usize) -> Case {
    let other = problem(id, depth);
    let predictors = case.diagnose().beta;
    let saves = case.trajectory.len();
    let mut theta = DMatrix::zeros(other.network().parameters(), saves);
    let identity = DMatrix::<f64>::identity(8, 8);
    for k in 0..saves {
        let mut entries = identity.as_slice().repeat(depth - 1);
        entries.extend(predictors.column(k).iter());
        theta.set_column(k, &DVector::from_vec(entries));
    }
    Case {
        problem: other,
        trajectory: Trajectory {
            theta,
            ..case.trajectory.clone()
        },
        ..case.clone()
    }
}

#[test]
fn a_slope_less_steep_than_the_law_is_violated() {
    for (id, horizon, laws) in [
        ("rate-dfa", 60.0, 1.0 / 3.0 - 1.0 / 7.0),
        ("rate-bp", 40.0, 1.0 / 2.0 - 1.0 / 3.0),
    ] {
        // The slope of three layers in a network of two.
        let case = Case::to(problem(id, 3), horizon);
        let v = as_if_of_depth(&case, id, 2).expect(id, Outcome::Violated, "predicted");
        assert!((v.residual.unwrap() - laws).abs() < 1e-3, "{v:?}");
        // A clock that is off by three percent.
        let mut slow = Case::to(problem(id, 2), 30.0);
        for s in &mut slow.trajectory.log_log_time {
            *s *= 1.03;
        }
        slow.expect(id, Outcome::Violated, "predicted");
    }
}

/// Whatever falls faster than the law leads for as long as the law has little to act on.
#[test]
fn a_slope_steeper_than_the_law_is_inconclusive() {
    for id in ["rate-dfa", "rate-bp"] {
        let case = Case::to(problem(id, 2), 30.0);
        let deeper = as_if_of_depth(&case, id, 3);
        deeper.expect(id, Outcome::Inconclusive, "a faster mode");
    }
    // A run of gradient descent given out as one of DFA.
    let case = Case::to(problem("rate-bp", 2), 30.0);
    let case = case.under(problem("rate-dfa", 2).rule().clone());
    let v = case.expect("rate-dfa", Outcome::Inconclusive, "predicted -0.3333");
    assert!((v.residual.unwrap() - 1.0 / 6.0).abs() < 1e-3, "{v:?}");
    // Initial weights that hardly show: until they do, the angle falls like 1/log t.
    let pair = Dataset::new(
        dmatrix![1.0, 0.2, -0.3, 0.5; -0.4, 1.5, 0.3, 0.2],
        dvector![1.0, -1.0],
    );
    let small = from_random_weights(dfa(pair, &[4]));
    let start = small.theta0() * 1e-7;
    let case = Case::to(small.with_start(start).unwrap(), 16.0);
    case.expect("rate-dfa", Outcome::Inconclusive, "");
}

/// A window over which the predicted fall is a small factor shows no law, however steady the slope.
#[test]
fn short_windows_are_inconclusive() {
    let case = Case::to(problem("rate-dfa", 3), 26.0);
    let judged = as_if_of_depth(&case, "rate-dfa", 4);
    let v = judged.judge("rate-dfa");
    assert_eq!(v.outcome, Outcome::Inconclusive, "{v:?}");
}

#[test]
fn a_curved_line_has_no_slope() {
    // Angles of a run that changes its law half way through the window: neither slope is the answer.
    let case = Case::to(problem("rate-dfa", 2), 30.0);
    let mut bent = case.clone();
    for s in &mut bent.trajectory.log_log_time {
        if *s > 25.0 {
            *s += 0.5 * (*s - 25.0);
        }
    }
    bent.expect(
        "rate-dfa",
        Outcome::Inconclusive,
        "not yet in the asymptotic regime",
    );
}

#[test]
fn early_and_coarse_runs_are_inconclusive() {
    for (id, depth, _) in LAWS {
        let early = Case::to(problem(id, depth), 11.0);
        early.expect(id, Outcome::Inconclusive, "extend flow.until");
        let coarse = FlowOptions {
            saves: SaveAt::Uniform(15),
            ..FlowOptions::to(30.0)
        };
        let coarse = Case::run(problem(id, depth), coarse);
        coarse.expect(id, Outcome::Inconclusive, "too few saves");
    }
}

/// Not applicable, with the slope −1 measured that this case has instead.
#[track_caller]
fn expect_inverse_law(id: &str, problem: Problem) {
    let case = Case::to(problem, 24.0);
    case.expect(id, Outcome::NotApplicable, "span of the support vectors");
    let rate = case.diagnose().rate.unwrap();
    assert_eq!(rate.predicted, Some(-1.0));
    assert!((rate.observed + 1.0).abs() < 1e-3, "{rate:?}");
}

#[test]
fn where_the_support_spans_all_that_was_learned_the_laws_do_not_apply() {
    // Two samples, both support vectors, in a space of four dimensions.
    let pair = || {
        Dataset::new(
            dmatrix![1.0, 0.2, -0.3, 0.5; -0.4, 1.5, 0.3, 0.2],
            dvector![1.0, -1.0],
        )
    };
    assert_eq!(svm(&pair()).unwrap().support, [0, 1]);
    expect_inverse_law("rate-dfa", dfa(pair(), &[4]));
    // Only the first layer keeps what it starts with: weights above it may start anywhere.
    for (id, mut problem) in [
        ("rate-dfa", dfa(pair(), &[4])),
        ("rate-bp", bp(pair(), &[4])),
    ] {
        problem = from_random_weights(dfa(pair(), &[4]))
            .with_rule(problem.rule().clone())
            .unwrap();
        let first = entries_of_layer(&problem, 1);
        let mut start = problem.theta0().clone();
        start.rows_mut(first.start, first.len()).fill(0.0);
        problem = problem.with_start(start).unwrap();
        expect_inverse_law(id, problem);
    }
    // From random first layers they do.
    for (id, problem) in [
        ("rate-dfa", from_random_weights(dfa(pair(), &[4]))),
        ("rate-bp", bp(pair(), &[4])),
    ] {
        Case::to(problem, 30.0).expect(id, Outcome::Holds, "slope");
    }
    // Many samples in the plane: two support vectors span it.
    let plane = || gaussian_teacher(2, 12, 1);
    assert_eq!(svm(&plane()).unwrap().support.len(), 2);
    expect_inverse_law("rate-dfa", from_random_weights(dfa(plane(), &[3])));
    expect_inverse_law("rate-bp", bp(plane(), &[3]));
}
