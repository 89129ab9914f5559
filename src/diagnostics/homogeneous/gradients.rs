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

use crate::activation::{Activation, Argument, Formula};
use crate::dataset::Dataset;
use crate::network::Relu;
use nalgebra::{DMatrix, DVector};

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
    /// `a_1 … a_{L−1}`, units × N.
    preactivations: Vec<DMatrix<f64>>,
    /// `h_0 … h_{L−1}`, units × N.
    activations: Vec<DMatrix<f64>>,
    /// (l − 1, j) of the preactivations on their kink, by sample; layers ascend.
    kinks: Vec<Vec<(usize, usize)>>,
}

/// Derivatives of one layer at one sample, one entry per unit.
struct Slopes {
    gate: Vec<f64>,
    of_weights: Vec<f64>,
    of_inputs: Vec<f64>,
}

impl<'a> Gradients<'a> {
    pub(super) fn new(network: &Relu, theta: &[f64], data: &'a Dataset) -> Self {
        let preactivations = network.preactivations(theta, data.samples());
        let activations = network.activations(theta, data.samples());
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
        let mut kinks = vec![Vec::new(); data.len()];
        if network.activation().kink().is_some() {
            for (l, a) in preactivations.iter().enumerate() {
                let lengths: Vec<f64> = weights[l].column_iter().map(|w| w.norm()).collect();
                for (n, kinks) in kinks.iter_mut().enumerate() {
                    let size = activations[l].column(n).norm();
                    let on_kink = |j: &usize| a[(*j, n)].abs() <= KINK * lengths[*j] * size;
                    kinks.extend((0..a.nrows()).filter(on_kink).map(|j| (l, j)));
                }
            }
        }
        Self {
            data,
            activation: network.activation(),
            weights,
            preactivations,
            activations,
            kinks,
        }
    }

    /// Features `φ(x_n)` of the output layer, units × N.
    pub(super) fn features(&self) -> &DMatrix<f64> {
        &self.activations[self.activations.len() - 1]
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
            self.backward(n, &mut |l, d, slopes| {
                let kinks = self.kinks[n].iter().zip(&mut gates);
                for (&(_, j), gate) in kinks.filter(|(kink, _)| kink.0 == l) {
                    *gate = d[j] * moved[l][j] >= 0.0;
                    slopes.gate[j] = self.gate_of(*gate);
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
        let mut moved = Vec::with_capacity(self.preactivations.len());
        for l in 0..self.preactivations.len() {
            let (inputs, units) = self.weights[l].shape();
            let along = direction
                .rows(start, inputs * units)
                .reshape_generic(nalgebra::Dyn(inputs), nalgebra::Dyn(units));
            start += inputs * units;
            let h = self.activations[l].column(n);
            let a = along.tr_mul(&h) + self.weights[l].tr_mul(&inputs_move);
            let mut slopes = self.slopes(l, n);
            self.set_gates(n, l, gates, &mut slopes);
            inputs_move = DVector::from_fn(units, |j, _| slopes.gate[j] * a[j]);
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
        self.backward(n, &mut |l, d, slopes| {
            self.set_gates(n, l, gates, slopes);
            let w = &self.weights[l];
            let h = self.activations[l].column(n);
            end -= w.len();
            for (j, w_j) in w.column_iter().enumerate() {
                let mut block = gradient.rows_mut(end + j * w.nrows(), w.nrows());
                block.axpy(d[j] * slopes.gate[j], &h, 0.0);
                block.axpy(d[j] * slopes.of_weights[j], &w_j, 1.0);
            }
        });
        gradient
    }

    /// Visits the hidden layers from the last to the first (l − 1) with `d_l = ∂m_n/∂h_l`; the visitor may set gates,
    /// which then apply to the layers below.
    fn backward(&self, n: usize, visit: &mut dyn FnMut(usize, &DVector<f64>, &mut Slopes)) {
        let mut d = self.weights[self.weights.len() - 1].column(0) * self.data.labels()[n];
        for l in (0..self.preactivations.len()).rev() {
            let mut slopes = self.slopes(l, n);
            visit(l, &d, &mut slopes);
            if l == 0 {
                break;
            }
            let (w, h) = (&self.weights[l], self.activations[l].column(n));
            let mut below = DVector::zeros(w.nrows());
            for (j, w_j) in w.column_iter().enumerate() {
                below.axpy(d[j] * slopes.gate[j], &w_j, 1.0);
                below.axpy(d[j] * slopes.of_inputs[j], &h, 1.0);
            }
            d = below;
        }
    }

    fn set_gates(&self, n: usize, l: usize, gates: &Gates, slopes: &mut Slopes) {
        for (&(layer, j), &gate) in self.kinks[n].iter().zip(gates) {
            if layer == l {
                slopes.gate[j] = self.gate_of(gate);
            }
        }
    }

    /// The gate on one side of a kink.
    fn gate_of(&self, active: bool) -> f64 {
        let kink = self.activation.kink();
        kink.map_or(1.0, |kink| kink.gate(active))
    }

    fn slopes(&self, l: usize, n: usize) -> Slopes {
        let g = self.activation;
        let inputs = self.activations[l].column(n).norm_squared();
        let arguments: Vec<Argument> = self.weights[l]
            .column_iter()
            .zip(self.preactivations[l].column(n).iter())
            .map(|(w, &preactivation)| {
                let weights = w.norm_squared();
                Argument {
                    preactivation,
                    root: g.root(preactivation, (weights * inputs).sqrt()),
                    weights,
                    inputs,
                }
            })
            .collect();
        Slopes {
            gate: arguments.iter().map(|at| g.gate(*at)).collect(),
            of_weights: arguments.iter().map(|at| g.of_weights(*at)).collect(),
            of_inputs: arguments.iter().map(|at| g.of_inputs(*at)).collect(),
        }
    }
}
