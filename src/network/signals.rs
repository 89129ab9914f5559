//! How error signals reach the hidden layers.

use nalgebra::{DMatrix, DVector};

/// How error signals reach the hidden layers: the `δ_l` (before the gates) that layer l's update `h_{l−1} δ_lᵀ` is
/// built from. The output layer always gets its true gradient: `δ_L = 1`, or one entry per output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Signals<'a> {
    /// `δ_l = w_{l+1} δ_{l+1}`: back through the weights.
    Backward,
    /// `δ_l = F_l δ_{l+1}`: back through matrices `F_1 … F_{L−1}` of the shapes of `w_2 … w_L` (a filter for a filter).
    Layerwise(&'a [DMatrix<f64>]),
    /// `δ_l = b_l δ_L`: straight from the outputs, one matrix per hidden layer, units × outputs (one column where there
    /// is one output).
    Direct(&'a [DMatrix<f64>]),
}

/// Owned [`Signals`] of a kernel or a stepper, with matrices M and vectors V.
pub(super) enum Held<M, V> {
    Backward,
    Layerwise(Vec<M>),
    Direct(Vec<V>),
}

/// Signals of networks with one output, whose matrices are single columns, as vectors.
pub(crate) fn vectors(signals: Vec<DMatrix<f64>>) -> Vec<DVector<f64>> {
    (signals.iter()).map(|b| b.column(0).into_owned()).collect()
}

/// Signals that do not have a network's shapes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MisfitSignals {
    /// One matrix or vector per hidden layer is needed.
    #[error("{found} feedback matrices or vectors for {expected} hidden layers")]
    Count { found: usize, expected: usize },
    /// A matrix or vector of another shape.
    #[error(
        "the feedback of layer {layer} is {} x {}, expected {} x {}",
        found.0, found.1, expected.0, expected.1
    )]
    Shape {
        /// l, from 1.
        layer: usize,
        found: (usize, usize),
        expected: (usize, usize),
    },
}

impl<'a> Signals<'a> {
    /// Whether these are matrices of the shapes `direct` (units × outputs), or `layerwise`.
    pub(super) fn check(
        self,
        direct: &[(usize, usize)],
        layerwise: &[(usize, usize)],
    ) -> Result<(), MisfitSignals> {
        let (found, expected): (Vec<_>, Vec<_>) = match self {
            Self::Backward => return Ok(()),
            Self::Layerwise(f) => (f.iter().map(DMatrix::shape).collect(), layerwise.to_vec()),
            Self::Direct(b) => (b.iter().map(DMatrix::shape).collect(), direct.to_vec()),
        };
        if found.len() != expected.len() {
            return Err(MisfitSignals::Count {
                found: found.len(),
                expected: expected.len(),
            });
        }
        let pairs = found.into_iter().zip(expected).enumerate();
        for (l, (found, expected)) in pairs {
            if found != expected {
                return Err(MisfitSignals::Shape {
                    layer: l + 1,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }

    /// The fixed error signal `b_{L−1}` of the last hidden layer, where there is one output; `None` for
    /// backpropagation, or without hidden layers.
    pub fn last(self) -> Option<DVector<f64>> {
        let last = match self {
            Self::Backward => None,
            Self::Layerwise(f) => f.last(),
            Self::Direct(b) => b.last(),
        };
        last.filter(|b| b.ncols() == 1)
            .map(|b| b.column(0).into_owned())
    }

    /// The matrices `b_l` these signals are equivalent to where layers are linear and errors pass no gate:
    /// `b_{L−1} = F_{L−1}` and `b_l = F_l b_{l+1}`, by the network's own `product` of a matrix, or filter, and what is
    /// above. `None` for backpropagation.
    pub(super) fn composed(
        self,
        product: impl Fn(&DMatrix<f64>, &DMatrix<f64>) -> DMatrix<f64>,
    ) -> Option<Vec<DMatrix<f64>>> {
        let matrices = match self {
            Self::Backward => return None,
            Self::Direct(b) => return Some(b.to_vec()),
            Self::Layerwise(matrices) => matrices,
        };
        let mut signals: Vec<DMatrix<f64>> = Vec::with_capacity(matrices.len());
        for f_l in matrices.iter().rev() {
            signals.push(match signals.last() {
                None => f_l.clone(),
                Some(above) => product(f_l, above),
            });
        }
        signals.reverse();
        Some(signals)
    }

    /// The same signals of one output, with matrices and vectors converted to the caller's types.
    pub(super) fn held<M, V>(
        self,
        matrix: impl Fn(&DMatrix<f64>) -> M,
        vector: impl Fn(&DVector<f64>) -> V,
    ) -> Held<M, V> {
        let vector = |b: &DMatrix<f64>| vector(&b.column(0).into_owned());
        match self {
            Self::Backward => Held::Backward,
            Self::Layerwise(f) => Held::Layerwise(f.iter().map(matrix).collect()),
            Self::Direct(b) => Held::Direct(b.iter().map(vector).collect()),
        }
    }

    /// The same signals, owned.
    pub(super) fn matrices(self) -> Held<DMatrix<f64>, DMatrix<f64>> {
        match self {
            Self::Backward => Held::Backward,
            Self::Layerwise(f) => Held::Layerwise(f.to_vec()),
            Self::Direct(b) => Held::Direct(b.to_vec()),
        }
    }

    /// The lengths of the axes of every matrix (two) or vector (one), layer by layer.
    pub fn axes(self) -> Vec<Vec<usize>> {
        match self {
            Self::Backward => Vec::new(),
            Self::Layerwise(f) => f.iter().map(|f| vec![f.nrows(), f.ncols()]).collect(),
            Self::Direct(b) => (b.iter())
                .map(|b| match b.shape() {
                    (units, 1) => vec![units],
                    (units, outputs) => vec![units, outputs],
                })
                .collect(),
        }
    }

    /// Every matrix or vector, as numbers, layer by layer.
    pub fn numbers(self) -> Vec<&'a [f64]> {
        match self {
            Self::Backward => Vec::new(),
            Self::Layerwise(f) => f.iter().map(DMatrix::as_slice).collect(),
            Self::Direct(b) => b.iter().map(DMatrix::as_slice).collect(),
        }
    }
}
