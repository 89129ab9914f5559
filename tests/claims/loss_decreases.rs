use super::*;
use marginflow::scenario;
use std::path::Path;

const ID: &str = "loss-decreases";

#[test]
fn holds_under_gradient_descent_and_from_zero_weights() {
    let [conv_3, diagonal_3] = spectral(3);
    for problem in [
        bp(data(), &[6, 3]),
        descent(telling(), conv_3),
        descent(telling(), diagonal_3.clone()),
        dfa(data(), &[6, 3]),
        conv(1),
        conv(2),
        direct(telling(), diagonal_3, 7),
        conv(2).with_loss(Loss::Logistic),
    ] {
        let case = Case::to(problem, 20.0);
        let v = case.expect(ID, Outcome::Holds, "rises at none");
        assert_eq!(v.residual, Some(0.0), "{v:?}");
    }
}

/// The smallest example there is: three dimensions, two samples, depth 3.
#[test]
fn a_loss_that_rises_is_seen_where_it_does() {
    let path = "scenarios/conv-dfa-3-loss-rises.toml";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let scenario = scenario::load(&path, &[]).unwrap();
    let case = Case::run(scenario.build().unwrap(), scenario.flow.clone());
    let v = case.expect(ID, Outcome::Violated, "the loss rises at");
    assert!(v.residual > v.tolerance, "{v:?}");
    // The loss itself, from the margins of the saves.
    let log_loss = case.diagnose().log_loss;
    let rises: Vec<usize> = (1..log_loss.len())
        .filter(|&k| log_loss[k] > log_loss[k - 1])
        .collect();
    let named = v
        .evidence
        .split(' ')
        .find_map(|word| word.parse::<usize>().ok());
    assert!(named.unwrap().abs_diff(rises.len()) <= 1, "{v:?} {rises:?}");
    // Its samples one at a time, or under gradient descent, or of a diagonal network: no rise.
    let random = from_random_weights(case.problem.clone());
    let others = [
        random.with_rule(Rule::gradient_descent()).unwrap(),
        case.problem
            .clone()
            .with_network(Network::diagonal(3, 3))
            .unwrap(),
    ];
    for problem in others {
        Case::run(problem, scenario.flow.clone()).expect(ID, Outcome::Holds, "");
    }
}

#[test]
fn feedback_that_points_backwards_is_violated_even_in_a_run_that_stopped() {
    let case = Case::to(conv(2), 20.0);
    let Signals::Direct(b) = case.problem.rule().signals() else {
        unreachable!()
    };
    let mut backwards = b.to_vec();
    backwards[0] *= -1e3;
    let case = case.under(Rule::direct_feedback_alignment(backwards));
    case.expect(ID, Outcome::Violated, "the loss rises at");
    let options = FlowOptions {
        max_steps: 50,
        ..FlowOptions::to(20.0)
    };
    let stopped = Case::run(conv(2), options);
    assert_eq!(stopped.trajectory.status, Status::BudgetSteps);
    stopped.expect(ID, Outcome::Inconclusive, "ended before its horizon");
    let stopped = stopped.under(case.problem.rule().clone());
    stopped.expect(ID, Outcome::Violated, "the loss rises at");
}
