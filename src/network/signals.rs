//! How error signals reach the hidden layers.

use nalgebra::{DMatrix, DVector};

/// How error signals reach the hidden layers: the `δ_l` (before the gates) that layer l's update `h_{l−1} δ_lᵀ` is
/// built from. The output layer always gets its true gradient, `δ_L = 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Signals<'a> {
    /// `δ_l = w_{l+1} δ_{l+1}`: back through the weights.
    Backward,
    /// `δ_l = F_l δ_{l+1}`: back through matrices `F_1 … F_{L−1}` of the shapes of `w_2 … w_L` (a filter for a filter).
    Layerwise(&'a [DMatrix<f64>]),
    /// `δ_l = b_l δ_L`: straight from the output, one vector per hidden layer, of that layer's width.
    Direct(&'a [DVector<f64>]),
}

/// Owned [`Signals`] of a kernel or a stepper, with matrices M and vectors V.
pub(super) enum Held<M, V> {
    Backward,
    Layerwise(Vec<M>),
    Direct(Vec<V>),
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
    /// Whether these are vectors of the given `lengths`, or matrices of the given `shapes`.
    pub(super) fn check(
        self,
        lengths: &[usize],
        shapes: &[(usize, usize)],
    ) -> Result<(), MisfitSignals> {
        let (found, expected): (Vec<_>, Vec<_>) = match self {
            Self::Backward => return Ok(()),
            Self::Layerwise(f) => (f.iter().map(DMatrix::shape).collect(), shapes.to_vec()),
            Self::Direct(b) => (
                b.iter().map(|b| (b.len(), 1)).collect(),
                lengths.iter().map(|length| (*length, 1)).collect(),
            ),
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

    /// The fixed error signal `b_{L−1}` of the last hidden layer; `None` for backpropagation, or without hidden
    /// layers.
    pub fn last(self) -> Option<DVector<f64>> {
        match self {
            Self::Backward => None,
            Self::Layerwise(f) => f.last().map(|f| f.column(0).into_owned()),
            Self::Direct(b) => b.last().cloned(),
        }
    }

    /// The vectors `b_l` these signals are equivalent to where layers are linear and errors pass no gate:
    /// `b_{L−1} = F_{L−1}` and `b_l = F_l b_{l+1}`, by the network's own `product` of a matrix, or filter, and a
    /// vector. `None` for backpropagation.
    pub(super) fn composed(
        self,
        product: impl Fn(&DMatrix<f64>, &DVector<f64>) -> DVector<f64>,
    ) -> Option<Vec<DVector<f64>>> {
        let matrices = match self {
            Self::Backward => return None,
            Self::Direct(b) => return Some(b.to_vec()),
            Self::Layerwise(matrices) => matrices,
        };
        let mut signals: Vec<DVector<f64>> = Vec::with_capacity(matrices.len());
        for f_l in matrices.iter().rev() {
            signals.push(match signals.last() {
                None => f_l.column(0).into_owned(),
                Some(above) => product(f_l, above),
            });
        }
        signals.reverse();
        Some(signals)
    }

    /// The same signals, with matrices and vectors converted to the caller's types.
    pub(super) fn held<M, V>(
        self,
        matrix: impl Fn(&DMatrix<f64>) -> M,
        vector: impl Fn(&DVector<f64>) -> V,
    ) -> Held<M, V> {
        match self {
            Self::Backward => Held::Backward,
            Self::Layerwise(f) => Held::Layerwise(f.iter().map(matrix).collect()),
            Self::Direct(b) => Held::Direct(b.iter().map(vector).collect()),
        }
    }

    /// The lengths of the axes of every matrix (two) or vector (one), layer by layer.
    pub fn axes(self) -> Vec<Vec<usize>> {
        match self {
            Self::Backward => Vec::new(),
            Self::Layerwise(f) => f.iter().map(|f| vec![f.nrows(), f.ncols()]).collect(),
            Self::Direct(b) => b.iter().map(|b| vec![b.len()]).collect(),
        }
    }

    /// Every matrix or vector, as numbers, layer by layer.
    pub fn numbers(self) -> Vec<&'a [f64]> {
        match self {
            Self::Backward => Vec::new(),
            Self::Layerwise(f) => f.iter().map(DMatrix::as_slice).collect(),
            Self::Direct(b) => b.iter().map(DVector::as_slice).collect(),
        }
    }
}
