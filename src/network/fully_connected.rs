//! Fully connected linear networks: `β = w_1 w_2 ⋯ w_L`, `f = β·x`.

/// Shapes of a fully connected linear network; `w_l` is (inputs × units), the last layer has one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct FullyConnectedLinear {
    shapes: Vec<(usize, usize)>,
}

impl FullyConnectedLinear {
    /// A network with input dimension `dimension` and hidden widths `hidden` (depth = `hidden.len() + 1`).
    pub fn new(dimension: usize, hidden: &[usize]) -> Self {
        let mut shapes = Vec::with_capacity(hidden.len() + 1);
        let mut inputs = dimension;
        for &units in hidden {
            shapes.push((inputs, units));
            inputs = units;
        }
        shapes.push((inputs, 1));
        Self { shapes }
    }

    pub fn shapes(&self) -> &[(usize, usize)] {
        &self.shapes
    }
}
