//! Whether what a certificate claims is true, in doubles and from definitions: solvers, logarithms and roots, nothing
//! of what the checkers do. To rounding, so it tells lies from truths that are not near the border.

use super::bases::doubles;
use marginflow::certify::check::{
    Classes, Direction, FeedbackMargin, KktPoint, LeastNorm, LeastNuclear, LeastSchatten,
    LossRises, Norm, Objective, Proof, Sandwich, Weights,
};
use marginflow::certify::{Certificate, Dyadic};
use marginflow::dataset::Dataset;
use marginflow::limit::{Potential, Separability, angle, max_margin, minimise};
use marginflow::loss::Loss;
use marginflow::network::Network;
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::spectrum::Basis;
use nalgebra::{DMatrix, DVector};
use std::f64::consts::PI;

/// Rounding of the solvers, relative.
const ROUNDING: f64 = 1e-7;

/// # Errors
/// What is not true.
pub fn is_true(certificate: &Certificate) -> Result<(), String> {
    let classes = certificate.data.classes.as_ref();
    let rows = rows_of(&certificate.data.signed_samples, classes);
    let feedback: Vec<DVector<f64>> = certificate
        .data
        .feedback
        .iter()
        .map(|b| vector(b))
        .collect();
    certificate
        .statements
        .iter()
        .try_for_each(|statement| match &statement.proof {
            Proof::LeastNorm(proof) => near(proof, &rows, &feedback, classes),
            Proof::NonSeparable(_) => match max_margin(&rows) {
                Separability::Separable(limit) if (&rows * &limit.beta).min() > 0.0 => {
                    Err("separable".into())
                }
                _ => Ok(()),
            },
            Proof::Separable(proof) => {
                let margins = &rows * vector(&proof.beta);
                within(-margins.min(), 0.0, 1e-12 * rows.amax(), "margin")
            }
            Proof::KktPoint(point) => kkt(point, &rows),
            Proof::Sandwich(proof) => sandwich(proof, &rows, &feedback),
            Proof::FeedbackMargin(proof) => risen(proof, &rows),
            Proof::Phases(_) => phases(&rows, &feedback),
            Proof::LeastSchatten(proof) => schatten(proof, &rows, outputs_of(classes)),
            Proof::LeastNuclear(proof) => nuclear(proof, &rows, outputs_of(classes)),
            Proof::LossRises(proof) => rises(proof, &rows, &feedback),
        })
}

/// `(e_c − e_k) ⊗ x` for every sample x of class c and every other class k, or the samples.
fn rows_of(samples: &[Vec<Dyadic>], classes: Option<&Classes>) -> DMatrix<f64> {
    let samples = doubles(samples);
    let Some(Classes { outputs, labels }) = classes else {
        return samples;
    };
    let d = samples.ncols();
    let pairs: Vec<(usize, usize)> = (0..labels.len())
        .flat_map(|n| (0..*outputs).map(move |k| (n, k)))
        .filter(|(n, k)| labels[*n] != *k)
        .collect();
    DMatrix::from_fn(pairs.len(), d * outputs, |row, at| {
        let (n, k) = pairs[row];
        let sign = f64::from(u8::from(at / d == labels[n])) - f64::from(u8::from(at / d == k));
        sign * samples[(n, at % d)]
    })
}

fn outputs_of(classes: Option<&Classes>) -> usize {
    classes.map_or(1, |classes| classes.outputs)
}

pub fn vector(list: &[Dyadic]) -> DVector<f64> {
    DVector::from_iterator(list.len(), list.iter().map(Dyadic::to_f64))
}

fn within(found: f64, bound: f64, rounding: f64, what: &str) -> Result<(), String> {
    if found <= bound + rounding {
        Ok(())
    } else {
        Err(format!("{what}: {found:e} is above {bound:e}"))
    }
}

fn potential(norm: Norm, dimension: usize, feedback: &[DVector<f64>]) -> Potential {
    let (basis, is_power) = match norm {
        Norm::Euclidean => return Potential::euclidean(dimension),
        Norm::EntriesPower => (Basis::Standard, true),
        Norm::FrequenciesPower => (Basis::Fourier, true),
        Norm::EntriesSum => (Basis::Standard, false),
        Norm::FrequenciesSum => (Basis::Fourier, false),
    };
    let frequencies = basis.frequencies(dimension);
    let mut weights = vec![1.0; frequencies.len()];
    let depth = feedback.len() + 1;
    let q = 2f64.powi(depth as i32);
    if !is_power {
        return Potential::spectral(basis, dimension, 1.0, &weights);
    }
    for (b, k) in feedback.iter().zip(1..) {
        let coordinates = basis.coordinates(b);
        for (weight, f) in weights.iter_mut().zip(&frequencies) {
            *weight *= f
                .entry(coordinates.as_slice())
                .norm()
                .powf(2f64.powi((depth - k) as i32));
        }
    }
    let kappa: Vec<f64> = weights.iter().map(|w| w.powf(-1.0 / (q - 1.0))).collect();
    Potential::spectral(basis, dimension, q / (q - 1.0), &kappa)
}

fn near(
    proof: &LeastNorm,
    samples: &DMatrix<f64>,
    feedback: &[DVector<f64>],
    classes: Option<&Classes>,
) -> Result<(), String> {
    let own = (proof.features.as_ref()).map(|rows| rows_of(rows, classes));
    let rows = own.as_ref().unwrap_or(samples);
    let potential = potential(proof.norm, rows.ncols(), feedback);
    let mut claimed: Vec<Claimed> = (proof.directions.iter())
        .map(|direction: &Direction| {
            let bounds = (direction.gap.clone(), direction.angle.clone());
            (vector(&direction.beta), bounds.0, bounds.1)
        })
        .collect();
    if proof.gap.is_some() {
        let exact = potential.inverse_gradient(&rows.tr_mul(&vector(&proof.multipliers)));
        claimed.push((exact, proof.gap.clone(), proof.angle.clone()));
    }
    all_near(rows, &potential, &claimed)
}

/// A direction, its gap and its angle.
type Claimed = (DVector<f64>, Option<Dyadic>, Option<Dyadic>);

fn all_near(rows: &DMatrix<f64>, potential: &Potential, claimed: &[Claimed]) -> Result<(), String> {
    let limit = match minimise(rows, potential) {
        Separability::Separable(limit) => limit,
        // too hard for the solver, or its rounding: a lie would be that nothing separates
        Separability::NotSeparable(_) => return Err("not separable".into()),
        _ => return Ok(()),
    };
    let cost = |beta: &DVector<f64>| potential.value(beta) / (rows * beta).min();
    let least = cost(&limit.beta);
    for (beta, gap, bound) in claimed {
        if let Some(gap) = gap {
            within(cost(beta) / least - 1.0, gap.to_f64(), ROUNDING, "gap")?;
        }
        let apart = angle(beta.as_slice(), limit.beta.as_slice());
        if let Some(bound) = bound {
            within(apart, bound.to_f64(), ROUNDING, "angle")?;
        }
    }
    Ok(())
}

fn schatten(proof: &LeastSchatten, rows: &DMatrix<f64>, outputs: usize) -> Result<(), String> {
    let q = 2f64.powi(proof.depth as i32);
    let shape = (rows.ncols() / outputs, outputs);
    let potential = Potential::schatten(shape, q / (q - 1.0));
    let exact = potential.inverse_gradient(&rows.tr_mul(&vector(&proof.multipliers)));
    let mut claimed: Vec<Claimed> = (proof.directions.iter())
        .map(|near| (vector(&near.beta), None, Some(near.angle.clone())))
        .collect();
    claimed.push((exact, Some(proof.gap.clone()), proof.angle.clone()));
    all_near(rows, &potential, &claimed)
}

fn nuclear(proof: &LeastNuclear, rows: &DMatrix<f64>, outputs: usize) -> Result<(), String> {
    let shape = (rows.ncols() / outputs, outputs);
    let of = |(left, right): (DMatrix<f64>, DMatrix<f64>)| {
        DVector::from_column_slice((left * right.transpose()).as_slice())
    };
    let claimed: Vec<Claimed> = (proof.directions.iter())
        .map(|d| {
            let beta = of((doubles(&d.left), doubles(&d.right)));
            (beta, Some(d.gap.clone()), None)
        })
        .collect();
    all_near(rows, &Potential::schatten(shape, 1.0), &claimed)
}

/// The rates of the margins from the network itself.
fn rises(proof: &LossRises, rows: &DMatrix<f64>, feedback: &[DVector<f64>]) -> Result<(), String> {
    let ones = DVector::from_element(rows.nrows(), 1.0);
    let network = Network::convolutional(rows.ncols(), proof.layers.len());
    let coordinates = |w: &Vec<Dyadic>| Basis::Fourier.coordinates(&vector(w));
    let theta: Vec<f64> = (proof.layers.iter())
        .flat_map(|w| coordinates(w).as_slice().to_vec())
        .collect();
    let rule = Rule::direct_feedback_alignment(feedback.to_vec());
    let data = Dataset::new(rows.clone(), ones);
    let start = DVector::from_vec(theta.clone());
    let problem = Problem::new(data, network, rule, Loss::Exponential, start)
        .map_err(|why| why.to_string())?;
    let kernel = problem.kernel();
    let (mut margins, mut rates) = (vec![0.0; rows.nrows()], vec![0.0; rows.nrows()]);
    kernel.margins(&theta, &mut margins);
    let least = margins.iter().copied().fold(f64::INFINITY, f64::min);
    let alpha: Vec<f64> = margins.iter().map(|m| (least - m).exp()).collect();
    let mut velocity = vec![0.0; theta.len()];
    kernel.velocity(&theta, &alpha, &mut velocity, &mut rates);
    let terms = || alpha.iter().zip(&rates).map(|(alpha, rate)| alpha * rate);
    let size: f64 = terms().map(f64::abs).sum();
    within(terms().sum(), 0.0, ROUNDING * size, "rate of the margins")
}

fn sandwich(
    proof: &Sandwich,
    rows: &DMatrix<f64>,
    feedback: &[DVector<f64>],
) -> Result<(), String> {
    let potential = potential(proof.norm, rows.ncols(), feedback);
    let limit = match minimise(rows, &potential) {
        Separability::Separable(limit) => limit,
        Separability::NotSeparable(_) => return Err("not separable".into()),
        _ => return Ok(()),
    };
    let least = potential.value(&limit.beta) / (rows * &limit.beta).min();
    let (accumulated, depth) = (vector(&proof.accumulated), feedback.len() as f64 + 1.0);
    let (a, dual, q) = (
        accumulated.sum(),
        potential.dual(&rows.tr_mul(&accumulated)),
        2f64.powf(depth),
    );
    let c = 2f64.powf(-(q - depth - 1.0));
    let radius = (0.5 * vector(&proof.output).norm_squared() * q / c).powf(1.0 / q);
    let n = q - 1.0;
    let entropy = (rows.nrows() as f64).ln();
    let constant = (PI / n) / (PI / n).sin() * (least * entropy / c).powf(1.0 / n);
    let [e, f, s] = [&proof.dual_excess, &proof.radius_excess, &proof.slack].map(Dyadic::to_f64);
    within(dual * least / a - 1.0, e, ROUNDING, "dual excess")?;
    within(radius * least / a - 1.0, f, ROUNDING, "radius excess")?;
    within((dual / radius).powf(q) - 1.0, s, ROUNDING, "slack")?;
    within(f * a / least, constant, ROUNDING * constant, "C")
}

/// `Im(ẑ₀^* ẑ₁)` is not zero at a frequency that the feedback reaches; what is smaller than rounding counts as zero, so
/// that a phase on the border would be called a lie.
fn phases(rows: &DMatrix<f64>, feedback: &[DVector<f64>]) -> Result<(), String> {
    let potential = potential(Norm::FrequenciesPower, rows.ncols(), feedback);
    let z0 = rows.row_sum().transpose();
    let margins = rows * potential.inverse_gradient(&z0);
    let z1 = rows.tr_mul(&margins);
    let transform = |x: &DVector<f64>| Basis::Fourier.coordinates(x);
    let (z0, z1) = (transform(&z0), transform(&z1));
    let reaching: Vec<DVector<f64>> = feedback.iter().take(2).map(transform).collect();
    let size = z0.norm() * z1.norm();
    let turns = (Basis::Fourier.frequencies(rows.ncols()).into_iter()).any(|f| {
        let at = |x: &DVector<f64>| f.entry(x.as_slice());
        let reached = reaching.iter().all(|b| at(b).norm() > ROUNDING * b.norm());
        reached && (at(&z0).conj() * at(&z1)).im.abs() > 1e-12 * size
    });
    if turns {
        Ok(())
    } else {
        Err("no phase turns".into())
    }
}

fn risen(proof: &FeedbackMargin, rows: &DMatrix<f64>) -> Result<(), String> {
    let slope = proof.slope.to_f64();
    let log = |of: &Weights| {
        let (hidden, output) = (doubles(&of.hidden), vector(&of.output));
        let margins: Vec<f64> = (rows.row_iter().zip(&proof.labels))
            .map(|(g, y)| {
                let y = f64::from(*y);
                let h = (&hidden * g.transpose() * y).map(|a| if a > 0.0 { a } else { slope * a });
                y * h.dot(&output)
            })
            .collect();
        let least = margins.iter().copied().fold(f64::INFINITY, f64::min);
        let loss: f64 = margins.iter().map(|m| (least - m).exp()).sum();
        // −∞ where the loss is above one: anything is larger
        (least - loss.ln()).max(0.0).ln() - 0.75 * (0.5 * output.norm_squared()).ln()
    };
    within(
        log(&proof.earlier),
        log(&proof.later),
        ROUNDING,
        "margin of feedback",
    )
}

/// Margins and stationarity of the weights at the middle of the box, from the definitions, and their distance.
fn kkt(point: &KktPoint, rows: &DMatrix<f64>) -> Result<(), String> {
    let (slope, centre) = (point.slope.to_f64(), vector(&point.centre));
    let y: Vec<f64> = point.labels.iter().map(|y| f64::from(*y)).collect();
    let x = |n: usize| rows.row(n).transpose() * y[n];
    let mut lambda = vec![0.0; rows.nrows()];
    for (i, n) in point.active.iter().enumerate() {
        lambda[*n] = centre[i];
    }
    let is_norm = point.objective == Objective::LeastNorm;
    let mut next = point.active.len() + if is_norm { point.groups.len() } else { 0 };
    let gates: Vec<Vec<f64>> = (point.groups.iter())
        .map(|group| {
            let gate = |letter: u8| match letter {
                b'1' => 1.0,
                b'0' => slope,
                _ => {
                    next += 1;
                    centre[next - 1]
                }
            };
            group.gates.bytes().map(gate).collect()
        })
        .collect();
    let direction = |k: usize| {
        (0..lambda.len()).fold(DVector::zeros(rows.ncols()), |sum, n| {
            sum + x(n) * (lambda[n] * y[n] * gates[k][n])
        })
    };
    let (mut weights, mut apart, mut size) = (Vec::new(), 0.0, 0.0);
    let scale = point.scale.to_f64();
    for unit in &point.units {
        let (stored, output) = (vector(&unit.hidden) * scale, unit.output.to_f64());
        let (w, v) = match unit.group {
            None => (DVector::zeros(rows.ncols()), 0.0),
            Some(k) if is_norm => {
                let members = point.units.iter().filter(|other| other.group == Some(k));
                let total: f64 = members.map(|other| other.output.to_f64().powi(2)).sum();
                let v = output * (centre[point.active.len() + k] / total).sqrt();
                (direction(k) * v, v)
            }
            Some(k) => {
                let w = direction(k) * (3.0 * output / 8.0);
                let v = w.norm_squared() / (2.0 * output);
                (w, v)
            }
        };
        apart += (&w - stored).norm_squared();
        size += w.norm_squared();
        if is_norm {
            apart += (v - scale * output).powi(2);
            size += v * v;
        }
        weights.push((w, v, output, unit.group));
    }
    let passed = |a: f64| if a > 0.0 { a } else { slope * a };
    for n in 0..rows.nrows() {
        let margin: f64 = y[n]
            * weights
                .iter()
                .map(|(w, v, _, _)| v * passed(w.dot(&x(n))))
                .sum::<f64>();
        within(1.0 - margin, 0.0, ROUNDING, "margin")?;
        within(
            lambda[n] * (margin - 1.0).abs(),
            0.0,
            ROUNDING * (1.0 + lambda[n]),
            "complementarity",
        )?;
        within(-lambda[n], 0.0, 0.0, "multiplier")?;
    }
    for (w, v, output, group) in &weights {
        let Some(k) = group else { continue };
        let mut rest = if is_norm {
            w.clone()
        } else {
            w * (4.0 * w.norm_squared() / output.powi(2))
        };
        let mut own = *v;
        for n in 0..rows.nrows() {
            let share = lambda[n] * y[n];
            let gate = gates[*k][n];
            let (a, inside) = (w.dot(&x(n)), (slope..=1.0).contains(&gate));
            let fits = (gate == 1.0 && a > 0.0)
                || (gate == slope && a < 0.0)
                || (inside && a.abs() < 1e-9 * (1.0 + w.norm()));
            within(f64::from(!fits), 0.0, 0.0, "gate")?;
            if is_norm {
                rest -= x(n) * (share * v * gate);
                own -= share * passed(a);
            } else {
                rest -= (w * passed(a) / *output
                    + x(n) * (w.norm_squared() / (2.0 * output) * gate))
                    * share;
            }
        }
        within(
            rest.norm(),
            0.0,
            ROUNDING * (1.0 + w.norm()),
            "stationarity",
        )?;
        within(
            if is_norm { own.abs() } else { 0.0 },
            0.0,
            ROUNDING,
            "stationarity of the output",
        )?;
    }
    within(
        apart.sqrt(),
        point.distance.to_f64() * size.sqrt(),
        ROUNDING * size.sqrt(),
        "distance",
    )
}
