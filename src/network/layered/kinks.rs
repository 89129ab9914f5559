//! Gradients of margins where preactivations are on exact kinks: one for every choice of gates there.
//!
//! The product of `∇m` with a direction is the derivative of the margin along it, `e·f'`, in which the factor of a gate
//! is `s_j a_j'`: the signal that reaches the unit, which gates of layers above change, times the rate of its
//! preactivation, which those of layers below change. So sweeps from the last layer to the first choose gates layer by
//! layer until none changes: exact where the kinks of a sample are in one layer, and otherwise a choice that changing
//! any single layer cannot improve.

use super::passes::Forward;
use super::{Field, Layered};
use crate::activation::{Formula, Kink};
use crate::dataset::Dataset;
use crate::network::signals::Held;
use crate::network::{Signals, View, outputs};
use nalgebra::{DMatrix, DVector};

/// Preactivations within this of zero, relative to the lengths of weights and patch, are on their kink.
const KINK: f64 = 1e-9;

/// Sweeps over the layers.
const SWEEPS: usize = 10;

/// A gate at a kink: hidden layer (from 0), channel, patch.
type Place = (usize, (usize, usize));

/// Gradients of all margins of a general network at one θ.
pub(crate) struct GradientsAtKinks {
    field: Field,
    data: Dataset,
    theta: Vec<f64>,
    /// `∂m/∂f` of every row, C × rows, and its sample.
    rows: (Vec<usize>, DMatrix<f64>),
    /// By sample.
    kinks: Vec<Vec<(Place, Kink)>>,
    /// With open gates at kinks, P × rows.
    pub open: DMatrix<f64>,
}

impl GradientsAtKinks {
    pub(super) fn new(network: &Layered, theta: &[f64], data: &Dataset) -> Self {
        let field = network.field(Signals::Backward);
        let mut kinks = vec![Vec::new(); data.len()];
        let inputs = data.samples().transpose();
        let pass = Forward::new(&field, theta, &inputs);
        for (l, seen) in pass.hidden.iter().enumerate() {
            let Some(kink) = seen.layer.activation.kink() else {
                continue;
            };
            let widths: Vec<f64> = seen.w.column_iter().map(|w| w.norm()).collect();
            let count = seen.layer.patches();
            for (column, x) in seen.x.column_iter().enumerate() {
                let size = KINK * x.norm();
                for (channel, width) in widths.iter().enumerate() {
                    if seen.at[(channel, column)].preactivation.abs() <= size * width {
                        let place = (l, (channel, column % count));
                        kinks[column / count].push((place, kink));
                    }
                }
            }
        }
        let rows = outputs::rows(data);
        let mut gradients = Self {
            open: network.gradients(theta, data),
            data: data.clone(),
            theta: theta.to_vec(),
            field,
            rows,
            kinks,
        };
        for row in 0..data.rows() {
            if !gradients.has_kinks(row) {
                continue;
            }
            let open = vec![true; gradients.kinks[gradients.rows.0[row]].len()];
            let gradient = gradients.gradient(row, &open);
            gradients.open.set_column(row, &gradient);
        }
        gradients
    }

    /// Whether there is more than one gradient of a row's margin.
    pub(crate) fn has_kinks(&self, row: usize) -> bool {
        !self.kinks[self.rows.0[row]].is_empty()
    }

    /// The gradient of a row's margin with the largest product with a direction that the sweeps find; `None` if there
    /// is only one.
    pub(crate) fn steepest(&self, row: usize, direction: &DVector<f64>) -> Option<DVector<f64>> {
        let kinks = &self.kinks[self.rows.0[row]];
        if kinks.is_empty() {
            return None;
        }
        let along = self.field.layout.views(direction.as_slice());
        let mut open = vec![true; kinks.len()];
        for _ in 0..SWEEPS {
            let before = open.clone();
            for l in (0..self.field.hidden().len()).rev() {
                self.choose(row, l, &along, &mut open);
            }
            if open == before {
                break;
            }
        }
        Some(self.gradient(row, &open))
    }

    /// Opens the gates of layer l (from 0) that raise the margin along a direction, and closes the others.
    fn choose(&self, row: usize, l: usize, along: &[View<'_>], open: &mut [bool]) {
        let inputs = self.inputs(row);
        let pass = self.pass(row, open, &inputs);
        let (signals, _) = pass.signals(&self.blame(row), &Held::Backward);
        let moved = pass.moved(along);
        for (((layer, at), _), open) in self.kinks[self.rows.0[row]].iter().zip(open) {
            if *layer == l {
                *open = signals[l][*at] * moved.a[l][*at] >= 0.0;
            }
        }
    }

    /// D × 1
    fn inputs(&self, row: usize) -> DMatrix<f64> {
        let sample = self.data.samples().row(self.rows.0[row]);
        DMatrix::from_iterator(sample.len(), 1, sample.iter().copied())
    }

    /// C × 1
    fn blame(&self, row: usize) -> DMatrix<f64> {
        self.rows.1.select_columns(&[row])
    }

    /// The forward pass of the sample of a row, with these gates at its kinks.
    fn pass<'a>(&'a self, row: usize, open: &[bool], inputs: &DMatrix<f64>) -> Forward<'a> {
        let mut pass = Forward::new(&self.field, &self.theta, inputs);
        for (((l, at), kink), open) in self.kinks[self.rows.0[row]].iter().zip(open) {
            pass.hidden[*l].gates[*at] = kink.gate(*open);
        }
        pass
    }

    fn gradient(&self, row: usize, open: &[bool]) -> DVector<f64> {
        let (inputs, e) = (self.inputs(row), self.blame(row));
        let pass = self.pass(row, open, &inputs);
        let (signals, errors) = pass.signals(&e, &Held::Backward);
        let mut gradient = DVector::zeros(self.theta.len());
        for l in 0..self.field.layers.len() {
            let range = self.field.layout.range(l);
            let of_layer = pass.rays(l, (&signals, &errors), &e);
            gradient
                .rows_mut(range.start, range.len())
                .copy_from(&of_layer.column(0));
        }
        gradient
    }
}
