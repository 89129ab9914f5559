//! Gradients of the margins of a ReLU network, one for every choice of gates at its kinks.
//!
//! Forward, `a_l = w_lᵀ h_{l−1}`, `h_l = g(a_l)`; backward, with `d_{L−1} = y_n w_L` and the derivatives of one unit in
//! its weights and in its inputs,
//!
//! ```text
//! ∂h_{l,j}/∂w_{l,j} = G_j h_{l−1} + κ_j w_{l,j},      ∂h_{l,j}/∂h_{l−1} = G_j w_{l,j} + κ'_j h_{l−1}
//! ```
//!
//! with the gate G, κ and κ' = μ of the [`activation`](crate::activation). On a kink the gate is any number between
//! those of the two sides; with a curved activation there is no choice.
//!
//! The set of vectors for all such gates contains Clarke's subdifferential of the margin; for two layers they are
//! equal.

use crate::activation::{Activation, Formula};
use crate::dataset::Dataset;
use crate::network::{ForwardPass, Relu};
use nalgebra::{DMatrix, DMatrixView, DVector, DVectorView};

/// Preactivations within this of zero, relative to `‖w_j‖‖h_n‖`, are on their kink.
const KINK: f64 = 1e-9;

/// Sweeps over the layers in the search for the best gates.
const SWEEPS: usize = 10;

/// Most kinks of one sample, spread over several layers, for which all choices are tried.
const LISTED: usize = 6;

/// A choice of sides at the kinks of one sample, true for active, in the order of [`Gradients::kinks`].
type Gates = Vec<bool>;

/// A network at one θ on all samples.
pub(super) struct Gradients<'a> {
    data: &'a Dataset,
    activation: Activation,
    /// `w_1 … w_L`, inputs × units.
    weights: Vec<DMatrix<f64>>,
    /// With open gates at the kinks.
    pass: ForwardPass,
    /// (l − 1, j) of the preactivations on their kink, by sample; layers ascend.
    kinks: Vec<Vec<(usize, usize)>>,
}

impl<'a> Gradients<'a> {
    pub(super) fn new(network: &Relu, theta: &[f64], data: &'a Dataset) -> Self {
        let mut pass = network.forward(theta, data.samples());
        let mut rest = theta;
        let weights: Vec<DMatrix<f64>> = network
            .shapes()
            .iter()
            .map(|&(inputs, units)| {
                let (w, tail) = rest.split_at(inputs * units);
                rest = tail;
                DMatrix::from_column_slice(inputs, units, w)
            })
            .collect();
        let activation = network.activation();
        let mut kinks = vec![Vec::new(); data.len()];
        if let Some(kink) = activation.kink() {
            for (l, a) in pass.preactivations.iter().enumerate() {
                let lengths: Vec<f64> = weights[l].column_iter().map(|w| w.norm()).collect();
                for (n, kinks) in kinks.iter_mut().enumerate() {
                    let size = pass.activations[l].column(n).norm();
                    let on_kink = |j: &usize| a[(*j, n)].abs() <= KINK * lengths[*j] * size;
                    for j in (0..a.nrows()).filter(on_kink) {
                        kinks.push((l, j));
                        pass.slopes[l].gates[(j, n)] = kink.gate(true);
                    }
                }
            }
        }
        Self {
            data,
            activation,
            weights,
            pass,
            kinks,
        }
    }

    /// Features `φ(x_n)` of the output layer, units × N.
    pub(super) fn features(&self) -> &DMatrix<f64> {
        self.pass.features()
    }

    /// Margins `m_n`, length N.
    pub(super) fn margins(&self) -> DVector<f64> {
        let output = self.weights[self.weights.len() - 1].column(0);
        self.features()
            .tr_mul(&output)
            .component_mul(self.data.labels())
    }

    /// `∇m_n` with open gates at the kinks, as the flow takes g'(0) = 1.
    pub(super) fn open(&self, n: usize) -> DVector<f64> {
        self.gradient(n, &vec![true; self.kinks[n].len()])
    }

    /// Whether there is more than one gradient of this margin.
    pub(super) fn has_kinks(&self, n: usize) -> bool {
        !self.kinks[n].is_empty()
    }

    /// The products of all [`open`](Self::open) gradients with a direction of θ, length N: the derivatives of the
    /// margins along it, layer by layer for all samples at once.
    pub(super) fn along(&self, direction: &[f64]) -> DVector<f64> {
        let mut rest = direction;
        let mut moved: Option<DMatrix<f64>> = None;
        for (l, slopes) in self.pass.slopes.iter().enumerate() {
            let (w, h) = (&self.weights[l], &self.pass.activations[l]);
            let (turn, below) = rest.split_at(w.len());
            rest = below;
            let turn = DMatrixView::from_slice(turn, w.nrows(), w.ncols());
            let mut a = turn.transpose() * h;
            if let Some(moved) = &moved {
                a += w.transpose() * moved;
            }
            a.component_mul_assign(&slopes.gates);
            if let Some([of_weights, of_inputs]) = &slopes.curved {
                let longer: Vec<f64> = (w.column_iter().zip(turn.column_iter()))
                    .map(|(w, turn)| w.dot(&turn))
                    .collect();
                for (n, mut a) in a.column_iter_mut().enumerate() {
                    let inward = moved
                        .as_ref()
                        .map_or(0.0, |m| m.column(n).dot(&h.column(n)));
                    for (j, a) in a.iter_mut().enumerate() {
                        *a += of_weights[(j, n)] * longer[j] + of_inputs[(j, n)] * inward;
                    }
                }
            }
            moved = Some(a);
        }
        let turn = DVectorView::from_slice(rest, self.features().nrows());
        let mut rates = self.features().tr_mul(&turn);
        if let Some(moved) = moved {
            rates += moved.tr_mul(&self.weights[self.weights.len() - 1].column(0));
        }
        rates.component_mul(self.data.labels())
    }

    /// The `∇m_n` with the largest inner product with `direction` over all gates; `None` if the sample has no kink.
    ///
    /// The product is `y_n` times the derivative of f along the direction, in which the factor of each gate does not
    /// depend on the gates of its own layer, so backward sweeps choose the gates layer by layer. If all kinks are in
    /// one layer, one sweep is exact. With kinks in several layers the sweeps start from every choice, as long as there
    /// are few ([`LISTED`]); beyond that the result is a choice that changing any single layer cannot improve.
    pub(super) fn steepest(&self, n: usize, direction: &DVector<f64>) -> Option<DVector<f64>> {
        let kinks = &self.kinks[n];
        let (first, last) = (kinks.first()?, kinks.last()?);
        let starts = if first.0 == last.0 || kinks.len() > LISTED {
            1
        } else {
            1 << kinks.len()
        };
        (0..starts)
            .map(|pattern| {
                let open = (0..kinks.len()).map(|i| pattern >> i & 1 == 0);
                self.gradient(n, &self.swept(n, direction, open.collect()))
            })
            .max_by(|a, b| a.dot(direction).total_cmp(&b.dot(direction)))
    }

    /// Backward sweeps from `gates` until none changes.
    fn swept(&self, n: usize, direction: &DVector<f64>, mut gates: Gates) -> Gates {
        for _ in 0..SWEEPS {
            let before = gates.clone();
            let moved = self.moved(n, direction, &gates);
            self.backward(n, &mut |l, d, open| {
                let kinks = self.kinks[n].iter().zip(&mut gates);
                for (&(_, j), gate) in kinks.filter(|(kink, _)| kink.0 == l) {
                    *gate = d[j] * moved[l][j] >= 0.0;
                    open[j] = self.gate_of(*gate);
                }
            });
            if gates == before {
                break;
            }
        }
        gates
    }

    /// Derivatives of the preactivations `a_1 … a_{L−1}` of a sample along a direction of θ.
    fn moved(&self, n: usize, direction: &DVector<f64>, gates: &Gates) -> Vec<DVector<f64>> {
        let mut start = 0;
        let mut inputs_move = DVector::zeros(self.weights[0].nrows());
        let mut moved = Vec::with_capacity(self.pass.preactivations.len());
        for l in 0..self.pass.preactivations.len() {
            let (inputs, units) = self.weights[l].shape();
            let along = direction
                .rows(start, inputs * units)
                .reshape_generic(nalgebra::Dyn(inputs), nalgebra::Dyn(units));
            start += inputs * units;
            let h = self.pass.activations[l].column(n);
            let a = along.tr_mul(&h) + self.weights[l].tr_mul(&inputs_move);
            let mut open = self.pass.slopes[l].gates.column(n).into_owned();
            self.set_gates(n, l, gates, &mut open);
            inputs_move = open.component_mul(&a);
            moved.push(a);
        }
        moved
    }

    fn gradient(&self, n: usize, gates: &Gates) -> DVector<f64> {
        let parameters = self.weights.iter().map(|w| w.len()).sum();
        let mut gradient = DVector::zeros(parameters);
        let mut end = parameters - self.features().nrows();
        let y = self.data.labels()[n];
        gradient
            .rows_mut(end, parameters - end)
            .axpy(y, &self.features().column(n), 0.0);
        self.backward(n, &mut |l, d, open| {
            self.set_gates(n, l, gates, open);
            let w = &self.weights[l];
            let h = self.pass.activations[l].column(n);
            end -= w.len();
            for (j, w_j) in w.column_iter().enumerate() {
                let mut block = gradient.rows_mut(end + j * w.nrows(), w.nrows());
                block.axpy(d[j] * open[j], &h, 0.0);
                if let Some([of_weights, _]) = &self.pass.slopes[l].curved {
                    block.axpy(d[j] * of_weights[(j, n)], &w_j, 1.0);
                }
            }
        });
        gradient
    }

    /// Visits the hidden layers from the last to the first (l − 1) with `d_l = ∂m_n/∂h_l` and the open gates; the
    /// visitor may set others, which then apply to the layers below.
    fn backward(&self, n: usize, visit: &mut Visitor<'_>) {
        let mut d = self.weights[self.weights.len() - 1].column(0) * self.data.labels()[n];
        for l in (0..self.pass.preactivations.len()).rev() {
            let mut gates = self.pass.slopes[l].gates.column(n).into_owned();
            visit(l, &d, &mut gates);
            if l == 0 {
                break;
            }
            let (w, h) = (&self.weights[l], self.pass.activations[l].column(n));
            let mut below = DVector::zeros(w.nrows());
            for (j, w_j) in w.column_iter().enumerate() {
                below.axpy(d[j] * gates[j], &w_j, 1.0);
                if let Some([_, of_inputs]) = &self.pass.slopes[l].curved {
                    below.axpy(d[j] * of_inputs[(j, n)], &h, 1.0);
                }
            }
            d = below;
        }
    }

    fn set_gates(&self, n: usize, l: usize, sides: &Gates, gates: &mut DVector<f64>) {
        for (&(layer, j), &side) in self.kinks[n].iter().zip(sides) {
            if layer == l {
                gates[j] = self.gate_of(side);
            }
        }
    }

    /// The gate on one side of a kink.
    fn gate_of(&self, active: bool) -> f64 {
        let kink = self.activation.kink();
        kink.map_or(1.0, |kink| kink.gate(active))
    }
}

/// What [`Gradients::backward`] calls.
type Visitor<'v> = dyn FnMut(usize, &DVector<f64>, &mut DVector<f64>) + 'v;
