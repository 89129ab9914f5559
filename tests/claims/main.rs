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

mod prop_1;

/// Theorem 1 (DFA) and its counterpart for gradient descent.
mod directional_limit;

mod rate;
