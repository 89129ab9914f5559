use super::*;
use marginflow::control::Control;
use marginflow::descent::{
    Beside, Descent, Schedule, State, StepOptions, compare, descend, flow_beside,
};
use std::path::Path;

/// Finite steps with all that a claim about them is judged on; tests change one part and judge again.
#[derive(Clone)]
struct Steps {
    problem: Problem,
    options: StepOptions,
    descents: Vec<Descent>,
    /// The flow at their times.
    trajectory: Trajectory,
    limit: Option<Limit>,
}

const FLOW: f64 = 40.0;

impl Steps {
    fn run(problem: Problem, schedule: Schedule, sizes: &[f64], count: u64) -> Self {
        let options = StepOptions {
            sizes: sizes.to_vec(),
            count,
            schedule,
            state: State::Full,
        };
        let descents = descend(&problem, &options, &Control::none()).unwrap();
        let flow = FlowOptions::to(FLOW);
        let trajectory = flow_beside(&problem, &flow, &descents, &Control::none()).unwrap();
        assert_eq!(trajectory.status, Status::Completed);
        Self {
            limit: limit_of(&problem, &trajectory),
            problem,
            options,
            descents,
            trajectory,
        }
    }

    fn constant(problem: Problem, sizes: &[f64], count: u64) -> Self {
        Self::run(problem, Schedule::Constant, sizes, count)
    }

    fn normalised(problem: Problem, sizes: &[f64], count: u64) -> Self {
        Self::run(problem, Schedule::LossNormalised, sizes, count)
    }

    /// The verdict of one claim, and the runs as they were measured for it.
    fn judged(&self, id: &str) -> (Verdict, Vec<Beside>) {
        let limit = self.limit.as_ref();
        let diagnostics = diagnose(&self.problem, &self.trajectory, limit);
        let comparison = compare(
            &self.problem,
            limit,
            &self.options,
            self.descents.clone(),
            (&self.trajectory, diagnostics.clone()),
        );
        let verdicts = claims::check_steps(&Evidence {
            problem: &self.problem,
            options: &FlowOptions::to(FLOW),
            trajectory: &self.trajectory,
            status: self.trajectory.status,
            diagnostics: &diagnostics,
            limit,
            steps: Some(&comparison),
            extend: "steps.count",
        });
        let ids: Vec<&str> = verdicts.iter().map(|v| v.id).collect();
        assert_eq!(ids, ["thm-1-discrete", "thm-2-discrete", "thm-3-discrete"]);
        for v in &verdicts {
            assert!(v.residual.is_none_or(|r| r.is_finite() && r >= 0.0));
            assert!(v.tolerance.is_none_or(|t| t.is_finite() && t > 0.0));
            assert!(v.evidence.len() > 10, "{v:?}");
            if v.outcome == Outcome::Holds {
                assert!(v.residual.unwrap() <= v.tolerance.unwrap(), "{v:?}");
            }
        }
        let verdict = verdicts.into_iter().find(|v| v.id == id).unwrap();
        (verdict, comparison.runs)
    }

    /// Asserts the outcome of a claim and fragments of its evidence.
    #[track_caller]
    fn expect(&self, id: &str, outcome: Outcome, evidence: &[&str]) -> Verdict {
        let (v, _) = self.judged(id);
        assert_eq!(v.outcome, outcome, "{v:?}");
        for fragment in evidence {
            assert!(v.evidence.contains(fragment), "{fragment:?} not in {v:?}");
        }
        v
    }

    /// The same runs, given out as runs of another problem.
    fn given_out_as(&self, problem: Problem) -> Self {
        Self {
            problem,
            ..self.clone()
        }
    }

    /// The same runs with their direction frozen at the first record past `since` in log-log-time; margins grow as
    /// before.
    fn frozen(&self, since: f64) -> Self {
        let mut frozen = self.clone();
        let degree = self.problem.network().depth() as f64;
        let smallest = |theta: &[f64]| {
            let margins = self
                .problem
                .network()
                .margins(theta, self.problem.dataset());
            margins.min()
        };
        for descent in &mut frozen.descents {
            let trajectory = &mut descent.trajectory;
            let at = (trajectory.log_log_time).partition_point(|s| *s < since);
            let held = trajectory.theta.column(at).clone_owned();
            let margin = smallest(held.as_slice());
            assert!(margin > 0.0);
            for k in at..trajectory.len() {
                let growth = smallest(trajectory.theta.column(k).as_slice()) / margin;
                let theta = &held * growth.powf(1.0 / degree);
                trajectory.theta.set_column(k, &theta);
            }
        }
        frozen
    }
}

/// Data on which steps above η* = 0.0421 fail.
fn delicate() -> Dataset {
    gaussian_teacher(8, 20, 1)
}

/// Data on which four of five samples are support vectors.
fn clear() -> Dataset {
    gaussian_teacher(8, 5, 5)
}

/// Two samples that no predictor tells apart.
fn contradictory() -> Dataset {
    Dataset::new(
        dmatrix![1.0, 0.5; 1.0, 0.5; 0.2, 1.0],
        dvector![1.0, -1.0, 1.0],
    )
}

/// The problem of a scenario of the gallery.
fn gallery(name: &str) -> Problem {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
    marginflow::scenario::load(&path, &[])
        .unwrap()
        .build()
        .unwrap()
}

/// Loss-normalised runs to far beyond the smallest double, one per theorem.
fn far() -> [(&'static str, Steps); 3] {
    [
        (
            "thm-1-discrete",
            Steps::normalised(dfa(clear(), &[8]), &[2e-4], 100_000),
        ),
        (
            "thm-2-discrete",
            Steps::normalised(conv(2), &[3e-3], 20_000),
        ),
        (
            "thm-3-discrete",
            Steps::normalised(gallery("relu-dfa-steps"), &[4e-3], 50_000),
        ),
    ]
}

/// Runs of steps of constant size, one per theorem.
fn near(sizes: &[f64], count: u64) -> [(&'static str, Steps); 3] {
    [
        ("thm-1-discrete", dfa(clear(), &[8])),
        ("thm-2-discrete", conv(2)),
        ("thm-3-discrete", gallery("relu-dfa-steps")),
    ]
    .map(|(id, problem)| (id, Steps::constant(problem, sizes, count)))
}

#[test]
fn small_steps_follow_the_flow_towards_the_limit() {
    let deeper = Steps::constant(dfa(clear(), &[8, 8]), &[4e-3, 2e-3], 20_000);
    let logistic = dfa(clear(), &[8]).with_loss(Loss::Logistic);
    let others = [
        ("thm-1-discrete", deeper),
        (
            "thm-1-discrete",
            Steps::constant(logistic, &[4e-3, 2e-3], 20_000),
        ),
        (
            "thm-2-discrete",
            Steps::constant(gallery("diagonal-dfa"), &[4e-3], 20_000),
        ),
    ];
    for (id, steps) in near(&[4e-3, 2e-3], 20_000).into_iter().chain(others) {
        let v = steps.expect(
            id,
            Outcome::Holds,
            &["holds at η = 4e-3", "follows the flow"],
        );
        assert!(!v.evidence.contains("fails") && !v.evidence.contains("undecided"));
        for run in steps.judged(id).1 {
            assert!(run.final_angle_to_flow().unwrap() <= 0.01);
            assert!(run.diagnostics.final_angle().unwrap() > 0.01);
        }
    }
}

#[test]
fn loss_normalised_steps_arrive_at_the_limit() {
    for (id, steps) in far() {
        steps.expect(id, Outcome::Holds, &["holds at"]);
        if id == "thm-3-discrete" {
            continue;
        }
        // the predictor itself, against the machine or the minimiser of the norm
        let theta = &steps.descents[0].trajectory.theta;
        let end = theta.column(theta.ncols() - 1);
        let beta = steps.problem.network().predictor(end.as_slice()).unwrap();
        let expected = match id {
            "thm-1-discrete" => svm(&clear()).unwrap(),
            _ => steps.limit.clone().unwrap(),
        };
        let apart = angle(beta.as_slice(), expected.beta.as_slice());
        assert!(apart <= 0.01, "{id}: {apart}");
        let (v, _) = steps.judged(id);
        assert!(v.evidence.contains("duality gap"), "{v:?}");
    }
}

/// The distance from the flow is of first order in η, at a time that all sizes reach.
#[test]
fn the_residual_is_proportional_to_the_size() {
    let grid = [(8e-3, 2_500), (4e-3, 5_000), (2e-3, 10_000), (1e-3, 20_000)];
    let residuals = grid.map(|(size, count)| {
        near(&[size], count).map(|(id, steps)| {
            let v = steps.expect(id, Outcome::Holds, &["follows the flow"]);
            v.residual.unwrap()
        })
    });
    for pair in residuals.windows(2) {
        for (coarse, fine) in pair[0].iter().zip(&pair[1]) {
            assert!((coarse / fine - 2.0).abs() < 0.25, "{residuals:?}");
        }
    }
}

#[test]
fn steps_above_the_critical_size_are_a_violation_that_names_them() {
    let both = Steps::constant(dfa(delicate(), &[8]), &[0.05, 0.003], 20_000);
    both.expect(
        "thm-1-discrete",
        Outcome::Violated,
        &[
            "holds at η = 3e-3",
            "fails at η = 5e-2 (the loss tends to infinity",
            "take turns for ever",
        ],
    );
    // an angle that falls at the predicted rate, though steps have long left the flow
    let below = Steps::constant(dfa(delicate(), &[8]), &[0.03], 100_000);
    let v = below.expect("thm-1-discrete", Outcome::Holds, &["slope"]);
    assert_eq!(v.tolerance, Some(0.5));
    assert!(below.judged("thm-1-discrete").1[0].final_angle_to_flow() > Some(0.01));
    // just below η* and just above
    for (size, fails) in [(0.04214, false), (0.04215, true)] {
        let steps = Steps::constant(dfa(delicate(), &[8]), &[size], 20_000);
        let (v, _) = steps.judged("thm-1-discrete");
        assert_eq!(v.outcome == Outcome::Violated, fails, "{v:?}");
    }
}

/// Sizes between the first at which an alignment is negative and the first that fails: the loss falls for good, and
/// that is proved. Just above the second the loss runs away, which is proved as well.
#[test]
fn sizes_between_the_two_critical_ones_hold_and_sizes_above_both_fail() {
    for (hidden, between, above) in [
        (
            &[8, 8][..],
            &[0.01756, 0.01758, 0.0176][..],
            [0.01762, 0.02],
        ),
        (&[8, 8, 8], &[0.010995, 0.011, 0.01106], [0.01112, 0.012]),
    ] {
        for size in between {
            let steps = Steps::constant(dfa(delicate(), hidden), &[*size], 20_000);
            let v = steps.expect(
                "thm-1-discrete",
                Outcome::Holds,
                &[
                    "provably falls for ever",
                    "alignments are negative at",
                    "decides nothing",
                ],
            );
            assert!(
                v.residual.unwrap() <= 1.0 && v.tolerance == Some(1.0),
                "{v:?}"
            );
            let d = &steps.judged("thm-1-discrete").1[0].diagnostics;
            assert!(d.log_loss.last().unwrap() < &-10.0);
            assert!(d.alignment.as_ref().unwrap().phi.min() < 0.0);
            // the direction is far, and nothing else shows that it will arrive
            assert!(d.final_angle().unwrap() > 0.1);
        }
        for size in above {
            let steps = Steps::constant(dfa(delicate(), hidden), &[size], 20_000);
            assert_eq!(steps.descents[0].trajectory.status, Status::NonFinite);
            steps.expect(
                "thm-1-discrete",
                Outcome::Violated,
                &["the loss tends to infinity", "for ever"],
            );
        }
    }
}

#[test]
fn a_loss_that_provably_runs_away_is_a_violation_wherever_the_theorem_applies() {
    for (id, problem, size) in [
        ("thm-1-discrete", dfa(delicate(), &[8]), 0.0425),
        ("thm-2-discrete", conv(2), 0.7),
    ] {
        let steps = Steps::constant(problem, &[size], 100);
        assert_eq!(steps.descents[0].trajectory.status, Status::NonFinite);
        let named = format!("fails at η = {size:e}");
        steps.expect(
            id,
            Outcome::Violated,
            &[&named, "the loss tends to infinity"],
        );
        let other = if id == "thm-1-discrete" {
            "thm-2-discrete"
        } else {
            "thm-1-discrete"
        };
        steps.expect(other, Outcome::NotApplicable, &["the network is"]);
        steps.expect(
            "thm-3-discrete",
            Outcome::NotApplicable,
            &["which the theorem supposes"],
        );
        // multipliers of the logistic loss are bounded: no sample outweighs all weights, and nothing is proved
        let logistic = steps.given_out_as(steps.problem.clone().with_loss(Loss::Logistic));
        logistic.expect(id, Outcome::Inconclusive, &["does not prove"]);
    }
    let relu = Steps::constant(gallery("relu-dfa-steps"), &[0.5], 100);
    assert_eq!(relu.descents[0].trajectory.status, Status::NonFinite);
    relu.expect(
        "thm-3-discrete",
        Outcome::NotApplicable,
        &["which the theorem supposes"],
    );
}

/// The run is genuine, the alignment is not: φ_2 b_1 is also (−φ_2)(−b_1). Alignments may be negative for a while, and
/// the loss tends to zero all the same.
#[test]
fn a_negative_alignment_decides_nothing() {
    let [(id, steps), ..] = far();
    let mut feedback = steps.problem.feedback().unwrap();
    feedback[0] = -&feedback[0];
    let mirrored = Rule::direct_feedback_alignment(feedback);
    let mirrored = steps.problem.clone().with_rule(mirrored).unwrap();
    let judged = steps.given_out_as(mirrored);
    judged.expect(id, Outcome::Holds, &["φ_2 = -", "decides nothing"]);
}

#[test]
fn a_direction_that_stalls_does_not_hold_and_one_that_is_excluded_fails() {
    for (id, steps) in far() {
        let end = steps.trajectory.log_log_time.last().unwrap();
        let frozen = steps.frozen(end / 3.0);
        frozen.expect(id, Outcome::Inconclusive, &["undecided at"]);
        if id == "thm-3-discrete" {
            continue; // the machine of the run's own features
        }
        for radians in [1.0, 0.2] {
            let other = Steps {
                limit: steps.limit.as_ref().map(|limit| turned(limit, radians)),
                ..steps.clone()
            };
            let v = other.expect(id, Outcome::Violated, &["certificate excludes it"]);
            // what the run itself still has to go comes on top
            let apart = v.residual.unwrap();
            assert!((apart - radians).abs() < 0.01, "{v:?}");
        }
    }
}

#[test]
fn too_few_steps_are_inconclusive() {
    for (id, steps) in near(&[1e-2, 3e-3], 3) {
        steps.expect(
            id,
            Outcome::Inconclusive,
            &["undecided at", "extend steps.count"],
        );
    }
    // one size that gets there does not decide for another that does not
    for (id, steps) in near(&[1e-2, 1e-6], 20_000) {
        steps.expect(
            id,
            Outcome::Inconclusive,
            &["holds at η = 1e-2", "undecided at η = 1e-6"],
        );
    }
}

/// One leap to margins of hundreds: the direction is far off and stands, as it would for e^500 units of time under the
/// flow. In exact arithmetic it arrives, which only the proof can tell.
#[test]
fn steps_that_leap_to_where_nothing_moves_are_decided_by_proof_alone() {
    let steps = Steps::constant(dfa(clear(), &[8]), &[0.5], 100);
    let (v, runs) = steps.judged("thm-1-discrete");
    let d = &runs[0].diagnostics;
    assert!(d.log_loss.last().unwrap() < &-400.0 && d.final_angle().unwrap() > 0.1);
    assert_eq!(v.outcome, Outcome::Holds, "{v:?}");
    assert!(
        v.evidence.contains("provably") && v.evidence.contains("needs many more steps"),
        "{v:?}"
    );
    // from other weights nothing is proved
    let elsewhere = from_random_weights(dfa(clear(), &[8]));
    let steps = Steps::constant(elsewhere, &[0.5], 100);
    let (v, runs) = steps.judged("thm-1-discrete");
    assert!(runs[0].diagnostics.log_loss.last().unwrap() < &-100.0);
    assert_eq!(v.outcome, Outcome::Inconclusive, "{v:?}");
}

#[test]
fn hypotheses_are_those_of_the_flow_and_steps() {
    let flow = Case::to(dfa(data(), &[8]), 10.0);
    for id in ["thm-1-discrete", "thm-2-discrete", "thm-3-discrete"] {
        flow.expect(id, Outcome::NotApplicable, "no [steps]");
    }
    for (id, steps) in near(&[1e-2], 2_000) {
        for other in ["thm-1-discrete", "thm-2-discrete"] {
            if other != id {
                steps.expect(other, Outcome::NotApplicable, &["the network is"]);
            }
        }
    }
    let rule = &["not feedback alignment"];
    let fc = Steps::constant(bp(data(), &[8]), &[1e-2], 2_000);
    fc.expect("thm-1-discrete", Outcome::NotApplicable, rule);
    let network = Network::convolutional(8, 2);
    let conv = Steps::constant(descent(telling(), network), &[1e-2], 2_000);
    conv.expect("thm-2-discrete", Outcome::NotApplicable, rule);
    // nothing is claimed of data that cannot be separated, whatever becomes of the loss
    for (id, network) in [
        ("thm-1-discrete", fully_connected(&contradictory(), &[2])),
        ("thm-2-discrete", Network::diagonal(2, 2)),
    ] {
        for (size, count) in [(1e-2, 20_000), (50.0, 20)] {
            let problem = direct(contradictory(), network.clone(), 7);
            let steps = Steps::constant(problem, &[size], count);
            steps.expect(id, Outcome::NotApplicable, &["not separable"]);
        }
    }
}

/// On diagonal networks a coordinate of Z may pass through zero, and φ_2 is then negative for a while, however small
/// the steps are.
#[test]
fn an_alignment_that_passes_through_zero_is_no_violation() {
    let steps = Steps::constant(gallery("diagonal-dfa"), &[2e-3], 20_000);
    let (v, runs) = steps.judged("thm-2-discrete");
    let arguments = &runs[0].diagnostics.phases.as_ref().unwrap().argument;
    assert!(arguments[(0, arguments.ncols() - 1)] > 3.0);
    assert_eq!(v.outcome, Outcome::Holds, "{v:?}");
}

/// Theorem 3 on linear networks, by steps of constant size and by steps divided by the loss.
#[test]
fn the_output_layer_of_linear_networks_learns_its_features() {
    for network in spectral(2) {
        let problem = direct(telling(), network, 7);
        let constant = Steps::constant(problem.clone(), &[4e-3], 20_000);
        constant.expect("thm-3-discrete", Outcome::Holds, &["follows the flow"]);
        let normalised = Steps::normalised(problem, &[3e-3], 40_000);
        normalised.expect(
            "thm-3-discrete",
            Outcome::Holds,
            &["angle to the feature SVM"],
        );
    }
    // one direction of features is all that a fully connected network has from zero weights
    let dense = Steps::constant(dfa(clear(), &[8]), &[4e-3], 20_000);
    let (_, runs) = dense.judged("thm-3-discrete");
    let machine = runs[0].diagnostics.feature_machine.as_ref().unwrap();
    assert!(machine.angle.iter().flatten().all(|angle| *angle < 1e-12));
}
