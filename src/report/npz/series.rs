//! Where the arrays of [`KEYS`](super::keys::KEYS) that take more than a line come from.

use super::arrays::{Array, Series, Values, integer};
use crate::descent::Beside;
use crate::diagnostics::{Areas, Diagnostics, Phases};
use crate::run::Run;
use nalgebra::DMatrix;
use std::borrow::Cow;

/// Something of each: of what is there or is not, or of the runs of finite steps.
pub(super) fn each<T, A>(from: impl IntoIterator<Item = T>, of: impl FnMut(T) -> A) -> Vec<A> {
    from.into_iter().map(of).collect()
}

/// Every run of finite steps.
pub(super) fn steps(run: &Run) -> impl Iterator<Item = &Beside> {
    run.steps.iter().flat_map(|steps| &steps.runs)
}

/// The flow at the times of the steps' records.
pub(super) fn flow_beside(run: &Run) -> Option<&Diagnostics> {
    run.steps.as_ref().map(|steps| &steps.flow)
}

/// Areas swept by a network with several outputs that is linear in its input.
pub(super) fn areas(run: &Run) -> Option<&Areas> {
    run.diagnostics.classes.as_ref()?.areas.as_ref()
}

/// `w_1 … w_L`, saves × inputs × units.
pub(super) fn weights(run: &Run) -> Vec<Array<'_>> {
    let network = run.problem.network();
    let theta = &run.trajectory.theta;
    let layer = |(l, &(inputs, units)): (usize, &(usize, usize))| {
        let rows = theta.column_iter().flat_map(move |theta| {
            let w_l = network.weights(theta.as_slice()).swap_remove(l);
            // row by row
            Vec::from(w_l.transpose().data)
        });
        Array {
            shape: vec![theta.ncols() as u64, inputs as u64, units as u64],
            values: Values::Floats(Box::new(rows)),
        }
    };
    network.shapes().iter().enumerate().map(layer).collect()
}

/// What a rule keeps besides the weights, saves × numbers.
pub(super) fn rule_state(run: &Run) -> Vec<Array<'_>> {
    let parameters = run.problem.network().parameters();
    let theta = &run.trajectory.theta;
    if theta.nrows() == parameters {
        return Vec::new();
    }
    let rest = (theta.column_iter()).flat_map(move |state| state.as_slice()[parameters..].to_vec());
    vec![Array {
        shape: vec![theta.ncols() as u64, (theta.nrows() - parameters) as u64],
        values: Values::Floats(Box::new(rest)),
    }]
}

/// b_1 … b_{L−1} (vectors), or F_1 … F_{L−1} (matrices).
pub(super) fn feedback(run: &Run) -> Vec<Array<'_>> {
    let entries = run.problem.feedback_entries().into_iter();
    entries
        .map(|(axes, numbers)| {
            let rows = axes[0];
            // row by row
            let values = (0..rows).flat_map(move |i| numbers.iter().skip(i).step_by(rows));
            Array {
                shape: axes.iter().map(|length| *length as u64).collect(),
                values: Values::Floats(Box::new(values.copied())),
            }
        })
        .collect()
}

pub(super) fn labels(run: &Run) -> Vec<Array<'_>> {
    // signs or classes, whole numbers both
    let labels = run.problem.dataset().labels().iter();
    vec![Array::integers(labels.map(|y| *y as i64).collect())]
}

/// Something of a predictor, of networks that have one.
pub(super) fn beta(run: &Run) -> Vec<Array<'_>> {
    let d = &run.diagnostics;
    let linear = run.problem.network().is_linear();
    linear
        .then(|| predictors(run, &d.beta))
        .into_iter()
        .collect()
}

/// Predictors as columns, one save each: saves × D, or saves × D × C where there are C outputs.
pub(super) fn predictors<'a>(run: &Run, columns: &'a DMatrix<f64>) -> Array<'a> {
    let outputs = run.problem.network().outputs();
    if outputs == 1 {
        return Array::columns(columns);
    }
    let inputs = columns.nrows() / outputs;
    let rows = columns.column_iter().flat_map(move |beta| {
        let matrix = DMatrix::from_column_slice(inputs, outputs, beta.as_slice());
        // row by row
        Vec::from(matrix.transpose().data)
    });
    Array {
        shape: vec![columns.ncols() as u64, inputs as u64, outputs as u64],
        values: Values::Floats(Box::new(rows)),
    }
}

pub(super) fn candidate_angles(run: &Run) -> Vec<Array<'_>> {
    let candidates = &run.diagnostics.candidates;
    let columns: Vec<&[f64]> = candidates.iter().map(|c| c.angle.as_slice()).collect();
    some(!columns.is_empty(), || Array::table(&columns))
}

pub(super) fn candidate_beta(run: &Run) -> Vec<Array<'_>> {
    let candidates = &run.diagnostics.candidates;
    some(!candidates.is_empty(), || {
        let dimension = candidates[0].beta.len();
        let rows = candidates.iter().flat_map(|c| c.beta.iter().copied());
        Array {
            shape: vec![candidates.len() as u64, dimension as u64],
            values: Values::Floats(Box::new(rows)),
        }
    })
}

pub(super) fn candidates(run: &Run) -> Vec<Array<'_>> {
    let candidates = &run.diagnostics.candidates;
    some(!candidates.is_empty(), || {
        Array::words(candidates.iter().map(|c| c.id.to_owned()).collect())
    })
}

pub(super) fn invariant_drifts(run: &Run) -> Vec<Array<'_>> {
    let invariants = &run.diagnostics.invariants;
    let columns: Vec<&[f64]> = invariants.iter().map(|i| i.drift.as_slice()).collect();
    some(!columns.is_empty(), || Array::table(&columns))
}

pub(super) fn invariants(run: &Run) -> Vec<Array<'_>> {
    let invariants = &run.diagnostics.invariants;
    some(!invariants.is_empty(), || {
        Array::words(invariants.iter().map(|i| i.name.clone()).collect())
    })
}

/// Saves at which the predictor certifies something; where the predicted potential is not convex that is never a gap.
fn certified(d: &Diagnostics) -> Vec<usize> {
    let has_gap = d.duality_gap.iter().any(Option::is_some);
    (0..d.log_log_time.len())
        .filter(|&k| d.kkt_residual[k].is_some() && d.duality_gap[k].is_some() == has_gap)
        .collect()
}

pub(super) fn certified_saves(run: &Run) -> Vec<Array<'_>> {
    vec![Array::indices(certified(&run.diagnostics))]
}

pub(super) fn kkt_residual(run: &Run) -> Vec<Array<'_>> {
    let d = &run.diagnostics;
    let values = certified(d).into_iter().filter_map(|k| d.kkt_residual[k]);
    vec![Array::floats(values.collect())]
}

pub(super) fn duality_gap(run: &Run) -> Vec<Array<'_>> {
    let d = &run.diagnostics;
    let has_gap = d.duality_gap.iter().any(Option::is_some);
    some(has_gap, || {
        let values = certified(d).into_iter().filter_map(|k| d.duality_gap[k]);
        Array::floats(values.collect())
    })
}

/// The smallest margin over the product of the layers' norms.
pub(super) fn margin_over_layer_norms(run: &Run) -> Vec<Series<'_>> {
    let d = &run.diagnostics;
    let saves = 0..d.min_margin.len();
    let series = saves.map(|k| d.margin_over_layers(k).filter(|m| m.is_finite()));
    vec![Cow::Owned(series.collect())]
}

/// The gap of accumulated multipliers, where anything was ever certified by them.
pub(super) fn accumulated_gap(run: &Run) -> Vec<Series<'_>> {
    let gaps = &run.diagnostics.accumulated_gap;
    let known = gaps.iter().any(Option::is_some);
    each(known.then_some(gaps), Cow::from)
}

/// `φ_2 … φ_L` per frequency, saves × (L−1) × frequencies.
pub(super) fn phi_hat(p: &Phases) -> Array<'_> {
    let (frequencies, saves) = p.phi[0].shape();
    let values = (0..saves).flat_map(move |k| {
        (p.phi.iter()).flat_map(move |phi| (0..frequencies).map(move |d| phi[(d, k)]))
    });
    Array {
        shape: vec![saves as u64, p.phi.len() as u64, frequencies as u64],
        values: Values::Complex(Box::new(values)),
    }
}

/// Half of Im φ_2: the signed area between the path of Ẑ and the origin.
pub(super) fn swept_area(p: &Phases) -> Array<'_> {
    let phi_2 = &p.phi[0];
    Array {
        shape: vec![phi_2.ncols() as u64, phi_2.nrows() as u64],
        values: Values::Floats(Box::new(phi_2.iter().map(|phi| 0.5 * phi.im))),
    }
}

/// k of every record.
pub(super) fn step_numbers(b: &Beside) -> Array<'_> {
    let numbers = b.descent.steps.iter();
    Array::integers(numbers.map(|k| integer(*k as usize)).collect())
}

pub(super) fn beta_of_steps(run: &Run) -> Vec<Array<'_>> {
    let linear = steps(run).filter(|b| b.diagnostics.beta.nrows() > 0);
    linear
        .map(|b| predictors(run, &b.diagnostics.beta))
        .collect()
}

pub(super) fn beta_of_flow_beside(run: &Run) -> Vec<Array<'_>> {
    let flow = run.steps.iter().map(|steps| &steps.flow.beta);
    flow.filter(|beta| beta.nrows() > 0)
        .map(|beta| predictors(run, beta))
        .collect()
}

pub(super) fn limit_angle_of_steps(run: &Run) -> Vec<Array<'_>> {
    let measured = steps(run).filter_map(|b| b.diagnostics.angle_to_limit.as_deref());
    each(measured, Array::vector)
}

fn some<'a>(there: bool, array: impl FnOnce() -> Array<'a>) -> Vec<Array<'a>> {
    there.then(array).into_iter().collect()
}
