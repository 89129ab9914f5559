use super::*;
use marginflow::dataset::gaussian_class_teacher;

fn problem(rule: impl Fn(&Network) -> Rule, scale: f64) -> Problem {
    let data = gaussian_class_teacher(6, 8, 3, 2).unwrap();
    let network = Network::fully_connected_with_outputs(6, &[6], 3);
    let start = standard_normals("start", 1).take(network.parameters());
    let start = DVector::from_iterator(network.parameters(), start) * scale;
    let rule = rule(&network);
    Problem::new(data, network, rule, Loss::Exponential, start).unwrap()
}

fn orthonormal(network: &Network, seed: u64) -> Rule {
    let (r, c) = network.signal_shapes()[0];
    let draws = standard_normals("feedback", seed).take(r * c);
    let matrix = DMatrix::from_iterator(r, c, draws).qr().q();
    Rule::direct_feedback_matrices(vec![matrix])
}

/// Orthonormal feedback from zero weights.
pub fn feedback() -> Problem {
    problem(|network| orthonormal(network, 7), 0.0)
}

pub fn gradient_descent() -> Problem {
    problem(|_| Rule::gradient_descent(), 0.1)
}

/// Gaussian feedback from zero weights, which selects no norm.
pub fn gaussian() -> Problem {
    let gaussian = |network: &Network| {
        let (r, c) = network.signal_shapes()[0];
        let draws = standard_normals("feedback", 7).take(r * c);
        Rule::direct_feedback_matrices(vec![DMatrix::from_iterator(r, c, draws)])
    };
    problem(gaussian, 0.0)
}

/// Gradient descent on a convolutional network.
pub fn frequencies() -> Problem {
    frequencies_from(|_| {})
}

/// The same from weights that are changed, in the coordinates of frequencies.
fn frequencies_from(change: impl Fn(&mut DVector<f64>)) -> Problem {
    let data = gaussian_class_teacher(8, 8, 3, 1).unwrap();
    let network = Network::convolutional_with_outputs(8, 2, 3);
    let start = standard_normals("start", 1).take(network.parameters());
    let mut start = DVector::from_iterator(network.parameters(), start) * 0.1;
    change(&mut start);
    let rule = Rule::gradient_descent();
    Problem::new(data, network, rule, Loss::Exponential, start).unwrap()
}

/// What the claims of the others say of these, and what the hypotheses of theirs are.
#[test]
fn what_feedback_without_a_norm_and_frequencies_are_not() {
    let gaussian = Case::to(gaussian(), 30.0);
    let no_norm = "the feedback is not a multiple of orthonormal columns";
    gaussian.expect("thm-1-vector", Outcome::NotApplicable, no_norm);
    gaussian.expect(
        "gd-conv-vector",
        Outcome::NotApplicable,
        "not gradient descent",
    );
    let orthonormal = Case::to(feedback(), 20.0);
    let norm = "the predicted limit minimises a norm";
    orthonormal.expect("dfa-complementarity", Outcome::NotApplicable, norm);
    let frequencies = Case::to(frequencies(), 60.0);
    let other = "not feedback alignment";
    frequencies.expect("dfa-complementarity", Outcome::NotApplicable, other);
    let connected = "the network is not fully connected linear";
    frequencies.expect("gd-fc-vector", Outcome::NotApplicable, connected);
    // another direction in place of the limit's is not approached
    let astray = Case {
        limit: Some(Limit {
            beta: frequencies.candidate("frobenius").beta.clone(),
            ..frequencies.limit.clone().unwrap()
        }),
        ..frequencies
    };
    let verdict = astray.judge("gd-conv-vector");
    assert_ne!(verdict.outcome, Outcome::Holds, "{}", verdict.evidence);
    // a frequency that starts at zero in both layers stays there
    let of_zero = frequencies_from(|start| {
        for layer in start.as_mut_slice().chunks_exact_mut(8) {
            layer[0] = 0.0;
        }
    });
    let case = Case::to(of_zero, 20.0);
    case.expect("gd-conv-vector", Outcome::NotApplicable, "entry 0");
}

/// Feedback of three units to four outputs, which no pseudo-inverse undoes.
fn narrow() -> Problem {
    let data = gaussian_class_teacher(6, 8, 4, 2).unwrap();
    let network = Network::fully_connected_with_outputs(6, &[3], 4);
    let draws = standard_normals("feedback", 7).take(12);
    let matrix = DMatrix::from_iterator(3, 4, draws);
    let start = DVector::zeros(network.parameters());
    let rule = Rule::direct_feedback_matrices(vec![matrix]);
    Problem::new(data, network, rule, Loss::Exponential, start).unwrap()
}

/// The same run with weights whose predictor tends to this direction, like (log t)^{−1/3}: the first layer is the
/// predictor, the second picks its columns.
fn tending(case: &Case, direction: &DVector<f64>) -> Case {
    let noise = standard_normals("noise", 1).take(direction.len());
    let noise = DVector::from_iterator(direction.len(), noise);
    let direction = direction.normalize();
    let mut trajectory = case.trajectory.clone();
    for k in 0..trajectory.len() {
        let tau = trajectory.log_time(k);
        let beta = (&direction + &noise * (1.0 + tau).powf(-1.0 / 3.0)) * tau;
        let mut first = DMatrix::zeros(6, 6);
        let columns = DMatrix::from_column_slice(6, 3, beta.as_slice());
        first.columns_mut(0, 3).copy_from(&columns);
        let last = DMatrix::identity(6, 3);
        let theta = first.iter().chain(last.iter()).copied();
        (trajectory.theta.column_mut(k).iter_mut())
            .zip(theta)
            .for_each(|(w, new): (&mut f64, f64)| *w = new);
    }
    Case {
        trajectory,
        ..case.clone()
    }
}

#[test]
fn alignment_and_limit_are_those_of_the_feedback_and_of_no_other() {
    let case = Case::to(feedback(), 60.0);
    case.expect("prop-1-vector", Outcome::Holds, "relative areas");
    let v = case.expect("thm-1-vector", Outcome::Holds, "R ≤ a/Ψ + C fail by");
    assert!(v.residual.unwrap() < 1e-6);
    // the same weights given out as those of other feedback: neither the recursion nor the bounds survive
    let other = problem(|network| orthonormal(network, 8), 0.0);
    let passed_off = case.given_out_as(other);
    passed_off.expect("prop-1-vector", Outcome::Violated, "");
    passed_off.expect("thm-1-vector", Outcome::Violated, "fail by");
    // a run that tends to the limit of the other rule
    let wrong = tending(&case, &case.candidate("nuclear").beta);
    wrong.expect("thm-1-vector", Outcome::Violated, "");
}

#[test]
fn gradient_descent_is_judged_by_the_nuclear_norm() {
    let case = Case::to(gradient_descent(), 60.0);
    let v = case.expect("gd-fc-vector", Outcome::Holds, "duality gap");
    assert!(v.residual.unwrap() < 1e-6);
    let wrong = tending(&case, &case.candidate("frobenius").beta);
    // its own gap is too large to prove where it does not go
    wrong.expect("gd-fc-vector", Outcome::Inconclusive, "does not fall");
    case.expect(
        "thm-1-vector",
        Outcome::NotApplicable,
        "the rule is not feedback alignment",
    );
    case.expect(
        "prop-1-vector",
        Outcome::NotApplicable,
        "the rule is not feedback alignment",
    );
}

#[test]
fn hypotheses_are_named() {
    let from_weights = problem(|network| orthonormal(network, 7), 0.2);
    let case = Case::to(from_weights, 20.0);
    case.expect("prop-1-vector", Outcome::NotApplicable, "not zero");
    let uneven = |network: &Network| {
        let (r, c) = network.signal_shapes()[0];
        let draws = standard_normals("feedback", 7).take(r * c);
        Rule::direct_feedback_matrices(vec![DMatrix::from_iterator(r, c, draws)])
    };
    let case = Case::to(problem(uneven, 0.0), 20.0);
    case.expect(
        "thm-1-vector",
        Outcome::NotApplicable,
        "no norm is minimised",
    );
    let narrow = Case::to(narrow(), 20.0);
    narrow.expect(
        "prop-1-vector",
        Outcome::NotApplicable,
        "cannot be told from the weights",
    );
    let single = Case::to(dfa(data(), &[8]), 20.0);
    for claim in ["prop-1-vector", "thm-1-vector"] {
        single.expect(claim, Outcome::NotApplicable, "one output");
    }
}
