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
    let v = case.expect(ID, Outcome::Violated, "the loss rises by");
    assert!(v.residual > v.tolerance, "{v:?}");
    // The loss itself, from the margins of the saves: they see nearly all of it.
    let d = case.diagnose();
    let mut lowest = f64::INFINITY;
    let climbs = d.log_loss.iter().map(|x| {
        lowest = lowest.min(*x);
        x - lowest
    });
    let seen = climbs.fold(0.0, f64::max);
    let risen = case.trajectory.loss_rise.as_ref().unwrap();
    assert!(
        (0.9..=1.0).contains(&(seen / risen.nats)),
        "{seen} {risen:?}"
    );
    assert!((risen.nats - 0.405_239_73).abs() < 1e-3, "{risen:?}");
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

/// As few saves as there may be: what the integrator sees, it sees at its own steps.
#[test]
fn a_rise_between_saves_is_seen() {
    let path = "scenarios/conv-dfa-3-loss-rises.toml";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let scenario = scenario::load(&path, &[]).unwrap();
    for until in [2.0, 30.0] {
        let options = FlowOptions {
            saves: SaveAt::Uniform(2),
            ..FlowOptions::to(until)
        };
        let case = Case::run(scenario.build().unwrap(), options);
        let v = case.expect(ID, Outcome::Violated, "the loss rises by");
        // t = 3.2437 … 3.4702
        assert!(v.evidence.contains("from log-log-time 0.89"), "{v:?}");
    }
}

#[test]
fn a_run_that_ended_early_decides_nothing() {
    let options = FlowOptions {
        max_steps: 50,
        ..FlowOptions::to(20.0)
    };
    for problem in [conv(2), from_random_weights(conv(2))] {
        let stopped = Case::run(problem, options.clone());
        assert_eq!(stopped.trajectory.status, Status::BudgetSteps);
        stopped.expect(ID, Outcome::Inconclusive, "ended before its horizon");
    }
}

/// Where theory does not exclude it, a loss that has not risen by the horizon might still.
#[test]
fn what_may_still_rise_is_inconclusive() {
    let [_, diagonal] = spectral(2);
    let problem = from_random_weights(direct(telling(), diagonal, 7));
    let path: Vec<Outcome> = [0.05, 20.0]
        .map(|until| Case::to(problem.clone(), until).judge(ID).outcome)
        .to_vec();
    assert_ne!(path[0], Outcome::Holds);
    assert_eq!(path[1], Case::to(problem, 40.0).judge(ID).outcome);
}
