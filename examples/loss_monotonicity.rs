//! Does the loss ever rise? Searches random problems for flows along which it does.
//!
//! ```text
//! cargo run --release --example loss_monotonicity [PROBLEMS PER ROW, default 250]
//! ```
//!
//! A problem is drawn from its row's family and its seed alone, so that every line of the table can be run again. Each
//! is integrated from s = 0 to 6 (t = exp(402)) with 1201 saves, and at every save the exact rate `d ln 𝓛/d ln(1+t)`
//! is taken from the vector field ([`loss_rate`]); a problem counts as one with a rise where a rate is above
//! [`CERTAIN`]. The rise itself, in ln 𝓛, is the largest increase from one save to a later one: a lower bound. A rise
//! shorter than the distance of two saves can be missed. The cosine is the least one between β' and z = −∂𝓛/∂β
//! where the rate exceeds [`CERTAIN`] in size: how nearly (above zero) or how badly (below) the loss rose.
//!
//! Families of data, labels included:
//!
//! - *teacher*: Gaussian samples with the labels of a Gaussian teacher, D = 3…8, N = 2…8;
//! - *graded*: the same with every sample scaled by `e^{1.5 ξ}`, ξ standard normal, so that samples are learned one
//!   after another and Ẑ turns;
//! - *rivals*: two samples of opposite label, D = 3…8, `x_2 = ρ x_1 + ε`, ρ between 2 and 10, ε a few per cent of
//!   `ρ x_1`: their pulls nearly cancel, Ẑ creeps sideways and comes back, and phases grow large.
//!
//! What is proved (docs/loss-monotonicity.md) is named beside the rows it concerns: a rise there would be a bug.

use marginflow::dataset::{Dataset, gaussian_teacher, standard_normals};
use marginflow::diagnostics::loss_rate;
use marginflow::flow::{FlowOptions, SaveAt, integrate};
use marginflow::loss::Loss;
use marginflow::network::Network;
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rates of rise above this are no rounding: on the way down the rate is about −1, known to the run's tolerance.
const CERTAIN: f64 = 1e-4;

#[derive(Debug, Clone, Copy)]
enum Data {
    Teacher,
    Graded,
    Rivals,
}

#[derive(Debug, Clone, Copy)]
enum Architecture {
    Convolutional,
    Diagonal,
}

/// A row of the table.
struct Family {
    architecture: Architecture,
    depth: usize,
    data: Data,
    /// Standard deviation of the initial weights.
    scale: f64,
    /// Why no loss of this family can rise, where there is a proof.
    proof: Option<&'static str>,
}

/// What one problem showed.
struct Finding {
    seed: u64,
    /// Largest `d ln 𝓛/d ln(1+t)`.
    rate: f64,
    /// Least cosine between β' and z.
    cosine: f64,
    /// Largest increase of ln 𝓛 from one save to a later one.
    rise: f64,
}

impl Data {
    fn draw(self, seed: u64) -> Dataset {
        let dimension = 3 + (seed % 6) as usize;
        let samples = 2 + (seed / 6 % 7) as usize;
        let mut normals = standard_normals("loss-monotonicity data", seed);
        match self {
            Self::Teacher => gaussian_teacher(dimension, samples, seed),
            Self::Graded => {
                let teacher = gaussian_teacher(dimension, samples, seed);
                let mut x = teacher.samples().clone();
                for (mut row, xi) in x.row_iter_mut().zip(normals) {
                    row *= (1.5 * xi).exp();
                }
                Dataset::new(x, teacher.labels().clone())
            }
            Self::Rivals => {
                let first = DVector::from_iterator(dimension, normals.by_ref().take(dimension));
                let spread = DVector::from_iterator(dimension, normals.by_ref().take(dimension));
                let [a, b] = [0, 1].map(|_| normals.next().unwrap_or_default());
                let factor = 2.0 * 5f64.powf(1.0 / (1.0 + (1.6 * a).exp()));
                let distance = 0.04 * b.exp() * factor * first.norm() / spread.norm();
                let second = &first * factor + spread * distance;
                let x = DMatrix::from_rows(&[first.transpose(), second.transpose()]);
                Dataset::new(x, DVector::from_vec(vec![1.0, -1.0]))
            }
        }
    }
}

impl Family {
    fn problem(&self, seed: u64) -> Problem {
        let dataset = self.data.draw(seed);
        let dimension = dataset.dimension();
        let network = match self.architecture {
            Architecture::Convolutional => Network::convolutional(dimension, self.depth),
            Architecture::Diagonal => Network::diagonal(dimension, self.depth),
        };
        let vectors = |purpose: &str, count: usize, scale: f64| -> Vec<DVector<f64>> {
            let mut normals = standard_normals(purpose, seed).map(|x| scale * x);
            (0..count)
                .map(|_| DVector::from_iterator(dimension, normals.by_ref().take(dimension)))
                .collect()
        };
        let weights = vectors("initial", self.depth, self.scale);
        let weights = DVector::from_iterator(
            self.depth * dimension,
            weights.iter().flat_map(|w| w.iter().copied()),
        );
        Problem::new(
            dataset,
            network.clone(),
            Rule::direct_feedback_alignment(vectors("feedback", self.depth - 1, 1.0)),
            Loss::Exponential,
            network.theta(weights),
        )
        .unwrap()
    }

    /// Integrates one problem; `None` where the run did not complete.
    fn examine(&self, seed: u64) -> Option<Finding> {
        let problem = self.problem(seed);
        let options = FlowOptions {
            saves: SaveAt::Uniform(1201),
            ..FlowOptions::to(6.0)
        };
        let run = integrate(&problem, &options, &mut |_| {}).ok()?;
        if run.status != Status::Completed {
            return None;
        }
        let rates = loss_rate(&problem, &run);
        let (mut lowest, mut rise) = (f64::INFINITY, 0.0_f64);
        for theta in run.theta.column_iter() {
            let margins = problem
                .network()
                .margins(theta.as_slice(), problem.dataset());
            let log_loss = problem.loss().log_loss(margins.iter().copied());
            lowest = lowest.min(log_loss);
            rise = rise.max(log_loss - lowest);
        }
        Some(Finding {
            seed,
            rate: rates.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            cosine: least_cosine(&problem, &run, &rates),
            rise,
        })
    }

    /// All problems of the row, on two threads.
    fn search(&self, problems: u64) -> Vec<Finding> {
        let next = AtomicU64::new(1);
        let work = || {
            std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)))
                .take_while(|seed| *seed <= problems)
                .filter_map(|seed| self.examine(seed))
                .collect::<Vec<Finding>>()
        };
        std::thread::scope(|scope| {
            let workers = [scope.spawn(work), scope.spawn(work)];
            let mut findings: Vec<Finding> = workers
                .into_iter()
                .flat_map(|worker| worker.join().expect("a worker panicked"))
                .collect();
            findings.sort_by_key(|f| f.seed);
            findings
        })
    }
}

/// The least cosine between β' and z over the saves of a run at which the loss moves at all.
fn least_cosine(problem: &Problem, run: &Trajectory, rates: &[f64]) -> f64 {
    let kernel = problem.kernel();
    let g = problem.dataset().signed_samples();
    let mut velocity = vec![0.0; kernel.parameters()];
    let mut margin_rates = vec![0.0; kernel.samples()];
    let mut least = 1.0_f64;
    for k in (0..run.len()).filter(|k| rates[*k].abs() > CERTAIN) {
        let theta = run.theta.column(k);
        let p = run.log_multipliers.column(k);
        let largest = p.max();
        let multipliers = p.map(|p| (p - largest).exp());
        kernel.velocity(
            theta.as_slice(),
            multipliers.as_slice(),
            &mut velocity,
            &mut margin_rates,
        );
        let fall: f64 = multipliers
            .iter()
            .zip(&margin_rates)
            .map(|(a, m)| a * m)
            .sum();
        let beta_rate = predictor_rate(problem, theta.as_slice(), &velocity);
        least = least.min(fall / (g.tr_mul(&multipliers).norm() * beta_rate.norm()));
    }
    least
}

/// The transform of β', each pair of frequencies entered as √2 times its entry so that norms are those of β':
/// `β̂' = Σ_l ŵ_l' ∏_{j≠l} ŵ_j`.
fn predictor_rate(problem: &Problem, theta: &[f64], velocity: &[f64]) -> DVector<f64> {
    let network = problem.network().spectrum().expect("no other is searched");
    let (w, w_dot) = (network.transforms(theta), network.transforms(velocity));
    let entries = network.frequencies().into_iter().enumerate().map(|(d, f)| {
        let rate: Complex64 = (0..w.ncols())
            .map(|l| {
                let others = (0..w.ncols()).filter(|j| *j != l);
                w_dot[(d, l)] * others.map(|j| w[(d, j)]).product::<Complex64>()
            })
            .sum();
        rate.norm() * (f.multiplicity() as f64).sqrt()
    });
    DVector::from_vec(entries.collect())
}

/// Depths, architectures and initial weights, over every family of data.
fn families() -> Vec<Family> {
    use Architecture::{Convolutional, Diagonal};
    let mut families = Vec::new();
    for (architecture, depth, scale, proof) in [
        (Convolutional, 2, 0.0, Some("L = 2")),
        (Convolutional, 3, 0.0, None),
        (Convolutional, 4, 0.0, None),
        (Diagonal, 4, 0.0, Some("real")),
        (Convolutional, 3, 0.3, None),
        (Diagonal, 3, 0.3, None),
    ] {
        for data in [Data::Teacher, Data::Graded, Data::Rivals] {
            families.push(Family {
                architecture,
                depth,
                data,
                scale,
                proof,
            });
        }
    }
    families
}

fn main() {
    let problems = std::env::args().nth(1).map_or(Ok(250), |n| n.parse());
    let Ok(problems) = problems else {
        eprintln!("usage: loss_monotonicity [PROBLEMS PER ROW]");
        std::process::exit(2);
    };
    println!(
        "{:<14}{:>2} {:<8}{:>5}{:>6}{:>7}{:>11}{:>11}{:>7}{:>11}{:>7}  proof",
        "network", "L", "data", "init", "runs", "rises", "rate", "cosine", "seed", "rise", "seed"
    );
    for family in families() {
        let findings = family.search(problems);
        let steepest = findings.iter().max_by(|a, b| a.rate.total_cmp(&b.rate));
        let highest = findings.iter().max_by(|a, b| a.rise.total_cmp(&b.rise));
        let worst = findings.iter().min_by(|a, b| a.cosine.total_cmp(&b.cosine));
        let (Some(steepest), Some(worst), Some(highest)) = (steepest, worst, highest) else {
            println!("{:?}: no run completed", family.architecture);
            continue;
        };
        println!(
            "{:<14}{:>2} {:<8}{:>5}{:>6}{:>7}{:>11.2e}{:>11.4}{:>7}{:>11.2e}{:>7}  {}",
            format!("{:?}", family.architecture).to_lowercase(),
            family.depth,
            format!("{:?}", family.data).to_lowercase(),
            family.scale,
            findings.len(),
            findings.iter().filter(|f| f.rate > CERTAIN).count(),
            steepest.rate,
            worst.cosine,
            worst.seed,
            highest.rise,
            highest.seed,
            family.proof.unwrap_or_default()
        );
    }
    println!(
        "\nrises: runs whose largest rate d ln L/d ln(1+t) exceeds {CERTAIN:e}; rate: the largest, of \
         any run;\ncosine: the least between beta' and z, and its seed; rise: the largest increase of ln L, and its \
         seed"
    );
}
