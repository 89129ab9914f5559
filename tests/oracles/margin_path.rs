//! The map of `scenarios/scale-atlas.toml` beside the path of margins, which is computed without a flow.
//!
//! Gradient descent on a diagonal network of two layers is solved by `Z = Gᵀ∫α dt`: w₁ ± w₂ grow like e^{±Z}, so that
//!
//! ```text
//! β(Z) = ¼ (a² e^{2Z} − b² e^{−2Z}),   a = w₁(0) + w₂(0),  b = w₁(0) − w₂(0),
//! ```
//!
//! the gradient of ψ*(Z) = Σ_d (a_d² e^{2Z_d} + b_d² e^{−2Z_d})/8. The flow is mirror descent in the potential ψ. The
//! path has the minimisers of ψ subject to margins of at least γ: β(Gᵀλ) for the λ ≥ 0 that minimises ψ*(Gᵀλ) − γ 1ᵀλ.
//!
//! What a flow has accumulated, ∫α dt, never decreases. As long as no λ_n of the path does either, the flow follows it:
//! margins of support vectors differ by numbers of order one along the flow and are equal on the path, so that
//! directions agree to about 1/γ, and so do the borders between kernel and rich. From the first λ_n on that decreases
//! (at ratios γ/scale² of some units on these data, and on every plateau of a small start) the path is another one.

use marginflow::control::Control;
use marginflow::limit::angle;
use marginflow::run::{Run, RunOptions, run};
use marginflow::scenario;
use nalgebra::{DMatrix, DVector};
use std::path::Path;

/// Margins from which the flow must be on the path, to [`CLOSE`].
const FAR: f64 = 1e4;
const CLOSE: f64 = 1e-3;

/// The border between kernel and rich: where the angle to the limit is this share of that of the kernel.
const BORDER: f64 = 0.95;

/// The potential of a start.
struct Potential {
    /// a², b²
    squares: [DVector<f64>; 2],
    /// G, N × D.
    g: DMatrix<f64>,
}

impl Potential {
    fn of(run: &Run) -> Self {
        let weights = run
            .problem
            .network()
            .weights(run.problem.theta0().as_slice());
        let [w1, w2] = [0, 1].map(|l| DVector::from_column_slice(weights[l].as_slice()));
        let square = |w: DVector<f64>| w.component_mul(&w);
        Self {
            squares: [square(&w1 + &w2), square(&w1 - &w2)],
            g: run.problem.dataset().signed_samples().clone(),
        }
    }

    /// Both terms of ψ*, entry by entry: (a² e^{2Z}, b² e^{−2Z})/4.
    fn terms(&self, lambda: &DVector<f64>) -> [DVector<f64>; 2] {
        let z = self.g.tr_mul(lambda);
        [1.0, -1.0].map(|sign| {
            let square = &self.squares[usize::from(sign < 0.0)];
            square.zip_map(&z, |square, z| square * (2.0 * sign * z).exp() / 4.0)
        })
    }

    fn beta(&self, lambda: &DVector<f64>) -> DVector<f64> {
        let [up, down] = self.terms(lambda);
        up - down
    }

    /// Newton's method, with backtracking, for the λ on these samples alone whose margins are γ there: the minimiser of
    /// a convex function without constraints.
    fn with_support(&self, gamma: f64, support: &[usize], from: &DVector<f64>) -> DVector<f64> {
        let value = |lambda: &DVector<f64>| {
            let [up, down] = self.terms(lambda);
            (up.sum() + down.sum()) / 2.0 - gamma * lambda.sum()
        };
        let mut lambda = DVector::zeros(from.len());
        for n in support {
            lambda[*n] = from[*n];
        }
        let rows = self.g.select_rows(support);
        for _ in 0..200 {
            let [up, down] = self.terms(&lambda);
            let slope = (&rows * (&up - &down)).add_scalar(-gamma);
            if slope.amax() < 1e-11 * gamma {
                break;
            }
            let hessian = &rows * DMatrix::from_diagonal(&((&up + &down) * 2.0)) * rows.transpose();
            let Some(step) = hessian.lu().solve(&slope) else {
                break;
            };
            let moved = |share: f64| {
                let mut next = lambda.clone();
                for (k, n) in support.iter().enumerate() {
                    next[*n] -= share * step[k];
                }
                next
            };
            let (now, mut share) = (value(&lambda), 1.0);
            while share > 1e-9 && !(value(&moved(share)) <= now + 1e-12 * now.abs()) {
                share /= 2.0;
            }
            lambda = moved(share);
        }
        lambda
    }

    /// The minimiser at margin γ: of all sets of samples, the one whose λ is not negative and whose other margins are
    /// not below γ. The problem is convex, so there is one.
    fn on_the_path(&self, gamma: f64, lambda: &mut DVector<f64>) -> DVector<f64> {
        let samples = self.g.nrows();
        for set in 1..1_usize << samples {
            let support: Vec<usize> = (0..samples).filter(|n| set >> n & 1 == 1).collect();
            let found = self.with_support(gamma, &support, lambda);
            let beta = self.beta(&found);
            let margins = &self.g * &beta;
            if found.min() >= 0.0 && margins.min() >= gamma * (1.0 - 1e-8) {
                *lambda = found;
                return beta;
            }
        }
        panic!("no set of support vectors at margin {gamma}");
    }
}

/// The margin at which a falling angle comes to a level, interpolated in logarithms; none if it begins below.
fn reached(margins: &[f64], angles: &[f64], level: f64) -> Option<f64> {
    let after = angles.iter().position(|angle| *angle <= level)?;
    let before = after.checked_sub(1)?;
    let share = (level / angles[before]).ln() / (angles[after] / angles[before]).ln();
    let (low, high) = (margins[before].ln(), margins[after].ln());
    Some((low + share * (high - low)).exp())
}

#[test]
fn the_flows_of_the_atlas_follow_the_path_of_margins() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/scale-atlas.toml");
    let (mut worst, mut boundary, mut borders, mut compared) = (0.0_f64, 0.0_f64, 0, 0);
    for scale in ["100.0", "300.0", "1000.0"] {
        for seed in 1..=3 {
            let changes = [
                format!("initial.gaussian.scale={scale}"),
                format!("initial.gaussian.seed={seed}"),
                format!("dataset.gaussian-teacher.seed={seed}"),
                "flow.until.log-log-time=16.0".to_owned(),
            ];
            let scenario = scenario::load(&path, &changes).unwrap();
            let run = run(scenario, RunOptions::default(), &Control::none()).unwrap();
            let (potential, limit) = (Potential::of(&run), run.limit.as_ref().unwrap());
            let d = &run.diagnostics;
            let mut lambda = DVector::zeros(potential.g.nrows());
            let (mut margins, mut flow, mut on_path) = (Vec::new(), Vec::new(), Vec::new());
            let (mut last, mut most) = (0.0, lambda.clone());
            let positive = (0..d.min_margin.len()).filter(|k| d.min_margin[*k] >= 1.0);
            for k in positive.step_by(3) {
                let beta = potential.on_the_path(d.min_margin[k], &mut lambda);
                // what a flow has accumulated never decreases
                if (0..lambda.len()).any(|n| lambda[n] < 0.999 * most[n]) {
                    break;
                }
                most = lambda.clone();
                if d.min_margin[k] < FAR {
                    continue;
                }
                last = angle(beta.as_slice(), d.beta.column(k).into_owned().as_slice());
                worst = worst.max(last);
                compared += 1;
                margins.push(d.min_margin[k]);
                flow.push(angle(
                    d.beta.column(k).into_owned().as_slice(),
                    limit.beta.as_slice(),
                ));
                on_path.push(angle(beta.as_slice(), limit.beta.as_slice()));
            }
            let saves = margins.len();
            println!(
                "scale {scale}, seed {seed}: {saves} saves, {last:.1e} from the path at the last"
            );
            let level = BORDER * on_path.first().copied().unwrap_or(0.0);
            let reached = |angles: &[f64]| reached(&margins, angles, level);
            if let (Some(of_flow), Some(of_path)) = (reached(&flow), reached(&on_path)) {
                boundary = boundary.max((of_flow / of_path - 1.0).abs());
                borders += 1;
            }
        }
    }
    println!("largest angle to the path {worst:.1e}; {borders} boundaries, {boundary:.1e} apart");
    assert!(worst <= CLOSE && compared >= 50, "{worst} {compared}");
    assert!(borders >= 3 && boundary <= CLOSE, "{borders} {boundary}");
}
