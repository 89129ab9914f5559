//! One layer of weights: what its units see of the layer below, and what they pass on.
//!
//! A layer below is a row of *positions* with some *channels* at each; unit `c + channels·p` is channel c at position
//! p. The D features of a sample are D positions with one channel. A layer first averages neighbouring positions, if it
//! is asked to, and then takes *patches*: all of its input (dense), or the k positions from p on, circularly, for every
//! position p, times `k^{−1/2}` (convolution). With a bias, patches end with a one. All patches of a layer meet the
//! same weights (patch × channels):
//! ```text
//! a_p = wᵀ patch_p,    h_p = g(a_p)
//! ```
//! The factor is that of the convolutional linear networks: with k = D, one channel and no activation a layer is one of
//! theirs.

use crate::activation::{Activation, Formula};
use nalgebra::DMatrix;

/// Positions and channels of what a layer passes on; a product of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub positions: usize,
    pub channels: usize,
}

impl Extent {
    /// positions · channels
    pub fn units(self) -> usize {
        self.positions.saturating_mul(self.channels)
    }
}

/// How a layer's patches lie in its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// One patch, all of the input, for this many units.
    Dense { units: usize },
    /// A circular convolution, `a_p = k^{−1/2} Σ_{i<k} w_i · h_{(p+i) mod positions}`, to this many channels.
    Convolution { kernel: usize, channels: usize },
}

/// What a layer is asked to be; its sizes follow from the layer below.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerSpec {
    /// Averages over so many neighbouring positions, one after the other, before anything else.
    pub pooling: Vec<usize>,
    pub connection: Connection,
    pub activation: Activation,
    pub bias: bool,
}

impl LayerSpec {
    /// A dense layer without bias on all of the layer below.
    pub fn dense(units: usize, activation: impl Into<Activation>) -> Self {
        Self {
            pooling: Vec::new(),
            connection: Connection::Dense { units },
            activation: activation.into(),
            bias: false,
        }
    }

    /// A circular convolution without bias.
    pub fn convolution(kernel: usize, channels: usize, activation: impl Into<Activation>) -> Self {
        Self {
            connection: Connection::Convolution { kernel, channels },
            ..Self::dense(channels, activation)
        }
    }
}

/// Why layers do not fit on each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Averages over a number of positions that does not divide them.
    #[error("an average over {size} positions of {positions}, which it does not divide")]
    Pooling { size: usize, positions: usize },
    /// A kernel longer than the row of positions it goes round.
    #[error("a kernel of {kernel} on {positions} positions")]
    Kernel { kernel: usize, positions: usize },
    /// Units of one weight with a rounded kink: `g` is `|w|` times a number on either side of w = 0.
    #[error("units with a single weight, whose kink at weight zero cannot be rounded off")]
    SingleWeight,
}

/// A layer with its sizes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    /// Before pooling.
    pub below: Extent,
    /// Product of the sizes of all averages.
    pub pooled: usize,
    pub connection: Connection,
    pub activation: Activation,
    pub bias: bool,
}

/// The same numbers in another shape.
pub(super) fn reshaped(m: DMatrix<f64>, rows: usize) -> DMatrix<f64> {
    let columns = m.len() / rows.max(1);
    m.reshape_generic(nalgebra::Dyn(rows), nalgebra::Dyn(columns))
}

impl Layer {
    /// Dense without bias, on all of `below` units.
    pub(super) fn dense(below: usize, units: usize, activation: Activation) -> Self {
        Self {
            below: Extent {
                positions: below,
                channels: 1,
            },
            pooled: 1,
            connection: Connection::Dense { units },
            activation,
            bias: false,
        }
    }

    /// Whether it is dense, without bias, on all of the layer below: its patch is what that passes on.
    pub(super) fn is_plain(&self) -> bool {
        self.pooled == 1 && !self.bias && matches!(self.connection, Connection::Dense { .. })
    }

    pub(super) fn new(spec: &LayerSpec, below: Extent) -> Result<Self, Misfit> {
        let mut positions = below.positions;
        for &size in &spec.pooling {
            if size == 0 || !positions.is_multiple_of(size) {
                return Err(Misfit::Pooling { size, positions });
            }
            positions /= size;
        }
        if let Connection::Convolution { kernel, .. } = spec.connection
            && !(1..=positions).contains(&kernel)
        {
            return Err(Misfit::Kernel { kernel, positions });
        }
        let layer = Self {
            below,
            pooled: below.positions / positions,
            connection: spec.connection,
            activation: spec.activation,
            bias: spec.bias,
        };
        match layer.shape().0 == 1 && layer.activation.softness() > 0.0 {
            true => Err(Misfit::SingleWeight),
            false => Ok(layer),
        }
    }

    /// In words.
    pub(super) fn description(&self) -> String {
        let averaged = match self.pooled {
            1 => String::new(),
            size => format!("average over {size}, "),
        };
        let connection = match self.connection {
            Connection::Dense { units } => format!("dense {units}"),
            Connection::Convolution { kernel, channels } => {
                format!("convolution {kernel} to {channels} channels")
            }
        };
        let bias = if self.bias { " with bias" } else { "" };
        let g = self.activation;
        let units = match (g.kink().is_some() || g.softness() > 0.0, g.description()) {
            (true, of) if of.is_empty() => " (ReLU)".to_owned(),
            (true, of) => format!(" (ReLU, {of})"),
            (false, _) if !g.curved() => String::new(),
            (false, of) => format!(" ({of})"),
        };
        format!("{averaged}{connection}{bias}{units}")
    }

    /// Of its input, after pooling.
    fn input(&self) -> Extent {
        Extent {
            positions: self.below.positions / self.pooled,
            ..self.below
        }
    }

    /// Of what it passes on.
    pub(super) fn above(&self) -> Extent {
        match self.connection {
            Connection::Dense { units } => Extent {
                positions: units,
                channels: 1,
            },
            Connection::Convolution { channels, .. } => Extent {
                positions: self.input().positions,
                channels,
            },
        }
    }

    /// Patches of one sample.
    pub(super) fn patches(&self) -> usize {
        match self.connection {
            Connection::Dense { .. } => 1,
            Connection::Convolution { .. } => self.input().positions,
        }
    }

    /// Entries of a patch without the one of the bias.
    pub(super) fn reach(&self) -> usize {
        match self.connection {
            Connection::Dense { .. } => self.input().units(),
            Connection::Convolution { kernel, .. } => kernel * self.below.channels,
        }
    }

    /// Shape of the weights: a patch, with the one of the bias, by channels.
    pub(super) fn shape(&self) -> (usize, usize) {
        let channels = match self.connection {
            Connection::Dense { units } => units,
            Connection::Convolution { channels, .. } => channels,
        };
        (self.reach() + usize::from(self.bias), channels)
    }

    /// All patches of `h` (units below × N), patch × (patches · N), those of one sample side by side; with ones for the
    /// bias if `of_values`, with zeros (as for changes of h) otherwise.
    pub(super) fn take(&self, h: &DMatrix<f64>, of_values: bool) -> DMatrix<f64> {
        let averaged = self.average(h);
        let (reach, patches) = (self.reach(), self.patches());
        let (rows, _) = self.shape();
        let factor = self.factor();
        let mut taken = DMatrix::zeros(rows, patches * h.ncols());
        for n in 0..h.ncols() {
            let units = averaged.column(n);
            for p in 0..patches {
                let mut patch = taken.column_mut(n * patches + p);
                self.places(p, |entry, unit| patch[entry] = factor * units[unit]);
                if self.bias && of_values {
                    patch[reach] = 1.0;
                }
            }
        }
        taken
    }

    /// The transpose of [`take`](Self::take): what patches are to blame for, collected on the units below; entries of
    /// biases are left out.
    pub(super) fn give_back(&self, patches: &DMatrix<f64>, samples: usize) -> DMatrix<f64> {
        let (count, factor) = (self.patches(), self.factor());
        let mut collected = DMatrix::zeros(self.input().units(), samples);
        for n in 0..samples {
            let mut units = collected.column_mut(n);
            for p in 0..count {
                let patch = patches.column(n * count + p);
                self.places(p, |entry, unit| units[unit] += factor * patch[entry]);
            }
        }
        self.spread(&collected)
    }

    /// What entries of a patch are multiplied by.
    fn factor(&self) -> f64 {
        match self.connection {
            Connection::Dense { .. } => 1.0,
            Connection::Convolution { kernel, .. } => (kernel as f64).sqrt().recip(),
        }
    }

    /// Every entry of patch p, with the unit of the averaged input that it is.
    fn places(&self, p: usize, mut visit: impl FnMut(usize, usize)) {
        let Extent {
            positions,
            channels,
        } = self.input();
        let first = match self.connection {
            Connection::Dense { .. } => 0,
            Connection::Convolution { .. } => p,
        };
        for entry in 0..self.reach() {
            let (step, channel) = (entry / channels, entry % channels);
            visit(entry, (first + step) % positions * channels + channel);
        }
    }

    /// Averages over neighbouring positions.
    fn average(&self, h: &DMatrix<f64>) -> DMatrix<f64> {
        if self.pooled == 1 {
            return h.clone();
        }
        let channels = self.below.channels;
        DMatrix::from_fn(self.input().units(), h.ncols(), |unit, n| {
            let (position, channel) = (unit / channels, unit % channels);
            let first = position * self.pooled;
            let sum: f64 = (first..first + self.pooled)
                .map(|position| h[(position * channels + channel, n)])
                .sum();
            sum / self.pooled as f64
        })
    }

    /// The transpose of [`average`](Self::average).
    fn spread(&self, averaged: &DMatrix<f64>) -> DMatrix<f64> {
        if self.pooled == 1 {
            return averaged.clone();
        }
        let channels = self.below.channels;
        DMatrix::from_fn(self.below.units(), averaged.ncols(), |unit, n| {
            let (position, channel) = (unit / channels, unit % channels);
            averaged[(position / self.pooled * channels + channel, n)] / self.pooled as f64
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::ExactRelu;
    use crate::dataset::standard_normals;

    fn matrix(seed: u64, (rows, columns): (usize, usize)) -> DMatrix<f64> {
        let draws = standard_normals("layer tests", seed).take(rows * columns);
        DMatrix::from_iterator(rows, columns, draws)
    }

    fn layers() -> Vec<Layer> {
        let below = Extent {
            positions: 6,
            channels: 2,
        };
        let dense = LayerSpec::dense(3, ExactRelu);
        let pooled = |spec: LayerSpec, pooling: &[usize]| LayerSpec {
            pooling: pooling.to_vec(),
            ..spec
        };
        let with_bias = LayerSpec {
            bias: true,
            ..LayerSpec::convolution(3, 4, ExactRelu)
        };
        let specs = [
            dense.clone(),
            LayerSpec::convolution(6, 1, ExactRelu),
            pooled(dense, &[3]),
            pooled(with_bias, &[2]),
        ];
        (specs.iter())
            .map(|spec| Layer::new(spec, below).unwrap())
            .collect()
    }

    #[test]
    fn patches_wrap_around_and_averages_are_means() {
        let layer = &layers()[3];
        // three positions of two channels are left, (0+2)/2, …
        let h = DMatrix::from_fn(12, 1, |unit, _| unit as f64);
        let patches = layer.take(&h, true);
        assert_eq!(patches.shape(), (7, 3));
        let expected = [
            [1.0, 2.0, 5.0, 6.0, 9.0, 10.0, 1.0],
            [5.0, 6.0, 9.0, 10.0, 1.0, 2.0, 1.0],
        ];
        for (p, expected) in expected.iter().enumerate() {
            for (i, (found, expected)) in patches.column(p).iter().zip(expected).enumerate() {
                let factor = if i < 6 { 3.0_f64.sqrt().recip() } else { 1.0 };
                assert_eq!(*found, factor * expected);
            }
        }
        assert_eq!((layer.shape(), layer.above().units()), ((7, 4), 12));
    }

    #[test]
    fn what_comes_back_is_the_transpose_of_what_was_taken() {
        for layer in layers() {
            let h = matrix(1, (12, 3));
            let taken = layer.take(&h, false);
            let blame = matrix(2, taken.shape());
            let back = layer.give_back(&blame, 3);
            let difference = taken.dot(&blame) - h.dot(&back);
            assert!(difference.abs() < 1e-12, "{layer:?}");
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let below = Extent {
            positions: 6,
            channels: 1,
        };
        let refused = |spec: LayerSpec| Layer::new(&spec, below).unwrap_err().to_string();
        let pooled = LayerSpec {
            pooling: vec![4],
            ..LayerSpec::dense(2, ExactRelu)
        };
        assert!(refused(pooled).contains("4 positions of 6"));
        assert!(refused(LayerSpec::convolution(7, 1, ExactRelu)).contains("kernel of 7 on 6"));
        assert!(refused(LayerSpec::convolution(0, 1, ExactRelu)).contains("kernel of 0"));
        assert!(
            refused(LayerSpec::convolution(1, 1, ExactRelu.rounded(0.1))).contains("single weight")
        );
    }
}
