use super::*;

/// (claim, a run of it to this horizon)
fn cases(horizon: f64) -> [(&'static str, Case); 2] {
    [
        ("thm-1", Case::to(dfa(data(), &[8]), horizon)),
        ("gd-fc", Case::to(bp(data(), &[8]), horizon)),
    ]
}

#[test]
fn holds_at_every_depth_loss_and_initialisation() {
    let logistic = |p: Problem| p.with_loss(Loss::Logistic);
    for (id, problem) in [
        ("thm-1", dfa(data(), &[])),
        ("thm-1", dfa(data(), &[6, 3])),
        ("thm-1", from_random_weights(dfa(data(), &[8]))),
        ("thm-1", logistic(dfa(data(), &[8]))),
        ("gd-fc", bp(data(), &[])),
        ("gd-fc", bp(data(), &[6, 3])),
        ("gd-fc", bp(data(), &[8, 8, 8])),
        ("gd-fc", logistic(bp(data(), &[8]))),
    ] {
        let v = Case::to(problem, 40.0).expect(id, Outcome::Holds, "duality gap");
        assert!(v.residual.unwrap() <= 0.01);
    }
}

/// From weights of size one, and whatever the loss does: ‖Z‖‖β*‖/a comes down to one like 1/a ∝ (log t)^{−1/(2^L−1)}.
#[test]
fn the_accumulated_signal_has_one_point_to_go_to() {
    for (hidden, horizons) in [(vec![8], [30.0, 50.0]), (vec![8, 8], [60.0, 110.0])] {
        let zero = dfa(data(), &hidden);
        let degree = 2f64.powi(hidden.len() as i32 + 1) - 1.0;
        let draws = standard_normals("initial", 5).take(zero.network().parameters());
        let start = DVector::from_iterator(zero.network().parameters(), draws);
        let problem = zero.with_start(start).unwrap();
        let excesses = horizons.map(|until| {
            let case = Case::to(problem.clone(), until);
            case.expect("thm-1", Outcome::Holds, "‖Z‖‖β*‖/a − 1");
            let measured = case.diagnose().sandwich.unwrap();
            for k in 1..case.trajectory.len() {
                let excesses = [measured.dual_excess(k), measured.radius_excess(k)];
                let [dual, radius] = excesses.map(Option::unwrap);
                assert!(dual > -1e-7 && radius < measured.bound(k).unwrap() * (1.0 + 1e-6));
            }
            measured
                .dual_excess(case.trajectory.len() - 1)
                .unwrap()
                .ln()
        });
        let slope = (excesses[1] - excesses[0]) / (horizons[1] - horizons[0]);
        assert!((slope + 1.0 / degree).abs() < 0.02, "{hidden:?}: {slope}");
    }
}

#[test]
fn another_limit_is_violated_however_near() {
    for (id, case) in cases(30.0) {
        let right = case.limit.clone().unwrap();
        let other = svm(&gaussian_teacher(8, 5, 12)).unwrap();
        let apart = angle(other.beta.as_slice(), right.beta.as_slice());
        assert!(apart > 0.05, "{apart}");
        // The opposite direction, an unrelated one, and ones nearer than the eye can see.
        let opposite = Limit {
            beta: -&right.beta,
            ..right.clone()
        };
        let mut wrong = vec![(std::f64::consts::PI, opposite), (apart, other)];
        wrong.extend([1.0, 0.05, 0.02, 5e-3].map(|a| (a, turned(&right, a))));
        for (apart, limit) in wrong {
            let judged = Case {
                limit: Some(limit),
                ..case.clone()
            };
            let v = judged.expect(id, Outcome::Violated, "certificate excludes it");
            assert!((v.residual.unwrap() / apart - 1.0).abs() < 0.01, "{v:?}");
        }
    }
}

#[test]
fn a_run_on_other_data_is_violated() {
    // A sample is taken away after the run: the limit changes if it was a support vector, else not.
    for (id, case) in cases(30.0) {
        let support = case.limit.clone().unwrap().support;
        for n in 0..5 {
            let (x, y) = (
                case.problem.dataset().samples(),
                case.problem.dataset().labels(),
            );
            let dataset = Dataset::new(x.clone().remove_row(n), y.clone().remove_row(n));
            let judged = Case {
                limit: svm(&dataset),
                ..case.clone()
            };
            let expected = if support.contains(&n) {
                Outcome::Violated
            } else {
                Outcome::Holds
            };
            judged.expect(id, expected, "");
        }
    }
}

#[test]
fn an_unfinished_convergence_is_inconclusive() {
    for (id, case) in cases(3.0) {
        case.expect(id, Outcome::Inconclusive, "extend flow.until");
    }
    // At depth 4 DFA crawls like (log t)^(−1/15): past s = 10 the angle is large and still falls.
    let slow = Case::to(dfa(data(), &[8, 8, 8]), 12.0);
    let v = slow.expect("thm-1", Outcome::Inconclusive, "extend flow.until");
    assert!(v.residual > v.tolerance, "{v:?}");
    // Too few saves to tell falling from standing still.
    let coarse = FlowOptions {
        saves: SaveAt::Uniform(5),
        ..FlowOptions::to(20.0)
    };
    Case::run(dfa(data(), &[8]), coarse).expect("thm-1", Outcome::Inconclusive, "");
}

#[test]
fn the_angle_shrinks_with_the_horizon_as_predicted() {
    for (deeper, id, rate) in [
        (false, "thm-1", 1.0 / 3.0),
        (true, "thm-1", 1.0 / 7.0),
        (false, "gd-fc", 1.0 / 2.0),
        (true, "gd-fc", 1.0 / 3.0),
    ] {
        let hidden: &[usize] = if deeper { &[8, 8] } else { &[8] };
        let make = if id == "thm-1" { dfa } else { bp };
        let horizons = [20.0, 25.0, 30.0];
        let angles = horizons.map(|s| {
            let v = Case::to(make(data(), hidden), s).judge(id);
            v.residual.unwrap().ln()
        });
        for i in 1..3 {
            let slope = (angles[i] - angles[i - 1]) / (horizons[i] - horizons[i - 1]);
            assert!((slope + rate).abs() < 0.01, "{id} {hidden:?}: {slope}");
        }
    }
}
