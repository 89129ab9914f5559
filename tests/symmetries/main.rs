//! Symmetries of learning flows, on small random problems: what a problem is turned into, the end of its flow is turned
//! into.
//!
//! Each property builds a problem and its image under a symmetry, integrates both, and holds the weights at the end
//! against each other, layer by layer. The flow has the symmetry exactly, the integrator only up to its tolerance: sums
//! run in another order, errors are measured in other coordinates, so the two runs take other steps. A run is within
//! rtol of its flow (see [`FlowOptions::rtol`]), and so the two ends are within rtol of each other, [`BOUND`] (seen in
//! fifteen hundred: 6e-2 rtol). [`the_comparison_sees_broken_symmetries`] shows that a difference would be seen.
//!
//! Longer runs of a few problems with some of these symmetries are in `tests/oracles`.

mod random;

use marginflow::dataset::Dataset;
use marginflow::flow::{FlowOptions, SaveAt, integrate};
use marginflow::network::Signals;
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::spectrum::Basis;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use random::{Draw, draws, order, permutation, rotation};

type Weights = Vec<DMatrix<f64>>;

/// Relative tolerance of all runs here.
const RTOL: f64 = 1e-6;
/// Largest difference of two runs, in units of rtol, relative to the weights of each layer.
const BOUND: f64 = 1.0;
/// Steps after which a flow is given up, and another one drawn: most take some hundred.
const MOST_STEPS: usize = 2000;

fn run(problem: &Problem, until: f64, max_steps: usize) -> Trajectory {
    let options = FlowOptions {
        rtol: RTOL,
        atol: RTOL / 100.0,
        saves: SaveAt::Uniform(2),
        max_steps,
        ..FlowOptions::to(until)
    };
    integrate(problem, &options, &mut |_| {}).expect("the flow starts")
}

fn last_weights(problem: &Problem, run: &Trajectory) -> Weights {
    let theta = run.theta.column(run.len() - 1);
    problem.network().weights(theta.as_slice())
}

/// The problem with other weights to start from.
fn started_from(problem: &Problem, weights: &[DMatrix<f64>]) -> Problem {
    let flat: Vec<f64> = weights.iter().flatten().copied().collect();
    problem
        .clone()
        .with_start(problem.network().theta(DVector::from_vec(flat)))
        .unwrap()
}

/// Largest relative difference of a layer at the end: the flow of `image`, started from the image of the weights,
/// against the image of the end of the flow of `problem`. `None` where that flow ends early (at exact kinks without a
/// way on; where some network cannot learn to separate the data).
fn difference(
    problem: &Problem,
    until: f64,
    image: &Problem,
    image_until: f64,
    on_weights: impl Fn(&[DMatrix<f64>]) -> Weights,
) -> Option<f64> {
    let start = problem.network().weights(problem.theta0().as_slice());
    let image = started_from(image, &on_weights(&start));
    let flow = run(problem, until, MOST_STEPS);
    if flow.status != Status::Completed {
        return None;
    }
    let image_flow = run(&image, image_until, 2 * MOST_STEPS);
    // which gates are found first at exact kinks of deep networks depends on the order of units and samples, and so
    // does whether the flow gets on (docs/design.md, section 10)
    if problem.network().units().is_some() && image_flow.status != Status::Completed {
        return None;
    }
    assert_eq!(
        image_flow.status,
        Status::Completed,
        "{:?}",
        image_flow.message
    );
    let expected = on_weights(&last_weights(problem, &flow));
    let found = last_weights(&image, &image_flow);
    let layers = expected.iter().zip(&found);
    let apart = layers.map(|(expected, found)| (found - expected).norm() / expected.norm());
    // NaN is larger than all.
    apart.max_by(f64::total_cmp)
}

/// `difference` at the same horizon, which must be within the bound.
fn assert_symmetric(
    draw: &Draw,
    problem: &Problem,
    image: &Problem,
    on_weights: impl Fn(&[DMatrix<f64>]) -> Weights,
) -> Result<(), TestCaseError> {
    let apart = difference(problem, draw.until, image, draw.until, on_weights);
    assert_within(problem, apart)
}

fn assert_within(problem: &Problem, difference: Option<f64>) -> Result<(), TestCaseError> {
    let name = format!("{} under {}", problem.network().key(), problem.rule().key());
    // Drawn again: a flow that ends early says nothing.
    let difference = difference.ok_or_else(|| TestCaseError::reject("the flow ends early"))?;
    println!("{name}: {:.1e} rtol", difference / RTOL);
    prop_assert!(difference <= BOUND * RTOL, "{}: {:e}", name, difference);
    Ok(())
}

fn unchanged(weights: &[DMatrix<f64>]) -> Weights {
    weights.to_vec()
}

/// Samples in another order.
fn reordered(data: &Dataset, order: &[usize]) -> Dataset {
    Dataset::new(
        data.samples().select_rows(order),
        data.labels().select_rows(order),
    )
}

/// Every second `(x, y)` as `(−x, −y)`.
fn flipped(data: &Dataset) -> Dataset {
    let sign = |n: usize| if n.is_multiple_of(2) { -1.0 } else { 1.0 };
    let samples = DMatrix::from_fn(data.len(), data.dimension(), |n, d| {
        sign(n) * data.samples()[(n, d)]
    });
    let labels = DVector::from_fn(data.len(), |n, _| sign(n) * data.labels()[n]);
    Dataset::new(samples, labels)
}

/// Every sample x as Q x.
fn mapped(data: &Dataset, q: &DMatrix<f64>) -> Dataset {
    Dataset::new(data.samples() * q.transpose(), data.labels().clone())
}

/// Each fixed matrix `F_l` and vector `b_l` (l from 1) mapped.
fn with_feedback(
    rule: &Rule,
    matrix: impl Fn(usize, &DMatrix<f64>) -> DMatrix<f64>,
    vector: impl Fn(usize, &DVector<f64>) -> DVector<f64>,
) -> Rule {
    match rule.signals() {
        Signals::Backward => Rule::gradient_descent(),
        Signals::Layerwise(f) => {
            Rule::feedback_alignment((1..).zip(f).map(|(l, f)| matrix(l, f)).collect())
        }
        Signals::Direct(b) => {
            let columns = b.iter().map(|b| b.column(0).into_owned());
            Rule::direct_feedback_alignment(
                (1..).zip(columns).map(|(l, b)| vector(l, &b)).collect(),
            )
        }
    }
}

/// Hidden units in other coordinates: `h_l → R_l h_l`, so `w_l → R_{l−1} w_l R_lᵀ` with `R_0 = 1`, `R_L = 1`; error
/// signals likewise, `b_l → R_l b_l`, `F_l → R_l F_l R_{l+1}ᵀ`. Permutations are symmetries of all fully connected
/// networks, all orthogonal matrices of linear ones.
struct HiddenUnits(Vec<DMatrix<f64>>);

impl HiddenUnits {
    fn new(problem: &Problem, of_layer: impl Fn(usize, u64) -> DMatrix<f64>, seed: u64) -> Self {
        let units = problem.network().shapes().iter().map(|shape| shape.1);
        let depth = problem.network().depth();
        let hidden = units
            .take(depth - 1)
            .zip(seed..)
            .map(|(n, seed)| of_layer(n, seed));
        let d = problem.dataset().dimension();
        let ends = (DMatrix::identity(d, d), DMatrix::identity(1, 1));
        Self([ends.0].into_iter().chain(hidden).chain([ends.1]).collect())
    }

    fn weights(&self, weights: &[DMatrix<f64>]) -> Weights {
        let layers = weights.iter().zip(self.0.windows(2));
        layers.map(|(w, r)| &r[0] * w * r[1].transpose()).collect()
    }

    fn rule(&self, rule: &Rule) -> Rule {
        with_feedback(
            rule,
            |l, f| &self.0[l] * f * self.0[l + 1].transpose(),
            |l, b| &self.0[l] * b,
        )
    }
}

/// What moves with the inputs of a network whose layers commute with permuting them: of a convolutional network, under
/// cyclic shifts, the output weights and all error signals; of a diagonal one, under any permutation, everything.
fn features_moved(
    problem: &Problem,
    p: &DMatrix<f64>,
) -> (Problem, impl Fn(&[DMatrix<f64>]) -> Weights + use<>) {
    let depth = problem.network().depth();
    let all = problem.network().key() == "diagonal-linear";
    let moves = move |l: usize| all || l == depth;
    let image = problem
        .clone()
        .with_dataset(mapped(problem.dataset(), p))
        .unwrap()
        .with_rule(with_feedback(
            problem.rule(),
            |l, f| if moves(l + 1) { p * f } else { f.clone() },
            |_, b| p * b,
        ))
        .unwrap();
    let p = p.clone();
    let on_weights = move |w: &[DMatrix<f64>]| -> Weights {
        (1..)
            .zip(w)
            .map(|(l, w)| if moves(l) { &p * w } else { w.clone() })
            .collect()
    };
    (image, on_weights)
}

/// The cyclic shift `x(j) → x(j + by)`.
fn shift(n: usize, by: usize) -> DMatrix<f64> {
    DMatrix::from_fn(n, n, |i, j| if (i + by) % n == j { 1.0 } else { 0.0 })
}

/// Scaling the feedback is a change of time. With `b_l → λ_l b_l` (l < L), `w_l → a_l w_l` and `t → σt`, the equations
/// `w_l' = (w_1⋯w_{l−1})ᵀ z b_lᵀ`, `w_L' = (w_1⋯w_{L−1})ᵀ z` stay what they are and margins keep their values if
/// `a_l = σ λ_l a_1⋯a_{l−1}`, `a_L = σ a_1⋯a_{L−1}` and `a_1⋯a_L = 1`, which is to say
///
/// `σ^{−(2^L−1)/2} = ∏_{l<L} λ_l^{2^{L−1−l}}`.
///
/// Gates of ReLU networks do not see positive factors. Under feedback alignment `λ_l` is the product of what `F_l …
/// F_{L−1}` are multiplied by.
struct FeedbackScales {
    /// `λ_1 … λ_{L−1}`, then 1.
    lambda: Vec<f64>,
    sigma: f64,
}

impl FeedbackScales {
    fn new(mut lambda: Vec<f64>) -> Self {
        let depth = lambda.len() as i32 + 1;
        let powers = (1..)
            .zip(&lambda)
            .map(|(l, lambda)| lambda.powi(1 << (depth - 1 - l)));
        let exponent = -2.0 / f64::from((1 << depth) - 1);
        let sigma = powers.product::<f64>().powf(exponent);
        lambda.push(1.0);
        Self { lambda, sigma }
    }

    fn weights(&self, weights: &[DMatrix<f64>]) -> Weights {
        let mut product = 1.0;
        let mut scaled = |(w, lambda): (&DMatrix<f64>, &f64)| {
            let a = self.sigma * lambda * product;
            product *= a;
            w * a
        };
        weights.iter().zip(&self.lambda).map(&mut scaled).collect()
    }

    fn rule(&self, rule: &Rule) -> Rule {
        with_feedback(
            rule,
            |l, f| f * (self.lambda[l - 1] / self.lambda[l]),
            |l, b| b * self.lambda[l - 1],
        )
    }

    /// `ln(1 + ln(1 + σt))` of s = ln(1 + ln(1 + t)).
    fn log_log_time(&self, s: f64) -> f64 {
        let tau = s.exp_m1();
        // 1 + σ(e^τ − 1) = e^τ (σ + (1 − σ) e^{−τ})
        (tau + (self.sigma + (1.0 - self.sigma) * (-tau).exp()).ln()).ln_1p()
    }
}

/// The same problems in every run; `PROPTEST_RNG_SEED` asks for others.
fn config(cases: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        rng_seed: match usual.rng_seed {
            RngSeed::Random => RngSeed::Fixed(9),
            asked_for => asked_for,
        },
        cases,
        failure_persistence: None,
        max_shrink_iters: 100,
        ..usual
    }
}

proptest! {
    #![proptest_config(config(8))]

    #[test]
    fn the_order_of_the_samples_does_not_matter(draw in draws()) {
        for problem in draw.all() {
            let order = order(problem.dataset().len(), draw.seed);
            let dataset = reordered(problem.dataset(), &order);
            let image = problem.clone().with_dataset(dataset).unwrap();
            assert_symmetric(&draw, &problem, &image, unchanged)?;
        }
    }

    /// `(x, y)` and `(−x, −y)` have the same signed sample, which is all a linear network sees: not a bit may differ.
    #[test]
    fn linear_networks_cannot_tell_a_sample_from_its_mirror_image(draw in draws()) {
        for problem in &draw.all()[..3] {
            let image = problem.clone().with_dataset(flipped(problem.dataset())).unwrap();
            let [a, b] = [problem, &image].map(|p| run(p, draw.until, MOST_STEPS));
            prop_assert_eq!(a.theta, b.theta);
            prop_assert_eq!(a.log_multipliers, b.log_multipliers);
        }
    }

    /// x → Qx with `w_1 → Q w_1`: nothing behind the first layer changes, nor does the feedback.
    #[test]
    fn rotated_data_rotate_the_first_layer(draw in draws()) {
        for problem in [draw.fully_connected(), draw.relu()] {
            let q = rotation(problem.dataset().dimension(), draw.seed);
            let image = problem.clone().with_dataset(mapped(problem.dataset(), &q)).unwrap();
            assert_symmetric(&draw, &problem, &image, |w| {
                let mut w = w.to_vec();
                w[0] = &q * &w[0];
                w
            })?;
        }
    }

    #[test]
    fn convolutional_networks_commute_with_cyclic_shifts(draw in draws(), by in 1..5_usize) {
        let problem = draw.convolutional();
        let (image, on_weights) = features_moved(&problem, &shift(problem.dataset().dimension(), by));
        assert_symmetric(&draw, &problem, &image, on_weights)?;
    }

    #[test]
    fn diagonal_networks_do_not_know_the_order_of_their_features(draw in draws()) {
        let problem = draw.diagonal();
        let p = permutation(problem.dataset().dimension(), draw.seed);
        let (image, on_weights) = features_moved(&problem, &p);
        assert_symmetric(&draw, &problem, &image, on_weights)?;
    }

    #[test]
    fn hidden_units_have_no_order(draw in draws()) {
        for problem in [draw.fully_connected(), draw.relu()] {
            let units = HiddenUnits::new(&problem, permutation, draw.seed);
            let image = problem.clone().with_rule(units.rule(problem.rule())).unwrap();
            assert_symmetric(&draw, &problem, &image, |w| units.weights(w))?;
        }
    }

    #[test]
    fn hidden_layers_of_linear_networks_have_no_axes(draw in draws()) {
        let problem = draw.fully_connected();
        let units = HiddenUnits::new(&problem, rotation, draw.seed);
        let image = problem.clone().with_rule(units.rule(problem.rule())).unwrap();
        assert_symmetric(&draw, &problem, &image, |w| units.weights(w))?;
    }

    #[test]
    fn scaled_feedback_is_another_clock(draw in draws(), factors in prop::collection::vec(0.5..2.0_f64, 2)) {
        let problems = draw.all();
        prop_assume!(problems.iter().all(|p| p.rule().signals() != Signals::Backward));
        for problem in &problems {
            let scales = FeedbackScales::new(factors[..problem.network().depth() - 1].to_vec());
            let image = problem.clone().with_rule(scales.rule(problem.rule())).unwrap();
            let until = scales.log_log_time(draw.until);
            let apart = difference(problem, draw.until, &image, until, |w| scales.weights(w));
            assert_within(problem, apart)?;
        }
    }

    /// `b_l = F_l ⋯ F_{L−1}`: matrix products; circular correlations `D^{−1/2} Σ_k f(k) b(j − k)`, the transpose of a
    /// layer; products of entries.
    #[test]
    fn feedback_alignment_is_direct_with_products_on_linear_networks(draw in draws()) {
        let draw = draw.under("feedback-alignment");
        for problem in &draw.all()[..3] {
            let Signals::Layerwise(f) = problem.rule().signals() else { panic!("{:?}", problem.rule()) };
            let mut signal = f[f.len() - 1].column(0).into_owned();
            let mut signals = vec![signal.clone()];
            for f in f.iter().rev().skip(1) {
                signal = match problem.network().signal_basis() {
                    Basis::Fourier => {
                        let d = signal.len();
                        DVector::from_fn(d, |j, _| {
                            let sum: f64 = (0..d).map(|k| f[k] * signal[(j + d - k) % d]).sum();
                            sum / (d as f64).sqrt()
                        })
                    }
                    Basis::Standard if problem.network().key() == "diagonal-linear" => {
                        f.column(0).component_mul(&signal)
                    }
                    _ => f * signal,
                };
                signals.push(signal.clone());
            }
            signals.reverse();
            let image = problem.clone().with_rule(Rule::direct_feedback_alignment(signals)).unwrap();
            assert_symmetric(&draw, problem, &image, unchanged)?;
        }
    }
}

/// The properties above on one problem each, with something left as it was that should have been turned along: the ends
/// are hundreds of times further apart than the bound.
#[test]
fn the_comparison_sees_broken_symmetries() {
    let draw = Draw::example();
    let (linear, circular) = (draw.fully_connected(), draw.convolutional());
    let apart = |problem: &Problem, image: &Problem, on: &dyn Fn(&[DMatrix<f64>]) -> Weights| {
        difference(problem, draw.until, image, draw.until, on).expect("both flows complete")
    };
    let units = HiddenUnits::new(&linear, permutation, draw.seed);
    let q = rotation(linear.dataset().dimension(), 1);
    let rotated = linear
        .clone()
        .with_dataset(mapped(linear.dataset(), &q))
        .unwrap();
    let (shifted, on_weights) =
        features_moved(&circular, &shift(circular.dataset().dimension(), 1));
    let shifted = shifted.with_rule(circular.rule().clone()).unwrap();
    let scales = FeedbackScales::new(vec![1.5; 2]);
    let scaled = linear
        .clone()
        .with_rule(scales.rule(linear.rule()))
        .unwrap();
    for (what, apart) in [
        ("weights as they were", apart(&linear, &rotated, &unchanged)),
        (
            "feedback as it was, units permuted",
            apart(&linear, &linear, &|w| units.weights(w)),
        ),
        (
            "feedback as it was, data shifted",
            apart(&circular, &shifted, &on_weights),
        ),
        (
            "time as it was",
            apart(&linear, &scaled, &|w| scales.weights(w)),
        ),
    ] {
        println!("{what}: {apart:.1e}");
        assert!(apart > 100.0 * BOUND * RTOL, "{what}: {apart:e}");
    }
}
