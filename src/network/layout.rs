//! Where the weights of every layer lie in the flat vector θ. The one place with offset arithmetic.

use nalgebra::{DMatrix, DMatrixView};
use std::ops::Range;

/// A weight matrix inside θ, inputs × units.
pub(crate) type View<'a> = DMatrixView<'a, f64>;

/// Layers `w_1 … w_L`, each inputs × units, column by column, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    shapes: Vec<(usize, usize)>,
    /// Where every layer starts, and P at the end; sizes beyond `usize` saturate.
    starts: Vec<usize>,
}

impl Layout {
    /// A layout of layers with these shapes, inputs × units.
    pub fn new(shapes: Vec<(usize, usize)>) -> Self {
        let mut starts = vec![0];
        for (inputs, units) in &shapes {
            let start: usize = starts[starts.len() - 1];
            starts.push(start.saturating_add(inputs.saturating_mul(*units)));
        }
        Self { shapes, starts }
    }

    /// A chain of layers from `dimension` inputs through layers of `hidden` units to one output.
    pub fn chain(dimension: usize, hidden: &[usize]) -> Self {
        Self::chain_to(dimension, hidden, 1)
    }

    /// A chain of layers from `dimension` inputs through layers of `hidden` units to `outputs` of them.
    pub fn chain_to(dimension: usize, hidden: &[usize], outputs: usize) -> Self {
        let inputs = std::iter::once(dimension).chain(hidden.iter().copied());
        let units = hidden.iter().copied().chain([outputs]);
        Self::new(inputs.zip(units).collect())
    }

    /// Inputs and units of every layer.
    pub fn shapes(&self) -> &[(usize, usize)] {
        &self.shapes
    }

    /// Shapes of the hidden layers `w_1 … w_{L−1}`.
    pub fn hidden(&self) -> &[(usize, usize)] {
        self.shapes.split_last().map_or(&[], |(_, hidden)| hidden)
    }

    /// L.
    pub fn depth(&self) -> usize {
        self.shapes.len()
    }

    /// P.
    pub fn parameters(&self) -> usize {
        self.starts[self.shapes.len()]
    }

    /// Lengths of the layers in θ.
    pub fn lengths(&self) -> Vec<usize> {
        self.starts.windows(2).map(|w| w[1] - w[0]).collect()
    }

    /// Where the layer with this index (from 0) lies in θ.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn range(&self, layer: usize) -> Range<usize> {
        self.starts[layer]..self.starts[layer + 1]
    }

    /// The weights inside θ; entries of θ beyond P are ignored.
    ///
    /// # Panics
    /// If θ is shorter than P.
    pub(crate) fn views<'a>(&self, theta: &'a [f64]) -> Vec<View<'a>> {
        (self.shapes.iter().enumerate())
            .map(|(l, &(inputs, units))| {
                DMatrixView::from_slice(&theta[self.range(l)], inputs, units)
            })
            .collect()
    }

    /// Copies of the weights inside θ.
    ///
    /// # Panics
    /// If θ is shorter than P.
    pub fn matrices(&self, theta: &[f64]) -> Vec<DMatrix<f64>> {
        self.views(theta).iter().map(View::clone_owned).collect()
    }

    /// The layers of a flat vector, mutable.
    ///
    /// # Panics
    /// If it is shorter than P.
    pub(crate) fn split_mut<'a>(&self, flat: &'a mut [f64]) -> Vec<&'a mut [f64]> {
        let mut rest = flat;
        self.lengths()
            .into_iter()
            .map(|length| {
                let (layer, tail) = std::mem::take(&mut rest).split_at_mut(length);
                rest = tail;
                layer
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_lie_one_after_the_other() {
        let layout = Layout::chain(3, &[2, 4]);
        assert_eq!(layout.shapes(), [(3, 2), (2, 4), (4, 1)]);
        assert_eq!((layout.depth(), layout.parameters()), (3, 18));
        let theta: Vec<f64> = (0..20).map(f64::from).collect();
        let w = layout.matrices(&theta);
        assert_eq!(
            (w[0][(0, 1)], w[1][(1, 3)], w[2][(3, 0)]),
            (3.0, 13.0, 17.0)
        );
        let mut flat = theta.clone();
        for (l, layer) in layout.split_mut(&mut flat).into_iter().enumerate() {
            assert_eq!(layer, w[l].as_slice());
            assert_eq!(layout.range(l).len(), layer.len());
        }
    }

    #[test]
    fn sizes_that_no_machine_holds_do_not_overflow() {
        assert_eq!(Layout::chain(usize::MAX, &[3]).parameters(), usize::MAX);
        assert_eq!(Layout::new(Vec::new()).parameters(), 0);
    }
}
