//! What all pieces of a vector field share: layers, data, and the ways of error signals.

use super::pattern::Pattern;
use crate::activation::{Activation, Formula, Kink};
use crate::dataset::Dataset;
use crate::network::layer::{Layer, reshaped};
use crate::network::signals::Held;
use crate::network::{Layout, Signals, outputs};
use nalgebra::{DMatrix, DVector};
use std::ops::Range;

/// What all pieces of a vector field share.
pub(super) struct Setting {
    pub layout: Layout,
    /// Hidden layers and the output layer.
    pub layers: Vec<Layer>,
    /// Whether every layer is dense, without bias, on all of the one below: units and patches are the same numbers.
    pub plain: bool,
    /// g of the first hidden layer: of all, where kinks are rounded.
    pub activation: Activation,
    pub signals: Held<DMatrix<f64>, DMatrix<f64>>,
    /// What the first layer sees, patch × (patches · N): `Xᵀ` where it is dense.
    pub inputs: DMatrix<f64>,
    pub data: Dataset,
    /// `y_n`, where there is one output.
    pub labels: DVector<f64>,
    /// The sample of every row of the data, and `∂m/∂f` of it, C × rows.
    pub rows: (Vec<usize>, DMatrix<f64>),
}

impl Setting {
    pub(super) fn new(
        layers: &[Layer],
        layout: &Layout,
        signals: Signals<'_>,
        data: &Dataset,
    ) -> Self {
        let inputs = data.samples().transpose();
        let plain = layers.iter().all(Layer::is_plain);
        Self {
            layout: layout.clone(),
            plain,
            activation: layers[0].activation,
            signals: signals.matrices(),
            inputs: if plain {
                inputs
            } else {
                layers[0].take(&inputs, true)
            },
            labels: data.labels().clone(),
            rows: outputs::rows(data),
            data: data.clone(),
            layers: layers.to_vec(),
        }
    }

    /// Number of hidden layers L − 1.
    pub(super) fn hidden(&self) -> usize {
        self.layers.len() - 1
    }

    /// Whether kinks are rounded over lengths of weights and inputs.
    pub(super) fn is_rounded(&self) -> bool {
        self.activation.softness() > 0.0
    }

    /// Whether all hidden units have kinks, exact or rounded.
    pub(super) fn is_of_kinks(&self) -> bool {
        self.is_rounded() || self.kinks().iter().all(Option::is_some)
    }

    /// The kinks of the hidden layers that have one.
    pub(super) fn kinks(&self) -> Vec<Option<Kink>> {
        let hidden = self.layers[..self.hidden()].iter();
        hidden.map(|layer| layer.activation.kink()).collect()
    }

    /// Columns that one sample has in a layer (from 0, the output layer included): its patches.
    pub(super) fn patches(&self, layer: usize) -> usize {
        self.layers[layer].patches()
    }

    /// The columns of these samples in a layer.
    pub(super) fn columns(&self, layer: usize, samples: &[usize]) -> Vec<usize> {
        let patches = self.patches(layer);
        (samples.iter())
            .flat_map(|n| n * patches..(n + 1) * patches)
            .collect()
    }

    /// What layer `layer` > 0 sees of outputs h of the one below (channels × (patches · N)), or of changes of them if
    /// not `of_values`.
    pub(super) fn taken(&self, layer: usize, h: DMatrix<f64>, of_values: bool) -> DMatrix<f64> {
        if self.plain {
            return h;
        }
        let units = self.layers[layer - 1].above().units();
        self.layers[layer].take(&reshaped(h, units), of_values)
    }

    /// The transpose of [`taken`](Self::taken): what patches of layer `layer` > 0 are to blame for, collected on the
    /// outputs of the one below.
    pub(super) fn given_back(&self, layer: usize, blame: DMatrix<f64>) -> DMatrix<f64> {
        if self.plain {
            return blame;
        }
        let samples = blame.ncols() / self.patches(layer).max(1);
        self.arrived(layer - 1, self.layers[layer].give_back(&blame, samples))
    }

    /// Signals at the units of a hidden layer (units × N), as channels × (patches · N).
    pub(super) fn arrived(&self, layer: usize, signals: DMatrix<f64>) -> DMatrix<f64> {
        if self.plain {
            return signals;
        }
        reshaped(signals, self.layers[layer].shape().1)
    }

    /// e, C × N.
    pub(super) fn errors(&self, multipliers: &[f64]) -> DMatrix<f64> {
        if self.rows.1.nrows() == 1 {
            let errors = self.labels.iter().zip(multipliers).map(|(y, a)| y * a);
            return DMatrix::from_iterator(1, self.labels.len(), errors);
        }
        outputs::errors(&self.data, multipliers).transpose()
    }

    /// Margins of outputs f, C × N, or changes of them.
    pub(super) fn margins(&self, outputs: &DMatrix<f64>) -> DVector<f64> {
        if self.rows.1.nrows() == 1 {
            let outputs = outputs.iter().zip(self.labels.iter());
            return DVector::from_iterator(self.labels.len(), outputs.map(|(f, y)| f * y));
        }
        outputs::margins(&self.data, &outputs.transpose())
    }

    /// Rows of the data of these samples.
    pub(super) fn rows_of(&self, samples: &[usize]) -> Vec<usize> {
        let groups = self.data.groups();
        samples.iter().flat_map(|n| groups.rows_of(*n)).collect()
    }

    /// Where column `unit` of `w_l` is in θ, `layer` = l − 1.
    pub(super) fn column(&self, layer: usize, unit: usize) -> Range<usize> {
        let start = self.layout.range(layer).start;
        let inputs = self.layout.shapes()[layer].0;
        start + unit * inputs..start + (unit + 1) * inputs
    }

    /// Whether nothing of a sample arrives anywhere, `x_n = 0` without biases.
    pub(super) fn is_blank(&self, sample: usize) -> bool {
        let columns = self.columns(0, &[sample]).into_iter();
        let mut inputs = columns.map(|n| self.inputs.column(n));
        inputs.all(|x| x.iter().all(|x| *x == 0.0)) && self.forgets_above(0)
    }

    /// Whether nothing passes the layers above this one that has not come through it: none of them has a bias.
    pub(super) fn forgets_above(&self, layer: usize) -> bool {
        self.layers[layer + 1..].iter().all(|layer| !layer.bias)
    }

    /// Rows of samples whose multipliers move no weight: blank ones, those on which the first layer is dark, and, where
    /// error signals pass down through the layers, those on which any layer is dark (direct feedback still moves the
    /// layers below it).
    pub(super) fn idle(&self, pattern: &Pattern) -> Vec<usize> {
        let layers = match self.signals {
            Held::Direct(_) => self.hidden().min(1),
            Held::Backward | Held::Layerwise(_) => self.hidden(),
        };
        self.rows_of(&self.dark(pattern, layers))
    }

    /// Rows of samples whose margins are zero on this piece: blank ones, and those that some layer is dark on.
    pub(super) fn dead(&self, pattern: &Pattern) -> Vec<usize> {
        self.rows_of(&self.dark(pattern, self.hidden()))
    }

    /// Blank samples, and those that one of the first `layers` layers is dark on.
    pub(super) fn dark(&self, pattern: &Pattern, layers: usize) -> Vec<usize> {
        let closes = |layer: &usize| {
            let kink = self.layers[*layer].activation.kink();
            kink.is_some_and(Kink::closes) && self.forgets_above(*layer)
        };
        let closing: Vec<usize> = (0..layers).filter(closes).collect();
        let is_dark = |n: &usize| {
            let mut layers = closing.iter();
            layers.any(|layer| {
                (self.columns(*layer, &[*n]).iter()).all(|n| pattern.is_dark(*layer, *n))
            })
        };
        (0..self.data.len())
            .filter(|n| self.is_blank(*n) || is_dark(n))
            .collect()
    }

    /// Moves the output weights of a unit of which `½‖w_j‖²` has grown by `gained`, so that `b_j·w_L[j] − ½‖w_j‖²` is
    /// what it was: in the last hidden layer, where feedback is fixed and each unit has output weights of its own.
    pub(super) fn stay_on_level(
        &self,
        theta: &mut [f64],
        (layer, unit): (usize, usize),
        gained: f64,
    ) {
        let last = layer + 1 == self.hidden();
        let by = last.then(|| self.on_level(unit, gained)).flatten();
        for (output, by) in by.iter().flat_map(|by| by.iter().enumerate()) {
            theta[self.column(self.hidden(), output).start + unit] += by;
        }
    }

    /// The change of a unit's output weights that [`stay_on_level`](Self::stay_on_level) makes, by output.
    fn on_level(&self, unit: usize, gained: f64) -> Option<DVector<f64>> {
        let b = match &self.signals {
            Held::Backward => None,
            Held::Layerwise(f) => f.last(),
            Held::Direct(b) => b.last(),
        };
        let b = b.filter(|_| self.plain)?.row(unit).transpose();
        let square = b.norm_squared();
        (square > 0.0).then(|| b * (gained / square))
    }
}
