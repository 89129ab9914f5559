//! Finds the KKT point near the end of a run, and what proves it.
//!
//! The gates are those of the run, the multipliers at its end are nearly proportional to those of the KKT point, and
//! gates on kinks are fitted to the weights. From there Newton's method, first in f64, then with exact residuals.

use super::Finished;
use super::numbers::{least, ratio};
use crate::activation::Formula;
use crate::certify::check::vectors::Matrix;
use crate::certify::check::{Data, Group, KktPoint, Objective, System, Unit};
use crate::certify::dyadic::Dyadic;
use crate::problem::Problem;
use crate::theory::MarginProblem;
use nalgebra::{DMatrix, DVector};

/// Samples whose multiplier is smaller than the largest by this factor (its logarithm) are not active.
const INACTIVE: f64 = 30.0;

/// Units shorter than these shares of the longest are taken as zero in the KKT point, one after the other.
const AT_ZERO: [f64; 4] = [1e-6, 1e-3, 1e-2, 0.1];

/// Newton steps at most.
const STEPS: usize = 60;

/// Bits behind the point to which unknowns of order one are refined.
const DIGITS: i64 = 140;

/// The radius of the box, relative to the unknowns: 2^−60.
const RADIUS: i64 = -60;

/// The end of a run, brought to a smallest margin of one.
struct End<'a> {
    objective: Objective,
    slope: f64,
    samples: &'a DMatrix<f64>,
    labels: &'a DVector<f64>,
    /// D × units.
    hidden: DMatrix<f64>,
    /// v, or b.
    output: DVector<f64>,
    /// Multipliers relative to the largest.
    multipliers: Vec<f64>,
    /// Unit and sample of every pair on its kink.
    kinks: Vec<(usize, usize)>,
}

/// `None` if no KKT point could be proved.
pub(super) fn make(problem: &Problem, data: &Data, run: Finished<'_>) -> Option<KktPoint> {
    let samples = Matrix::of(&data.signed_samples).ok()?;
    let end = End::of(problem, run)?;
    AT_ZERO.iter().find_map(|share| end.proof(*share, &samples))
}

impl<'a> End<'a> {
    fn of(problem: &'a Problem, run: Finished<'_>) -> Option<Self> {
        let (objective, feedback) = match run.diagnostics.theory.margin_problem.as_ref()? {
            MarginProblem::LeastNorm => (Objective::LeastNorm, None),
            MarginProblem::LeastFeedbackPotential(b) => (Objective::Feedback, Some(b)),
        };
        let (network, data) = (problem.network(), problem.dataset());
        let activation = network.units()?.activation();
        if network.depth() != 2 || activation.degree() != 1 {
            return None;
        }
        // smoothed kinks are not piecewise linear
        let slope = activation.kink()?.gate(false);
        let last = run.trajectory.len() - 1;
        let theta = run.trajectory.theta.column(last);
        let mut weights = network.weights(&theta.as_slice()[..network.parameters()]);
        let (output, hidden) = (weights.pop()?, weights.pop()?);
        let margin = run.diagnostics.min_margin[last];
        let degree = if feedback.is_some() { 3.0 } else { 2.0 };
        let scale = margin.powf(-1.0 / degree);
        let output = feedback
            .cloned()
            .unwrap_or_else(|| output.column(0) * scale);
        let p = run.trajectory.log_multipliers.column(last);
        let largest = p.max();
        let sliding = run
            .trajectory
            .kinks
            .as_ref()
            .map_or(&[][..], |kinks| &kinks.sliding);
        let scaled = hidden * scale;
        (margin > 0.0 && scaled.iter().chain(output.iter()).all(|w| w.is_finite())).then(|| Self {
            objective,
            slope,
            samples: data.samples(),
            labels: data.labels(),
            hidden: scaled,
            output,
            multipliers: p
                .iter()
                .map(|p| {
                    if p - largest > -INACTIVE {
                        (p - largest).exp()
                    } else {
                        0.0
                    }
                })
                .collect(),
            kinks: sliding
                .iter()
                .map(|pair| (pair.unit, pair.sample))
                .collect(),
        })
    }

    /// Units shorter than `share` of the longest are taken as zero.
    fn proof(&self, share: f64, samples: &Matrix) -> Option<KktPoint> {
        let mut point = self.start(share)?;
        self.solve(&mut point, samples)?;
        sharpen(&mut point, samples)?;
        bound(&mut point, samples)
    }

    /// The statement with a first guess at its unknowns.
    fn start(&self, share: f64) -> Option<KktPoint> {
        let lengths: Vec<f64> = self.hidden.column_iter().map(|w| w.norm()).collect();
        let longest = lengths.iter().copied().fold(0.0, f64::max);
        let active: Vec<usize> = (0..self.multipliers.len())
            .filter(|n| self.multipliers[*n] > 0.0)
            .collect();
        let mut groups: Vec<Group> = Vec::new();
        let mut units = Vec::new();
        for (j, w) in self.hidden.column_iter().enumerate() {
            let group = (lengths[j] > share * longest).then(|| {
                let sign = if self.output[j] > 0.0 { 1 } else { -1 };
                let gates = self.gates(j, &active);
                let found = groups
                    .iter()
                    .position(|group| group.sign == sign && group.gates == gates);
                found.unwrap_or_else(|| {
                    groups.push(Group { sign, gates });
                    groups.len() - 1
                })
            });
            units.push(Unit {
                group,
                hidden: Dyadic::list(w.iter())?,
                output: Dyadic::from_f64(self.output[j])?,
            });
        }
        let mut point = KktPoint {
            objective: self.objective,
            slope: Dyadic::from_f64(self.slope)?,
            labels: self
                .labels
                .iter()
                .map(|y| if *y > 0.0 { 1 } else { -1 })
                .collect(),
            units,
            groups,
            active,
            centre: Vec::new(),
            radii: Vec::new(),
            inverse: Vec::new(),
            scale: Dyadic::one(),
            distance: Dyadic::zero(),
        };
        let guess = self.guess(&point)?;
        point.centre = Dyadic::list(guess.iter())?;
        point.radii = vec![Dyadic::one(); guess.len()];
        point.inverse = vec![vec![Dyadic::zero(); guess.len()]; guess.len()];
        Some(point)
    }

    fn gates(&self, j: usize, active: &[usize]) -> String {
        let w = self.hidden.column(j);
        let gate = |n: usize| {
            if self.kinks.contains(&(j, n)) && active.contains(&n) {
                return 'k';
            }
            if self.samples.row(n).transpose().dot(&w) > 0.0 {
                '1'
            } else {
                '0'
            }
        };
        (0..self.samples.nrows()).map(gate).collect()
    }

    /// Multipliers, ρ, gates on kinks.
    fn guess(&self, point: &KktPoint) -> Option<Vec<f64>> {
        let mut directions = Vec::new();
        let mut gates = Vec::new();
        for k in 0..point.groups.len() {
            // in units of the largest multiplier, u is unknown up to one factor for all groups
            let members: Vec<usize> = (0..point.units.len())
                .filter(|j| point.units[*j].group == Some(k))
                .collect();
            let longest = *members
                .iter()
                .max_by(|a, b| self.output[**a].abs().total_cmp(&self.output[**b].abs()))?;
            let factor = match self.objective {
                Objective::LeastNorm => 1.0 / self.output[longest],
                Objective::Feedback => 8.0 / (3.0 * self.output[longest]),
            };
            directions.push(self.hidden.column(longest) * factor);
        }
        let scale = self.scale(point, &directions)?;
        let multipliers: Vec<f64> = self.multipliers.iter().map(|m| m * scale).collect();
        for (group, direction) in point.groups.iter().zip(&directions) {
            gates.extend(self.fitted_gates(group, direction, &multipliers)?);
        }
        let strength = |k: usize| {
            let members = point
                .units
                .iter()
                .zip(self.output.iter())
                .filter(|(unit, _)| unit.group == Some(k));
            members.map(|(_, v)| v * v).sum::<f64>()
        };
        let strengths = (0..point.groups.len())
            .map(strength)
            .filter(|_| self.objective == Objective::LeastNorm);
        Some(
            point
                .active
                .iter()
                .map(|n| multipliers[*n])
                .chain(strengths)
                .chain(gates)
                .collect(),
        )
    }

    /// What multipliers relative to the largest are to be multiplied with: least squares over groups without kinks, or
    /// with their gates half open.
    fn scale(&self, point: &KktPoint, directions: &[DVector<f64>]) -> Option<f64> {
        let (mut product, mut square) = (0.0, 0.0);
        for (group, direction) in point.groups.iter().zip(directions) {
            let relative = self.combination(group, &self.multipliers);
            product += relative.dot(direction);
            square += relative.norm_squared();
        }
        (product > 0.0 && square > 0.0).then_some(product / square)
    }

    /// `Σ λ_n y_n γ_n x_n` with gates on kinks half open.
    fn combination(&self, group: &Group, multipliers: &[f64]) -> DVector<f64> {
        let mut sum = DVector::zeros(self.samples.ncols());
        for (n, gate) in group.gates.bytes().enumerate() {
            let gate = match gate {
                b'1' => 1.0,
                b'0' => self.slope,
                _ => 0.5 * (1.0 + self.slope),
            };
            sum += self.samples.row(n).transpose() * (multipliers[n] * self.labels[n] * gate);
        }
        sum
    }

    fn fitted_gates(
        &self,
        group: &Group,
        direction: &DVector<f64>,
        multipliers: &[f64],
    ) -> Option<Vec<f64>> {
        let kinks: Vec<usize> = group
            .gates
            .bytes()
            .enumerate()
            .filter(|(_, g)| *g == b'k')
            .map(|(n, _)| n)
            .collect();
        if kinks.is_empty() {
            return Some(Vec::new());
        }
        let half = 0.5 * (1.0 + self.slope);
        let rest = direction - self.combination(group, multipliers);
        let columns: Vec<DVector<f64>> = kinks
            .iter()
            .map(|n| self.samples.row(*n).transpose() * (multipliers[*n] * self.labels[*n]))
            .collect();
        let fitted = DMatrix::from_columns(&columns)
            .svd(true, true)
            .solve(&rest, 1e-12)
            .ok()?;
        Some(
            fitted
                .iter()
                .map(|x| (x + half).clamp(self.slope, 1.0))
                .collect(),
        )
    }

    /// Newton's method in f64, as far as it goes.
    fn solve(&self, point: &mut KktPoint, samples: &Matrix) -> Option<()> {
        let size = |residual: &[Dyadic]| {
            residual
                .iter()
                .map(|x| x.to_f64().abs())
                .fold(0.0, f64::max)
        };
        let mut last = f64::INFINITY;
        for _ in 0..STEPS {
            let system = System::of(point, samples).ok()?;
            let residual = system.residual();
            let now = size(&residual);
            if !now.is_finite() || now < 1e-11 {
                break;
            }
            last = last.min(now);
            let step = newton_step(&system, &residual)?;
            let mut damping = 1.0;
            let before: Vec<f64> = point.centre.iter().map(Dyadic::to_f64).collect();
            loop {
                let moved = before.iter().zip(step.iter()).map(|(x, d)| x - damping * d);
                point.centre = Dyadic::list(moved.collect::<Vec<_>>().iter())?;
                let trial = size(&System::of(point, samples).ok()?.residual());
                if trial < (1.0 - 0.25 * damping) * now || damping < 1e-3 {
                    break;
                }
                damping *= 0.5;
            }
        }
        (size(&System::of(point, samples).ok()?.residual()) < 1e-8).then_some(())
    }
}

fn jacobian(system: &System<'_>) -> DMatrix<f64> {
    let columns: Vec<DVector<f64>> = (system.derivative().iter())
        .map(|column| DVector::from_iterator(column.len(), column.iter().map(Dyadic::to_f64)))
        .collect();
    DMatrix::from_columns(&columns)
}

fn newton_step(system: &System<'_>, residual: &[Dyadic]) -> Option<DVector<f64>> {
    let right = DVector::from_iterator(residual.len(), residual.iter().map(Dyadic::to_f64));
    jacobian(system).lu().solve(&right)
}

/// Residuals in integers take the centre to [`DIGITS`] bits; then the box about it, and the inverse.
fn sharpen(point: &mut KktPoint, samples: &Matrix) -> Option<()> {
    for _ in 0..6 {
        let system = System::of(point, samples).ok()?;
        let residual = system.residual();
        if residual.iter().all(|x| x.to_f64().abs() < 1e-38) {
            break;
        }
        // a residual of 1e-30 has all digits of an f64 in its own units
        let step = newton_step(&system, &residual)?;
        for (x, step) in point.centre.iter_mut().zip(step.iter()) {
            *x = truncated(&(&*x - &Dyadic::from_f64(*step)?));
        }
    }
    let inverse = jacobian(&System::of(point, samples).ok()?).try_inverse()?;
    point.inverse = inverse
        .row_iter()
        .map(|row| Dyadic::list(row.iter()))
        .collect::<Option<_>>()?;
    point.radii = (point.centre.iter())
        .map(|x| {
            Dyadic::from_f64(x.to_f64().abs().max(1e-6))
                .map(|size| Dyadic::new(size.mantissa, size.exponent + RADIUS))
        })
        .collect::<Option<_>>()?;
    Some(())
}

/// To [`DIGITS`] bits behind the point.
fn truncated(x: &Dyadic) -> Dyadic {
    let surplus = -DIGITS - x.exponent;
    if surplus > 0 {
        Dyadic::new(&x.mantissa >> surplus, -DIGITS)
    } else {
        x.clone()
    }
}

/// The least distance that holds.
fn bound(point: &mut KktPoint, samples: &Matrix) -> Option<KktPoint> {
    let system = System::of(point, samples).ok()?;
    let centre = system.centre();
    let (apart, size) = point.squares(samples, &centre).ok()?;
    let estimate = ratio(&apart, &size).sqrt();
    let wide = system.values(system.the_box());
    let (apart, size) = point.squares(samples, &wide).ok()?;
    let distance = least(estimate, |e| apart <= &e.pow(2) * &size)?;
    Some(KktPoint {
        distance,
        ..point.clone()
    })
}
