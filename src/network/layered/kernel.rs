//! The vector field of a general network on a data set.

use super::Field;
use super::passes::{Forward, Motion};
use crate::dataset::Dataset;
use crate::network::signals::Held;
use crate::network::{Kernel, Tangent, outputs};
use nalgebra::{DMatrix, DVector};

/// A network under a rule on data.
pub(super) struct LayeredKernel {
    field: Field,
    data: Dataset,
    /// `Xᵀ`, D × N.
    inputs: DMatrix<f64>,
    /// Rows of samples that are zero, where no layer has a bias: their margins are zero, and they move nothing.
    blank: Vec<usize>,
    /// The degree of homogeneity of margins, where the velocity is the gradient's.
    degree: Option<i32>,
}

impl LayeredKernel {
    pub(super) fn new(field: Field, data: &Dataset, degree: Option<u32>) -> Self {
        let has_bias = field.layers.iter().any(|layer| layer.bias);
        let inputs = data.samples().transpose();
        let blank = |n: &usize| !has_bias && inputs.column(*n).iter().all(|x| *x == 0.0);
        let blank: Vec<usize> = (0..data.len())
            .filter(blank)
            .flat_map(|n| data.groups().rows_of(n))
            .collect();
        let descends = matches!(field.signals, Held::Backward);
        let degree = degree.and_then(|degree| i32::try_from(degree).ok());
        Self {
            degree: degree.filter(|degree| descends && *degree >= 2),
            data: data.clone(),
            field,
            inputs,
            blank,
        }
    }

    fn forward<'a>(&'a self, theta: &'a [f64]) -> Forward<'a> {
        Forward::new(&self.field, theta, &self.inputs)
    }

    /// e, C × N.
    fn errors(&self, multipliers: &[f64]) -> DMatrix<f64> {
        outputs::errors(&self.data, multipliers).transpose()
    }

    /// Of outputs or their changes, C × N.
    fn of_outputs(&self, outputs: &DMatrix<f64>) -> DVector<f64> {
        outputs::margins(&self.data, &outputs.transpose())
    }

    fn flatten(&self, layers: &[DMatrix<f64>], out: &mut [f64]) {
        for (part, layer) in self.field.layout.split_mut(out).into_iter().zip(layers) {
            part.copy_from_slice(layer.as_slice());
        }
    }
}

impl Kernel for LayeredKernel {
    fn parameters(&self) -> usize {
        self.field.layout.parameters()
    }

    fn samples(&self) -> usize {
        self.data.rows()
    }

    fn layers(&self) -> Vec<usize> {
        self.field.layout.lengths()
    }

    /// Rounded kinks hold weights at rates of order 1/ε, which is mild unless ε is small; runs that meet stiff ones are
    /// handed over to a fully implicit method.
    fn has_mild_weights(&self) -> bool {
        true
    }

    fn degree(&self) -> Option<i32> {
        self.degree
    }

    fn idle(&self) -> &[usize] {
        &self.blank
    }

    fn dead(&self) -> &[usize] {
        &self.blank
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let found = self.of_outputs(&self.forward(theta).outputs());
        margins.copy_from_slice(found.as_slice());
    }

    fn velocity(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        velocity: &mut [f64],
        rates: &mut [f64],
    ) {
        let pass = self.forward(theta);
        let Motion { velocity: v, .. } = pass.motion(&self.errors(multipliers));
        self.flatten(&v, velocity);
        let moved = pass.moved(&self.field.layout.views(velocity));
        rates.copy_from_slice(self.of_outputs(&moved.outputs).as_slice());
    }

    fn tangent(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent {
        let layout = &self.field.layout;
        let pass = self.forward(theta);
        let (e, de) = (self.errors(multipliers), self.errors(d_multipliers));
        let motion = pass.motion(&e);
        let mut v = vec![0.0; theta.len()];
        self.flatten(&motion.velocity, &mut v);
        let (v, dw) = (layout.views(&v), layout.views(d_theta));
        let (along_v, along_w) = (pass.moved(&v), pass.moved(&dw));
        let mut velocity = vec![0.0; theta.len()];
        let turned = pass.turned_motion(&motion, &e, (&dw, &along_w), &de);
        self.flatten(&turned, &mut velocity);
        let rates = pass.mixed((&v, &along_v), (&dw, &along_w), &layout.views(&velocity));
        Tangent {
            margins: self.of_outputs(&along_w.outputs),
            rates: self.of_outputs(&rates),
            velocity,
        }
    }

    /// Inner products of gradients with updates, layer by layer.
    fn tangent_kernel(&self, theta: &[f64], active: &[usize]) -> DMatrix<f64> {
        let (samples, e) = outputs::rows(&self.data);
        let all = Forward::new(&self.field, theta, &self.inputs.select_columns(&samples));
        let gradients = all.signals(&e, &Held::Backward);
        let own: Vec<usize> = active.iter().map(|row| samples[*row]).collect();
        let some = Forward::new(&self.field, theta, &self.inputs.select_columns(&own));
        let e_of_active = e.select_columns(active);
        let updates = some.signals(&e_of_active, &self.field.signals);
        let mut kernel = DMatrix::zeros(samples.len(), active.len());
        for l in 0..self.field.layers.len() {
            let rows = all.rays(l, (&gradients.0, &gradients.1), &e);
            let columns = some.rays(l, (&updates.0, &updates.1), &e_of_active);
            kernel += rows.transpose() * columns;
        }
        kernel
    }
}
