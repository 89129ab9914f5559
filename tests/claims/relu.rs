use super::*;
use marginflow::diagnostics::output_on_level_set;
use marginflow::network::Relu;

/// Ten samples in five dimensions with random labels, as hard as N = 2D is.
pub fn hard() -> Dataset {
    let mut draws = standard_normals("relu data", 2);
    let x = DMatrix::from_fn(10, 5, |_, _| draws.next().unwrap());
    let y = DVector::from_fn(10, |_, _| draws.next().unwrap().signum());
    Dataset::new(x, y)
}

/// Exclusive or in general position: four samples that no line through the origin separates.
fn exclusive_or() -> Dataset {
    Dataset::new(
        dmatrix![1.0, 1.3; -1.0, -1.0; 1.0, -1.3; -0.85, 1.0],
        dvector![1.0, 1.0, -1.0, -1.0],
    )
}

pub fn draws(count: usize, seed: u64) -> DVector<f64> {
    DVector::from_iterator(count, standard_normals("relu", seed).take(count))
}

/// DFA on a ReLU network; two layers on the level set of `b_j w_2j = ½‖w_1j‖² + offset`.
pub fn relu_dfa(dataset: Dataset, hidden: &[usize], scale: f64, smoothing: f64) -> Problem {
    let network = Network::new(Relu::new(dataset.dimension(), hidden, smoothing));
    let feedback: Vec<DVector<f64>> = (1..).zip(hidden).map(|(l, &h)| draws(h, l)).collect();
    let mut theta0 = draws(network.parameters(), 9) * scale;
    if let [units] = hidden {
        let first = units * dataset.dimension();
        let level = output_on_level_set(&theta0.as_slice()[..first], &feedback[0]);
        theta0.rows_mut(first, *units).copy_from(&level);
    }
    Problem::new(
        dataset,
        network,
        Rule::direct_feedback_alignment(feedback),
        Loss::Exponential,
        theta0,
    )
    .unwrap()
}

pub fn relu_bp(dataset: Dataset, hidden: &[usize], scale: f64) -> Problem {
    let problem = relu_dfa(dataset, hidden, scale, 0.0);
    let start = draws(problem.network().parameters(), 9) * scale;
    problem
        .with_start(start)
        .unwrap()
        .with_rule(Rule::gradient_descent())
        .unwrap()
}

pub fn to(problem: Problem, horizon: f64) -> Case {
    Case::run(problem, FlowOptions::to(horizon))
}

impl Case {
    /// The same run with its states at save k changed by `change(k, θ)`.
    pub fn changed(&self, change: impl Fn(usize, &mut [f64])) -> Self {
        let mut case = self.clone();
        for (k, mut theta) in case.trajectory.theta.column_iter_mut().enumerate() {
            change(k, theta.as_mut_slice());
        }
        case
    }

    pub fn given_feedback(&self, feedback: DVector<f64>) -> Self {
        self.under(Rule::direct_feedback_alignment(vec![feedback]))
    }
}

/// Two layers on the level set, far enough for every claim.
pub fn two_layers() -> Case {
    to(relu_dfa(hard(), &[12], 0.3, 0.0), 18.0)
}

/// Gradient descent, slow to settle.
pub fn gradient_descent() -> Case {
    to(relu_bp(data(), &[12], 0.3), 80.0)
}

const TWO_LAYERS: [&str; 4] = ["prop-3", "thm-3", "thm-4", "thm-4-first-layer"];

#[test]
fn two_layers_with_feedback_hold_exact_and_smoothed() {
    let smoothed = to(relu_dfa(hard(), &[12], 0.3, 1e-2), 18.0);
    for case in [two_layers(), smoothed] {
        for id in TWO_LAYERS {
            let v = case.expect(id, Outcome::Holds, "");
            assert!(v.residual < v.tolerance, "{v:?}");
        }
        case.expect("loss-decreases", Outcome::Holds, "");
        case.expect("thm-4-first-layer", Outcome::Holds, "that of min ½‖θ‖² is");
        case.expect(
            "gd-homogeneous",
            Outcome::NotApplicable,
            "not gradient descent",
        );
    }
}

/// Feedback alignment is direct feedback alignment with two layers.
#[test]
fn feedback_alignment_counts_as_feedback() {
    let case = two_layers();
    let b = case.problem.rule().signals().last().unwrap();
    let column = DMatrix::from_column_slice(12, 1, b.as_slice());
    let case = case.under(Rule::feedback_alignment(vec![column]));
    for id in TWO_LAYERS {
        case.expect(id, Outcome::Holds, "");
    }
}

#[test]
fn claims_on_linear_networks_do_not_apply() {
    let problem = relu_dfa(hard(), &[12], 0.3, 0.0);
    let case = to(problem.clone(), 4.0);
    for id in [
        "prop-1",
        "thm-1",
        "prop-2",
        "prop-2-corrected",
        "thm-2-corrected",
    ] {
        case.expect(id, Outcome::NotApplicable, "linear");
    }
    let descent = to(relu_bp(hard(), &[12], 0.3), 4.0);
    for id in ["gd-fc", "gd-conv"] {
        descent.expect(id, Outcome::NotApplicable, "linear");
    }
    descent.expect("rate-bp", Outcome::NotApplicable, "fixed feedback only");
    let linear = Case::to(dfa(data(), &[8]), 8.0);
    for id in TWO_LAYERS.into_iter().filter(|id| *id != "thm-3") {
        linear.expect(id, Outcome::NotApplicable, "linear in its input");
    }
    let single = Case::to(dfa(data(), &[]), 8.0);
    single.expect("thm-3", Outcome::NotApplicable, "no hidden layer");
}

#[test]
fn deeper_networks_have_theorem_three_only() {
    let case = to(relu_dfa(hard(), &[12, 10], 0.3, 0.0), 2.0);
    for id in ["prop-3", "thm-4", "thm-4-first-layer"] {
        case.expect(id, Outcome::NotApplicable, "3 layers, not two");
    }
    case.expect("rate-dfa", Outcome::NotApplicable, "two layers");
}

#[test]
fn theorem_three_holds_at_depth_three() {
    to(relu_dfa(hard(), &[12, 10], 0.3, 0.0), 50.0).expect("thm-3", Outcome::Holds, "");
}

#[test]
fn zero_weights_are_two_units_which_fit_easy_data_only() {
    let easy = to(relu_dfa(data(), &[12], 0.0, 0.0), 18.0);
    for id in TWO_LAYERS {
        easy.expect(id, Outcome::Holds, "");
    }
    let stuck = to(relu_dfa(exclusive_or(), &[12], 0.0, 0.0), 6.0);
    for id in ["thm-3", "thm-4", "thm-4-first-layer", "rate-dfa"] {
        stuck.expect(id, Outcome::NotApplicable, "2 distinct directions");
    }
    let random = to(relu_dfa(exclusive_or(), &[12], 0.3, 0.0), 18.0);
    for id in TWO_LAYERS {
        random.expect(id, Outcome::Holds, "");
    }
}

#[test]
fn one_output_weight_of_the_wrong_sign_at_one_time_is_enough() {
    let case = two_layers();
    for save in [1, case.trajectory.len() / 2, case.trajectory.len() - 1] {
        case.changed(|k, theta| {
            if k == save {
                theta[5 * 12 + 3] *= -1.0;
            }
        })
        .expect("prop-3", Outcome::Violated, "");
    }
}

#[test]
fn other_feedback_than_the_run_had_shows() {
    let case = two_layers();
    let b = draws(12, 1);
    let v = case
        .given_feedback(&b * 1.001)
        .expect("prop-3", Outcome::Inconclusive, "drift");
    assert!(v.residual.unwrap() > 1e-4, "{v:?}");
    // With weaker feedback the same weights are below the level set.
    let weaker = case.given_feedback(&b * 0.9);
    weaker.expect("prop-3", Outcome::NotApplicable, "off the level set");
    // Which units learn how fast decides the limit of the first layer, not the SVM of its features.
    let uneven = DVector::from_fn(12, |j, _| b[j] * if j % 2 == 0 { 2.0 } else { 1.0 });
    let other = case.given_feedback(uneven.clone());
    other.expect("thm-4-first-layer", Outcome::Inconclusive, "does not fall");
    other.expect("thm-4", Outcome::Holds, "");
    // The same with output weights on the level set of the other feedback: only the first layer is wrong.
    let on_level = case.changed(|_, theta| {
        let level = output_on_level_set(&theta[..60], &uneven);
        theta[60..].copy_from_slice(level.as_slice());
    });
    let v = on_level.given_feedback(uneven).judge("thm-4-first-layer");
    assert_ne!(v.outcome, Outcome::Holds, "{v:?}");
}

#[test]
fn output_weights_that_tend_elsewhere_do_not_hold() {
    let case = two_layers();
    let tilt = draws(12, 5).normalize() * 0.05;
    let tilted = case.changed(|_, theta| {
        let size = DVector::from_column_slice(&theta[60..]).norm();
        for (w, t) in theta[60..].iter_mut().zip(tilt.iter()) {
            *w += size * t;
        }
    });
    for id in ["thm-3", "thm-4", "thm-4-first-layer"] {
        tilted.expect(id, Outcome::Inconclusive, "does not fall");
    }
}

#[test]
fn hypotheses_of_theorem_three_are_named() {
    let case = two_layers();
    // The same outputs with all growth in the first layer.
    let bounded = case.changed(|_, theta| {
        let size = DVector::from_column_slice(&theta[60..]).norm();
        theta[..60].iter_mut().for_each(|w| *w *= size);
        theta[60..].iter_mut().for_each(|w| *w /= size);
    });
    bounded.expect("thm-3", Outcome::NotApplicable, "do not diverge");
    // Standing still from half of the run on.
    let half = case.trajectory.len() / 2;
    let there = case.trajectory.theta.column(half).into_owned();
    let stalled = case.changed(|k, theta| {
        if k > half {
            theta.copy_from_slice(there.as_slice());
        }
    });
    stalled.expect(
        "thm-3",
        Outcome::Inconclusive,
        "loss does not tend to zero now",
    );
    // Units whose lengths swing against each other with log-log-time, so slowly that all margins keep growing.
    let case = to(relu_dfa(hard(), &[12], 0.3, 0.0), 26.0);
    let saves = case.trajectory.len() as f64;
    let swinging = case.changed(|k, theta| {
        let phase = 3.0 * (k as f64 / saves).powi(3);
        for (j, w) in theta[..60].chunks_mut(5).enumerate() {
            let factor = 1.0 + 0.3 * (phase + j as f64).sin();
            w.iter_mut().for_each(|w| *w *= factor);
        }
    });
    swinging.expect("thm-3", Outcome::Inconclusive, "features do not settle");
    swinging.expect("thm-4", Outcome::Inconclusive, "directions still change");
}

#[test]
fn gradient_descent_reaches_kkt_points() {
    let case = gradient_descent();
    case.expect("gd-homogeneous", Outcome::Holds, "δ/‖θ̃‖² = ");
    case.expect("thm-3", Outcome::Holds, "");
    case.expect("loss-decreases", Outcome::Holds, "");
    for id in ["prop-3", "thm-4", "thm-4-first-layer"] {
        case.expect(id, Outcome::NotApplicable, "not feedback alignment");
    }
    let early = to(relu_bp(data(), &[12], 0.3), 8.0);
    early.expect("gd-homogeneous", Outcome::Inconclusive, "extend flow.until");
}

#[test]
fn feedback_given_out_as_gradient_descent_lowers_the_smoothed_margin() {
    let case = two_layers().under(Rule::gradient_descent());
    case.expect("gd-homogeneous", Outcome::Violated, "smoothed margin falls");
}

/// A genuine run frozen in a direction that is no KKT point: every margin grows, nothing falls.
#[test]
fn a_direction_that_is_no_kkt_point_does_not_hold() {
    let case = to(relu_bp(data(), &[12], 0.3), 24.0);
    let there = case.trajectory.theta.column(60).into_owned();
    let frozen = case.changed(|k, theta| {
        let size = (1.0 + case.trajectory.log_time(k)).sqrt();
        theta.copy_from_slice((&there * size).as_slice());
    });
    frozen.expect("gd-homogeneous", Outcome::Inconclusive, "does not fall");
}

#[test]
fn the_rate_of_two_layers_is_one_third() {
    let case = to(relu_dfa(hard(), &[12], 0.3, 0.0), 40.0);
    let v = case.expect("rate-dfa", Outcome::Holds, "predicted -0.3333");
    assert!(v.residual.unwrap() < 0.005, "{v:?}");
    // Output weights that tend to their limit like (log t)^{−1/5}.
    let tilt = draws(12, 5).normalize();
    let slower = case.changed(|k, theta| {
        let size = DVector::from_column_slice(&theta[60..]).norm();
        let factor = 0.1 * size * (1.0 + case.trajectory.log_time(k)).powf(-0.2);
        for (w, t) in theta[60..].iter_mut().zip(tilt.iter()) {
            *w += factor * t;
        }
    });
    slower.expect("rate-dfa", Outcome::Inconclusive, "slope -0.20");
}

#[test]
fn residuals_fall_with_the_horizon_and_the_tolerance() {
    let problem = relu_dfa(hard(), &[12], 0.3, 0.0);
    let at = |horizon: f64| {
        let case = to(problem.clone(), horizon);
        ["thm-4", "thm-4-first-layer"].map(|id| case.judge(id).residual.unwrap())
    };
    let [early, late] = [12.0, 24.0].map(at);
    // (log t)^{−1/3} over twelve units of log-log-time: a factor of 55
    assert!(late[0] < early[0] / 20.0, "{early:?} {late:?}");
    assert!(late[1] < early[1] / 20.0, "{early:?} {late:?}");
    let drift = |rtol: f64| {
        let options = FlowOptions {
            rtol,
            atol: rtol / 100.0,
            ..FlowOptions::to(10.0)
        };
        let v = Case::run(problem.clone(), options).expect("prop-3", Outcome::Holds, "");
        v.residual.unwrap()
    };
    let drifts = [1e-4, 1e-6].map(drift);
    assert!(drifts[1] < 0.1 * drifts[0], "{drifts:?}");
}
