//! The [`Architecture`] of a ReLU network.

use super::Relu;
use super::stepper::ReluStepper;
use crate::dataset::Dataset;
use crate::network::stepping::{Lane, Stepper, Training};
use crate::network::{
    Architecture, Footprint, Kernel, Kind, Known, Layout, Network, OutputLayer, Signals, expect_fit,
};
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

pub(in crate::network) const KIND: Kind = Kind {
    key: "relu",
    about: "Fully connected layers with rectified units, without biases.",
    examples: |dimension| {
        let kinds: [(&[usize], f64); 3] = [(&[4], 0.0), (&[5, 3], 0.0), (&[4, 3], 0.2)];
        let networks = kinds.iter();
        networks
            .map(|(hidden, smoothing)| Network::relu(dimension, hidden, *smoothing))
            .collect()
    },
};

impl Architecture for Relu {
    fn key(&self) -> &'static str {
        KIND.key
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn margins(&self, theta: &[f64], data: &Dataset) -> DVector<f64> {
        let margins = self.outputs(theta, data.samples());
        // no sign where a sample is dead
        margins.zip_map(data.labels(), |f, y| y * f + 0.0)
    }

    fn output_layer(&self, theta: &[f64], data: &Dataset) -> Option<OutputLayer> {
        let weights = &theta[self.layout().range(self.layout().depth() - 1)];
        Some(OutputLayer {
            features: self.signed_features(theta, data),
            weights: DVector::from_column_slice(weights),
        })
    }

    fn kernel(&self, signals: Signals<'_>, data: &Dataset) -> Arc<dyn Kernel> {
        expect_fit(self, signals, data);
        Arc::new(self.relu_kernel(signals, data))
    }

    fn footprint(&self) -> Footprint {
        Footprint {
            copies: [24.0, 24.0],
            linearised: [0.0, 0.0, 3.0, 0.6, 4.0],
        }
    }

    fn known(&self) -> Known<'_> {
        Known::Gated(self)
    }

    /// With one hidden layer no gates lie between it and the output.
    fn fixed_signals(&self, signals: Signals<'_>) -> Option<Vec<DMatrix<f64>>> {
        match signals {
            Signals::Layerwise(f) if f.len() > 1 => None,
            signals => signals.composed(|f_l, above| f_l * above),
        }
    }

    fn stepper(&self, training: &Training<'_>, lanes: &[Lane]) -> Option<Box<dyn Stepper>> {
        Some(Box::new(ReluStepper::new(self, training, lanes)))
    }

    fn units(&self) -> Option<&Relu> {
        Some(self)
    }
}
