//! Every claim on runs made for it: a positive control, negative controls (one hypothesis broken, or the conclusion
//! itself), and refinement (what a verdict rests on gets smaller as tolerances tighten or horizons grow).
//!
//! The conclusion is broken by judging a genuine trajectory as something it is not: against other feedback, another
//! limit, another depth. Whatever a claim says, it must then be able to say otherwise.

use marginflow::claims::{self, Evidence, Outcome, Verdict};
use marginflow::dataset::{Dataset, gaussian_teacher, standard_normals};
use marginflow::diagnostics::{Diagnostics, diagnose};
use marginflow::flow::{FlowOptions, integrate};
use marginflow::limit::{Limit, Separability, angle, max_margin};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};

/// A run with all that a claim is judged on; tests change one part and judge again.
#[derive(Clone)]
struct Case {
    problem: Problem,
    options: FlowOptions,
    trajectory: Trajectory,
    limit: Option<Limit>,
}

impl Case {
    fn run(problem: Problem, options: FlowOptions) -> Self {
        let trajectory = integrate(&problem, &options, &mut |_| {}).unwrap();
        let limit = limit_of(&problem.dataset);
        Self {
            problem,
            options,
            trajectory,
            limit,
        }
    }

    fn to(problem: Problem, horizon: f64) -> Self {
        let case = Self::run(problem, FlowOptions::to(horizon));
        assert_eq!(case.trajectory.status, Status::Completed);
        case
    }

    fn diagnose(&self) -> Diagnostics {
        diagnose(&self.problem, &self.trajectory, self.limit.as_ref())
    }

    /// The verdict of one claim, after checking that all verdicts are fit to print.
    fn judge(&self, id: &str) -> Verdict {
        let diagnostics = self.diagnose();
        let verdicts = claims::check(&Evidence {
            problem: &self.problem,
            options: &self.options,
            trajectory: &self.trajectory,
            diagnostics: &diagnostics,
            limit: self.limit.as_ref(),
        });
        assert!(verdicts.iter().map(|v| v.id).eq(claims::ids()));
        for v in &verdicts {
            assert!(
                v.residual.is_none_or(|r| r.is_finite() && r >= 0.0),
                "{v:?}"
            );
            assert!(
                v.tolerance.is_none_or(|t| t.is_finite() && t > 0.0),
                "{v:?}"
            );
            assert!(v.evidence.len() > 10, "{v:?}");
            let measured = v.residual.is_some() && v.tolerance.is_some();
            assert!(
                measured || matches!(v.outcome, Outcome::NotApplicable | Outcome::Inconclusive)
            );
        }
        verdicts.into_iter().find(|v| v.id == id).unwrap()
    }

    /// Asserts the outcome of a claim and a fragment of its evidence; returns the verdict.
    #[track_caller]
    fn expect(&self, id: &str, outcome: Outcome, evidence: &str) -> Verdict {
        let v = self.judge(id);
        assert_eq!(v.outcome, outcome, "{v:?}");
        assert!(v.evidence.contains(evidence), "{v:?}");
        v
    }
}

fn limit_of(dataset: &Dataset) -> Option<Limit> {
    match max_margin(dataset.signed_samples()) {
        Separability::Separable(limit) => Some(limit),
        _ => None,
    }
}

/// Five samples in eight dimensions, three of them support vectors.
fn data() -> Dataset {
    gaussian_teacher(8, 5, 11)
}

/// The fully connected linear network of these hidden widths under DFA from zero weights.
fn dfa(dataset: Dataset, hidden: &[usize]) -> Problem {
    let network = FullyConnectedLinear::new(dataset.dimension(), hidden);
    let network = Network::FullyConnectedLinear(network);
    let mut draws = standard_normals("feedback", 7);
    let feedback = hidden
        .iter()
        .map(|&width| DVector::from_iterator(width, draws.by_ref().take(width)))
        .collect();
    Problem {
        theta0: DVector::zeros(network.parameters()),
        dataset,
        network,
        rule: Rule::DirectFeedbackAlignment(feedback),
        loss: Loss::Exponential,
    }
}

/// The same under gradient descent from small random weights.
fn bp(dataset: Dataset, hidden: &[usize]) -> Problem {
    Problem {
        rule: Rule::GradientDescent,
        ..from_random_weights(dfa(dataset, hidden))
    }
}

fn from_random_weights(problem: Problem) -> Problem {
    let draws = standard_normals("initial", 3);
    let count = problem.network.parameters();
    Problem {
        theta0: DVector::from_iterator(count, draws.take(count)) * 0.1,
        ..problem
    }
}

/// The theta's entries of layer l (from 1).
fn entries_of_layer(problem: &Problem, l: usize) -> std::ops::Range<usize> {
    let sizes: Vec<usize> = problem
        .network
        .shapes()
        .iter()
        .map(|(r, c)| r * c)
        .collect();
    let start = sizes[..l - 1].iter().sum();
    start..start + sizes[l - 1]
}

/// `limit` turned by `radians` in the plane of its direction and another.
fn turned(limit: &Limit, radians: f64) -> Limit {
    let along = limit.beta.normalize();
    let other = DVector::from_iterator(along.len(), standard_normals("turn", 1).take(along.len()));
    let across = (&other - &along * along.dot(&other)).normalize();
    let beta = (&along * radians.cos() + across * radians.sin()) * limit.beta.norm();
    assert!((angle(beta.as_slice(), limit.beta.as_slice()) - radians).abs() < 1e-12);
    Limit {
        beta,
        ..limit.clone()
    }
}

/// Each of these claims is about one rule and says so of the other; all ask for separable data and a completed run.
#[test]
fn hypotheses_that_every_claim_shares() {
    let dfa_case = Case::to(dfa(data(), &[8]), 30.0);
    let bp_case = Case::to(bp(data(), &[8]), 30.0);
    for id in claims::ids() {
        let of_gradient_descent = matches!(id, "gd-fc" | "rate-bp");
        let (case, other, rule) = if of_gradient_descent {
            (&bp_case, &dfa_case, "the rule is not gradient descent")
        } else {
            (&dfa_case, &bp_case, "the rule is not direct feedback")
        };
        case.expect(id, Outcome::Holds, "");
        other.expect(id, Outcome::NotApplicable, rule);
        let without_limit = Case {
            limit: None,
            ..case.clone()
        };
        without_limit.expect(id, Outcome::NotApplicable, "not separable");
        let options = FlowOptions {
            max_steps: 50,
            ..case.options.clone()
        };
        let stopped = Case::run(case.problem.clone(), options);
        assert_eq!(stopped.trajectory.status, Status::BudgetSteps);
        stopped.expect(id, Outcome::Inconclusive, "ended before its horizon");
    }
}

mod prop_1 {
    use super::*;

    #[test]
    fn holds_at_every_depth_width_and_loss() {
        let logistic = Problem {
            loss: Loss::Logistic,
            ..dfa(data(), &[8])
        };
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
            let mut wrong = case.clone();
            let Rule::DirectFeedbackAlignment(b) = &mut wrong.problem.rule else {
                unreachable!()
            };
            change(b);
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
        let mut case = Case::to(from_random_weights(dfa(data(), &[8])), 20.0);
        case.expect(
            "prop-1",
            Outcome::NotApplicable,
            "initial weights are not zero",
        );
        // Judged as if it had started from zero.
        case.problem.theta0.fill(0.0);
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
        // Standing still, the loss does not rise, but the norms do not diverge.
        let mut stalled = case.clone();
        let half = case.trajectory.len() / 2;
        let there = case.trajectory.theta.column(half).into_owned();
        for k in half..case.trajectory.len() {
            stalled.trajectory.theta.set_column(k, &there);
        }
        stalled.expect("prop-1", Outcome::Violated, "does not grow");
    }

    #[test]
    fn depth_one_has_nothing_to_align_and_short_runs_cannot_tell() {
        Case::to(dfa(data(), &[]), 20.0).expect("prop-1", Outcome::NotApplicable, "depth 1");
        let short = Case::to(dfa(data(), &[8]), 1.0);
        short.expect("prop-1", Outcome::Inconclusive, "extend flow.until");
    }

    #[test]
    fn residual_follows_the_tolerance() {
        let residual = |rtol: f64| {
            let options = FlowOptions {
                rtol,
                atol: rtol / 100.0,
                ..FlowOptions::to(20.0)
            };
            let case = Case::run(dfa(data(), &[8, 8]), options);
            let v = case.expect("prop-1", Outcome::Holds, "");
            assert!((v.tolerance.unwrap() / rtol - 100.0).abs() < 1e-9);
            v.residual.unwrap()
        };
        let residuals = [1e-4, 1e-6, 1e-8].map(residual);
        for pair in residuals.windows(2) {
            assert!(pair[1] < 0.2 * pair[0], "{residuals:?}");
        }
        assert!(residuals[2] < 1e-9, "{residuals:?}");
    }
}

/// Theorem 1 (DFA) and its counterpart for gradient descent.
mod directional_limit {
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
        let logistic = |p: Problem| Problem {
            loss: Loss::Logistic,
            ..p
        };
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

    #[test]
    fn another_limit_is_violated_however_near() {
        for (id, case) in cases(30.0) {
            let right = case.limit.clone().unwrap();
            let other = limit_of(&gaussian_teacher(8, 5, 12)).unwrap();
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
                let v = judged.expect(id, Outcome::Violated, "stalled");
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
                    case.problem.dataset.samples(),
                    case.problem.dataset.labels(),
                );
                let dataset = Dataset::new(x.clone().remove_row(n), y.clone().remove_row(n));
                let judged = Case {
                    limit: limit_of(&dataset),
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
            saves: Some(5),
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
}

mod rate {
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
                assert!((rate.predicted - law).abs() < 1e-15);
                assert_eq!(v.residual.unwrap(), (rate.observed - law).abs());
                v.residual.unwrap()
            });
            for pair in residuals.windows(2) {
                assert!(pair[1] < 0.5 * pair[0], "{id} {depth}: {residuals:?}");
            }
        }
    }

    /// The same predictor at every time, written as a network one layer deeper: `w_1 · 1 · w_2`.
    fn as_if_deeper(case: &Case) -> Case {
        let deeper = match case.problem.rule {
            Rule::GradientDescent => bp(data(), &[8, 8]),
            Rule::DirectFeedbackAlignment(_) => dfa(data(), &[8, 8]),
        };
        let saves = case.trajectory.len();
        let (first, last) = (
            entries_of_layer(&case.problem, 1),
            entries_of_layer(&case.problem, 2),
        );
        let mut theta = DMatrix::zeros(deeper.network.parameters(), saves);
        let identity = DMatrix::<f64>::identity(8, 8);
        for k in 0..saves {
            let from = case.trajectory.theta.column(k);
            let entries = [
                &from.as_slice()[first.clone()],
                identity.as_slice(),
                &from.as_slice()[last.clone()],
            ];
            theta.set_column(k, &DVector::from_vec(entries.concat()));
        }
        Case {
            problem: deeper,
            trajectory: Trajectory {
                theta,
                ..case.trajectory.clone()
            },
            ..case.clone()
        }
    }

    #[test]
    fn the_slope_of_another_depth_rule_or_clock_is_violated() {
        for id in ["rate-dfa", "rate-bp"] {
            let case = Case::to(problem(id, 2), 30.0);
            let v = as_if_deeper(&case).expect(id, Outcome::Violated, "predicted");
            let laws = if id == "rate-dfa" {
                1.0 / 3.0 - 1.0 / 7.0
            } else {
                1.0 / 2.0 - 1.0 / 3.0
            };
            assert!((v.residual.unwrap() - laws).abs() < 1e-3, "{v:?}");
            // A clock that is off by three percent.
            let mut slow = case.clone();
            for s in &mut slow.trajectory.log_log_time {
                *s *= 1.03;
            }
            slow.expect(id, Outcome::Violated, "predicted");
        }
        // A run of gradient descent given out as one of DFA.
        let mut case = Case::to(problem("rate-bp", 2), 30.0);
        case.problem.rule = problem("rate-dfa", 2).rule;
        let v = case.expect("rate-dfa", Outcome::Violated, "predicted -0.3333");
        assert!((v.residual.unwrap() - 1.0 / 6.0).abs() < 1e-3, "{v:?}");
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
                saves: Some(15),
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
        assert_eq!(rate.predicted, -1.0);
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
        assert_eq!(limit_of(&pair()).unwrap().support, [0, 1]);
        expect_inverse_law("rate-dfa", dfa(pair(), &[4]));
        // Only the first layer keeps what it starts with: weights above it may start anywhere.
        for (id, mut problem) in [
            ("rate-dfa", dfa(pair(), &[4])),
            ("rate-bp", bp(pair(), &[4])),
        ] {
            problem = Problem {
                rule: problem.rule,
                ..from_random_weights(dfa(pair(), &[4]))
            };
            let first = entries_of_layer(&problem, 1);
            problem.theta0.rows_mut(first.start, first.len()).fill(0.0);
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
        assert_eq!(limit_of(&plane()).unwrap().support.len(), 2);
        expect_inverse_law("rate-dfa", from_random_weights(dfa(plane(), &[3])));
        expect_inverse_law("rate-bp", bp(plane(), &[3]));
    }
}
