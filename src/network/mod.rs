//! Network architectures: shapes, forward products, and the kernels the flow is built from.

mod fully_connected;
pub use fully_connected::FullyConnectedLinear;

/// A network architecture.
#[derive(Debug, Clone, PartialEq)]
pub enum Network {
    FullyConnectedLinear(FullyConnectedLinear),
}

impl Network {
    pub fn name(&self) -> &'static str {
        match self {
            Self::FullyConnectedLinear(_) => "fully-connected-linear",
        }
    }

    /// Shapes of the weights `w_1 … w_L`, inputs × units.
    pub fn shapes(&self) -> &[(usize, usize)] {
        match self {
            Self::FullyConnectedLinear(n) => n.shapes(),
        }
    }

    /// L.
    pub fn depth(&self) -> usize {
        self.shapes().len()
    }

    /// Number of parameters: θ is the concatenation of `w_1 … w_L`, each column by column.
    pub fn parameters(&self) -> usize {
        self.shapes().iter().map(|(r, c)| r * c).sum()
    }
}
