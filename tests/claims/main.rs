//! Every claim on runs made for it: a positive control, negative controls (one hypothesis broken, or the conclusion
//! itself), and refinement (what a verdict rests on gets smaller as tolerances tighten or horizons grow).
//!
//! The conclusion is broken by judging a genuine trajectory as something it is not: against other feedback, another
//! limit, another depth. Whatever a claim says, it must then be able to say otherwise.

use marginflow::claims::{self, Evidence, Outcome, Subject, Verdict};
use marginflow::dataset::{Dataset, gaussian_teacher, standard_normals};
use marginflow::diagnostics::{Diagnostics, diagnose};
use marginflow::flow::{FlowOptions, SaveAt, integrate};
use marginflow::limit::{Limit, Potential, Separability, angle, max_margin};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::run::reference_limit;
use marginflow::spectrum::Basis;
use marginflow::theory::{self, Candidate, certified_candidates};
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use num_complex::Complex64;
use std::f64::consts::TAU;

/// What has been claimed of a problem, certified.
fn candidates(problem: &Problem) -> Vec<Candidate> {
    let claimed = theory::of(problem).candidates;
    certified_candidates(&claimed, problem.dataset().signed_samples())
}

/// A run with all that a claim is judged on; tests change one part and judge again.
#[derive(Clone)]
struct Case {
    problem: Problem,
    options: FlowOptions,
    trajectory: Trajectory,
    limit: Option<Limit>,
    candidates: Vec<Candidate>,
}

impl Case {
    fn run(problem: Problem, options: FlowOptions) -> Self {
        let trajectory = integrate(&problem, &options, &mut |_| {}).unwrap();
        Self {
            limit: limit_of(&problem, &trajectory),
            candidates: candidates(&problem),
            problem,
            options,
            trajectory,
        }
    }

    fn to(problem: Problem, horizon: f64) -> Self {
        let case = Self::run(problem, FlowOptions::to(horizon));
        assert_eq!(case.trajectory.status, Status::Completed);
        case
    }

    /// The same trajectory given out as a run of another problem.
    fn given_out_as(&self, problem: Problem) -> Self {
        Self {
            limit: limit_of(&problem, &self.trajectory),
            candidates: candidates(&problem),
            problem,
            options: self.options.clone(),
            trajectory: self.trajectory.clone(),
        }
    }

    /// The same run with the weights of `network` replaced so that the predictor at save k is `predictor(k)`: all
    /// layers but the first are identities.
    fn with_predictor(
        &self,
        network: &Network,
        predictor: impl Fn(usize) -> DVector<f64>,
    ) -> Trajectory {
        let dimension = self.problem.dataset().dimension();
        let identity = match network.signal_basis() {
            Basis::Fourier => {
                let mut impulse = vec![0.0; dimension];
                impulse[0] = (dimension as f64).sqrt();
                impulse
            }
            Basis::Standard => vec![1.0; dimension],
        };
        let saves = self.trajectory.len();
        let mut theta = DMatrix::zeros(network.parameters(), saves);
        for k in 0..saves {
            let beta = predictor(k);
            let mut weights = beta.as_slice().to_vec();
            weights.extend(identity.repeat(network.depth() - 1));
            let column = network.theta(DVector::from_vec(weights));
            let error = (network.predictor(column.as_slice()).unwrap() - &beta).norm();
            assert!(error <= 1e-12 * beta.norm());
            theta.set_column(k, &column);
        }
        Trajectory {
            theta,
            ..self.trajectory.clone()
        }
    }

    /// The same run as if its predictor tended to `direction` like `(log t)^{−rate}`.
    fn tending_to(&self, direction: &DVector<f64>, rate: f64) -> Self {
        let dimension = direction.len();
        let noise = standard_normals("noise", 1).take(dimension);
        let noise = DVector::from_iterator(dimension, noise);
        let direction = direction.normalize();
        let trajectory = self.with_predictor(self.problem.network(), |k| {
            let tau = self.trajectory.log_time(k);
            (&direction + &noise * (1.0 + tau).powf(-rate)) * tau
        });
        Self {
            trajectory,
            ..self.clone()
        }
    }

    /// The same run given out as one under another rule.
    fn under(&self, rule: Rule) -> Self {
        let problem = self.problem.clone().with_rule(rule).unwrap();
        Self {
            problem,
            ..self.clone()
        }
    }

    /// The same run given out as one from zero weights.
    fn as_from_zero(&self) -> Self {
        let zero = self.problem.theta0() * 0.0;
        let problem = self.problem.clone().with_start(zero).unwrap();
        Self {
            problem,
            ..self.clone()
        }
    }

    /// The minimiser of a claimed potential.
    fn candidate(&self, id: &str) -> &Limit {
        &self.candidates.iter().find(|c| c.id == id).unwrap().limit
    }

    fn diagnose(&self) -> Diagnostics {
        let mut diagnostics = diagnose(&self.problem, &self.trajectory, self.limit.as_ref());
        let g = self.problem.dataset().signed_samples();
        diagnostics.compare(self.candidates.clone(), g, self.limit.as_ref());
        diagnostics
    }

    /// The verdict of one claim, after checking that all verdicts are fit to print.
    fn judge(&self, id: &str) -> Verdict {
        let diagnostics = self.diagnose();
        let verdicts = claims::check(&Evidence {
            problem: &self.problem,
            options: &self.options,
            trajectory: &self.trajectory,
            status: self.trajectory.status,
            diagnostics: &diagnostics,
            limit: self.limit.as_ref(),
            steps: None,
            extend: "flow.until",
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

/// The limit theory predicts of a run; `None` for data it cannot separate.
fn limit_of(problem: &Problem, trajectory: &Trajectory) -> Option<Limit> {
    let reference = reference_limit(problem, false).ok()?;
    reference.after(problem, trajectory)
}

fn svm(dataset: &Dataset) -> Option<Limit> {
    match max_margin(dataset.signed_samples()) {
        Separability::Separable(limit) => Some(limit),
        _ => None,
    }
}

/// Five samples in eight dimensions, three of them support vectors.
fn data() -> Dataset {
    gaussian_teacher(8, 5, 11)
}

/// DFA from zero weights, with Gaussian feedback drawn layer after layer.
fn direct(dataset: Dataset, network: Network, seed: u64) -> Problem {
    let mut draws = standard_normals("feedback", seed);
    let feedback = network
        .feedback_shapes()
        .iter()
        .map(|&(width, _)| DVector::from_iterator(width, draws.by_ref().take(width)))
        .collect();
    Problem::new(
        dataset,
        network.clone(),
        Rule::direct_feedback_alignment(feedback),
        Loss::Exponential,
        DVector::zeros(network.parameters()),
    )
    .unwrap()
}

/// Gradient descent from small random weights.
fn descent(dataset: Dataset, network: Network) -> Problem {
    from_random_weights(direct(dataset, network, 7))
        .with_rule(Rule::gradient_descent())
        .unwrap()
}

/// The fully connected linear network of these hidden widths.
fn fully_connected(dataset: &Dataset, hidden: &[usize]) -> Network {
    Network::new(FullyConnectedLinear::new(dataset.dimension(), hidden))
}

/// The fully connected linear network of these hidden widths under DFA from zero weights.
fn dfa(dataset: Dataset, hidden: &[usize]) -> Problem {
    let network = fully_connected(&dataset, hidden);
    direct(dataset, network, 7)
}

/// The same under gradient descent from small random weights.
fn bp(dataset: Dataset, hidden: &[usize]) -> Problem {
    let network = fully_connected(&dataset, hidden);
    descent(dataset, network)
}

/// Both networks that act entry by entry, for samples of dimension 8.
fn spectral(depth: usize) -> [Network; 2] {
    [
        Network::convolutional(8, depth),
        Network::diagonal(8, depth),
    ]
}

/// Five samples in eight dimensions on which the printed minimisers of Theorem 2 are far from the true one.
fn telling() -> Dataset {
    gaussian_teacher(8, 5, 21)
}

/// The convolutional network of this depth under DFA from zero weights on [`telling`] data.
fn conv(depth: usize) -> Problem {
    direct(telling(), Network::convolutional(8, depth), 7)
}

fn from_random_weights(problem: Problem) -> Problem {
    let draws = standard_normals("initial", 3);
    let count = problem.network().parameters();
    let weights = DVector::from_iterator(count, draws.take(count)) * 0.1;
    let start = problem.network().theta(weights);
    problem.with_start(start).unwrap()
}

/// The theta's entries of layer l (from 1).
fn entries_of_layer(problem: &Problem, l: usize) -> std::ops::Range<usize> {
    let sizes: Vec<usize> = problem
        .network()
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

/// The unitary transform from its definition.
fn transform(x: &[f64]) -> Vec<Complex64> {
    let dimension = x.len();
    let wave = |j: usize, d: usize| {
        Complex64::from_polar(1.0, -TAU * (j * d % dimension) as f64 / dimension as f64)
    };
    let entry = |d: usize| (0..dimension).map(|j| wave(j, d) * x[j]).sum::<Complex64>();
    (0..dimension)
        .map(|d| entry(d) / (dimension as f64).sqrt())
        .collect()
}

/// Tolerances ten thousand times tighter: the claim is held against what they promise, and its residual falls with
/// them.
#[track_caller]
fn assert_residual_follows_the_tolerance(id: &str, problem: &Problem, until: f64) {
    let residuals = [1e-4, 1e-6, 1e-8].map(|rtol| {
        let options = FlowOptions {
            rtol,
            atol: rtol / 100.0,
            ..FlowOptions::to(until)
        };
        let v = Case::run(problem.clone(), options).expect(id, Outcome::Holds, "");
        assert!((v.tolerance.unwrap() / rtol - 100.0).abs() < 1e-9);
        v.residual.unwrap()
    });
    for pair in residuals.windows(2) {
        assert!(pair[1] < 0.2 * pair[0], "{residuals:?}");
    }
    assert!(residuals[2] < 1e-9, "{residuals:?}");
}

/// A run for every claim on which it holds.
fn control(id: &str) -> Case {
    let printed = |name: &str| {
        let case = Case::to(conv(2), 30.0);
        case.tending_to(&case.candidate(name).beta, 1.0 / 3.0)
    };
    match id {
        "prop-1" | "thm-1" | "rate-dfa" => Case::to(dfa(data(), &[8]), 30.0),
        "prop-1-vector" | "thm-1-vector" => Case::to(classes::feedback(), 30.0),
        "gd-fc-vector" => Case::to(classes::gradient_descent(), 30.0),
        "gd-conv-vector" => Case::to(classes::frequencies(), 60.0),
        "dfa-complementarity" => Case::to(classes::gaussian(), 30.0),
        "gd-fc" | "rate-bp" => Case::to(bp(data(), &[8]), 30.0),
        "prop-2" => Case::to(direct(telling(), Network::diagonal(8, 2), 7), 30.0),
        "prop-2-corrected" | "thm-2-corrected" | "thm-2-unconditional" => Case::to(conv(2), 30.0),
        "thm-2-main-text" => printed("main-text"),
        "thm-2-appendix" => printed("appendix"),
        "loss-decreases" => Case::to(conv(2), 20.0),
        "thm-3" | "prop-3" | "thm-4" | "thm-4-first-layer" | "dfa-margin" => relu::two_layers(),
        "gd-homogeneous" => relu::gradient_descent(),
        "gd-conv" => Case::to(descent(telling(), Network::convolutional(8, 2)), 60.0),
        _ => panic!("no run to show that {id} can hold"),
    }
}

/// Each of these claims is about one rule and says so of the other; most are about some networks only; all ask for a
/// completed run, and, but for the algebra of Proposition 2, for separable data. That the loss decreases is claimed of
/// every run, and seen in the time there was.
#[test]
fn hypotheses_that_every_claim_shares() {
    // claims about finite steps have their own tests
    let of_flows = claims::CLAIMS.iter().filter(|c| c.subject == Subject::Flow);
    for id in of_flows.map(|c| c.id) {
        let case = control(id);
        case.expect(id, Outcome::Holds, "");
        if id == "loss-decreases" {
            continue;
        }
        let options = FlowOptions {
            max_steps: 50,
            ..case.options.clone()
        };
        let stopped = Case::run(case.problem.clone(), options);
        assert_eq!(stopped.trajectory.status, Status::BudgetSteps);
        stopped.expect(id, Outcome::Inconclusive, "ended before its horizon");
        let network = case.problem.network().clone();
        if network.units().is_some() || network.outputs() > 1 {
            // their own tests break these hypotheses
            continue;
        }
        let (other, rule) = if id.starts_with("gd-") || id == "rate-bp" {
            let other = direct(case.problem.dataset().clone(), network, 7);
            (other, "the rule is not gradient descent")
        } else {
            let other = descent(case.problem.dataset().clone(), network);
            (other, "the rule is not feedback alignment, direct or not")
        };
        Case::to(other, 20.0).expect(id, Outcome::NotApplicable, rule);
        if !id.starts_with("rate-") {
            let (other, which) = match id {
                "prop-1" | "thm-1" | "gd-fc" => (
                    Network::convolutional(8, 2),
                    "the network is not fully connected linear",
                ),
                _ => (
                    fully_connected(&data(), &[8]),
                    "the network is neither convolutional nor diagonal linear",
                ),
            };
            let make = if id.starts_with("gd-") {
                descent(data(), other)
            } else {
                direct(data(), other, 7)
            };
            Case::to(make, 20.0).expect(id, Outcome::NotApplicable, which);
        }
        if !id.starts_with("prop-2") {
            let without_limit = Case {
                limit: None,
                ..case.clone()
            };
            without_limit.expect(id, Outcome::NotApplicable, "not separable");
        }
    }
}

/// Inputs on which verdicts were wrong.
mod cases;

/// Several outputs.
mod classes;

mod prop_1;

mod prop_2;

/// Theorem 1 (DFA) and its counterpart for gradient descent.
mod directional_limit;

/// Theorem 2 as printed and as corrected.
mod theorem_1_bounds;
mod theorem_2;

/// Theorem 2 without assumptions.
mod theorem_2_unconditional;

/// What fixed feedback never lowers on two-layer networks.
mod dfa_margin;

/// Theorems 1, 2 and 3 for finite steps.
mod discrete;

/// Gradient descent on convolutional and diagonal networks.
mod gd_conv;

mod loss_decreases;

mod rate;
mod relu;

/// Theorem 3 on linear networks.
mod theorem_3;

/// The same for convolutional and diagonal networks.
mod spectral_rate;

/// Theorem 2 on many data sets, far out.
mod far_horizons;
