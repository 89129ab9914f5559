//! Fully connected linear networks: `β = w_1 w_2 ⋯ w_L`, `f = β·x`.
//!
//! # The vector field
//! The samples enter only through the column `z = Σ_n α_n g_n`. With the forward pass `h_0 = z`, `h_l = w_lᵀ h_{l−1}`,
//! the backward pass `s_L = 1`, `s_{l−1} = w_l s_l` (so `s_0 = β`) and the error signals `δ_l` (BP: `δ_l = s_l`; DFA:
//! `δ_l = b_l`; always `δ_L = 1`), every layer's velocity has rank one: `w_l' = h_{l−1} δ_lᵀ`. The predictor moves with
//! `β' = ṡ_0`, where `ṡ_L = 0` and `ṡ_{l−1} = h_{l−1}(δ_l·s_l) + w_l ṡ_l`.
//!
//! With C outputs, f = βᵀx, the same passes go through matrices of C columns (`classes`).

mod classes;
mod path;
mod rank_one_stepper;
mod reduced;
mod step;
mod stepper;

pub(crate) use rank_one_stepper::RankOneStepper;
pub use reduced::Reduction;

use super::stepping::{Lane, Stepper, Training};
use super::{
    Architecture, Footprint, Held, Kernel, Kind, Known, Layout, LinearisedStep, Network,
    OutputLayer, Signals, Tangent, View, WeightPath, blank, expect_fit, vectors,
};
use crate::dataset::Dataset;
use classes::ClassKernel;
use nalgebra::{DMatrix, DVector};
use path::RankOnePath;
use std::sync::Arc;
use step::FullyConnectedStep;
use stepper::FullyConnectedStepper;

pub(super) const KIND: Kind = Kind {
    key: "fully-connected-linear",
    about: "Fully connected linear layers.",
    examples: |dimension| {
        let widths: [&[usize]; 3] = [&[], &[dimension], &[dimension + 2, 3]];
        let networks = widths.iter();
        networks
            .map(|widths| Network::fully_connected(dimension, widths))
            .collect()
    },
};

/// A fully connected linear network; `w_l` is (inputs × units), the last layer has one unit per output.
#[derive(Debug, Clone, PartialEq)]
pub struct FullyConnectedLinear {
    layout: Layout,
}

impl FullyConnectedLinear {
    /// A network with input dimension `dimension` and hidden widths `hidden` (depth = `hidden.len() + 1`).
    pub fn new(dimension: usize, hidden: &[usize]) -> Self {
        Self::with_outputs(dimension, hidden, 1)
    }

    /// The same with C outputs.
    pub fn with_outputs(dimension: usize, hidden: &[usize], outputs: usize) -> Self {
        Self {
            layout: Layout::chain_to(dimension, hidden, outputs),
        }
    }

    fn has_one_output(&self) -> bool {
        self.outputs() == 1
    }
}

impl Architecture for FullyConnectedLinear {
    fn key(&self) -> &'static str {
        KIND.key
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn margins(&self, theta: &[f64], data: &Dataset) -> DVector<f64> {
        let views = self.layout.views(theta);
        if !self.has_one_output() {
            return classes::margins(data, &classes::predictor(&views));
        }
        data.signed_samples() * backward_pass(&views).swap_remove(0)
    }

    /// `β = w_1 ⋯ w_L`, multiplied out from the right.
    fn predictor(&self, theta: &[f64]) -> Option<DVector<f64>> {
        let views = self.layout.views(theta);
        if !self.has_one_output() {
            let beta = classes::predictor(&views);
            return Some(DVector::from_column_slice(beta.as_slice()));
        }
        Some(backward_pass(&views).swap_remove(0))
    }

    /// The features are `w_{L−1}ᵀ⋯w_1ᵀ x`.
    fn output_layer(&self, theta: &[f64], data: &Dataset) -> Option<OutputLayer> {
        if !self.has_one_output() {
            return Some(classes::output_layer(&self.layout.views(theta), data));
        }
        let w = self.layout.views(theta);
        let (last, hidden) = w.split_last()?;
        let signed = data.signed_samples().clone();
        Some(OutputLayer {
            features: hidden.iter().fold(signed, |features, w| features * w),
            weights: last.column(0).into_owned(),
        })
    }

    fn kernel(&self, signals: Signals<'_>, data: &Dataset) -> Arc<dyn Kernel> {
        expect_fit(self, signals, data);
        let feedback = self.fixed_signals(signals);
        if !self.has_one_output() {
            return Arc::new(ClassKernel::new(self.layout.clone(), feedback, data));
        }
        Arc::new(FullyConnectedKernel {
            layout: self.layout.clone(),
            feedback: feedback.map(vectors),
            signed_samples: data.signed_samples().clone(),
            idle: blank(data.signed_samples()),
        })
    }

    /// The fully implicit method, to which a run with factored velocities may be handed over, takes 22 copies.
    /// Of the samples, the tangent kernel of those that are stiff is kept, all of them early on.
    fn footprint(&self) -> Footprint {
        Footprint {
            copies: [16.0, 22.0],
            linearised: [2.0, 0.0, 1.0, 0.0, 0.0],
        }
    }

    fn known(&self) -> Known<'_> {
        match self.has_one_output() {
            true => Known::FullyConnected(self),
            false => Known::FullyConnectedClasses(self),
        }
    }

    /// `b_l = F_l F_{l+1} ⋯ F_{L−1}`: from `δ_L = 1`, `δ_l = F_l δ_{l+1}` is constant and equal to `b_l`.
    fn fixed_signals(&self, signals: Signals<'_>) -> Option<Vec<DMatrix<f64>>> {
        signals.composed(|f_l, above| f_l * above)
    }

    fn stepper(&self, training: &Training<'_>, lanes: &[Lane]) -> Option<Box<dyn Stepper>> {
        (self.has_one_output()).then(|| {
            Box::new(FullyConnectedStepper::new(self, training, lanes)) as Box<dyn Stepper>
        })
    }

    fn shares_lanes(&self) -> bool {
        self.has_one_output()
    }

    fn reducible(&self) -> Option<&FullyConnectedLinear> {
        self.has_one_output().then_some(self)
    }
}

/// `s_0 … s_L` with `s_L = 1`, `s_{l−1} = w_l s_l`.
fn backward_pass(w: &[View<'_>]) -> Vec<DVector<f64>> {
    let mut s = vec![DVector::from_element(1, 1.0)];
    for w_l in w.iter().rev() {
        s.push(w_l * &s[s.len() - 1]);
    }
    s.reverse();
    s
}

/// `h_0 … h_{L−1}` with `h_0 = z`, `h_l = w_lᵀ h_{l−1}`.
fn forward_pass(w: &[View<'_>], z: DVector<f64>) -> Vec<DVector<f64>> {
    let mut h = vec![z];
    for w_l in &w[..w.len() - 1] {
        h.push(w_l.tr_mul(&h[h.len() - 1]));
    }
    h
}

/// `target += x yᵀ` for a column-major matrix.
fn add_outer(target: &mut [f64], x: &DVector<f64>, y: &DVector<f64>, factor: f64) {
    for (column, y_j) in target.chunks_exact_mut(x.len()).zip(y.iter()) {
        let k = factor * y_j;
        for (t, x_i) in column.iter_mut().zip(x.iter()) {
            *t += k * x_i;
        }
    }
}

struct FullyConnectedKernel {
    layout: Layout,
    /// `b_1 … b_{L−1}` where the feedback is fixed, none under BP.
    feedback: Option<Vec<DVector<f64>>>,
    signed_samples: DMatrix<f64>,
    idle: Vec<usize>,
}

/// All passes at one point `(θ, α)`.
struct Passes {
    /// `h_0 … h_{L−1}`
    h: Vec<DVector<f64>>,
    /// `s_0 … s_L`
    s: Vec<DVector<f64>>,
    /// `ṡ_0 … ṡ_L`
    s_dot: Vec<DVector<f64>>,
    /// `δ_1 … δ_L` (index l − 1)
    delta: Vec<DVector<f64>>,
}

impl FullyConnectedKernel {
    fn column(&self, multipliers: &[f64]) -> DVector<f64> {
        self.signed_samples
            .tr_mul(&DVector::from_column_slice(multipliers))
    }

    fn passes(&self, w: &[View<'_>], multipliers: &[f64]) -> Passes {
        let depth = w.len();
        let h = forward_pass(w, self.column(multipliers));
        let s = backward_pass(w);
        let delta: Vec<DVector<f64>> = (1..=depth)
            .map(|l| match &self.feedback {
                Some(b) if l < depth => b[l - 1].clone(),
                _ => s[l].clone(),
            })
            .collect();
        let mut s_dot = vec![DVector::zeros(1)];
        for l in (1..=depth).rev() {
            let mut next = w[l - 1] * &s_dot[s_dot.len() - 1];
            next.axpy(delta[l - 1].dot(&s[l]), &h[l - 1], 1.0);
            s_dot.push(next);
        }
        s_dot.reverse();
        Passes { h, s, s_dot, delta }
    }
}

impl Kernel for FullyConnectedKernel {
    fn parameters(&self) -> usize {
        self.layout.parameters()
    }

    fn samples(&self) -> usize {
        self.signed_samples.nrows()
    }

    fn layers(&self) -> Vec<usize> {
        self.layout.lengths()
    }

    fn idle(&self) -> &[usize] {
        &self.idle
    }

    /// Under gradient descent `w_lᵀw_l − w_{l+1}w_{l+1}ᵀ` is constant. Where all of these are exactly zero, layers have
    /// rank one and one norm, which falls at most exponentially; a single entry then keeps its sign if the samples
    /// have one feature only.
    fn held(&self, theta: &[f64]) -> Held {
        let w = self.layout.views(theta);
        let balanced = w
            .windows(2)
            .all(|pair| pair[0].tr_mul(&pair[0]) == pair[1] * pair[1].transpose());
        if self.feedback.is_some() || w.len() < 2 || !balanced || w[0].amax() == 0.0 {
            return Held::default();
        }
        let entries = |w: &View<'_>| w.iter().filter(|w| **w != 0.0).count();
        let features = self.signed_samples.column_iter().enumerate();
        let features: Vec<usize> = features
            .filter(|(_, column)| column.amax() > 0.0)
            .map(|(d, _)| d)
            .collect();
        let single = w.iter().all(|w| entries(w) == 1)
            && matches!(features[..], [d] if w[0].row(d).amax() > 0.0);
        let weights = (0..theta.len()).filter(|i| single && theta[*i] != 0.0);
        Held {
            signs: weights.collect(),
            near: vec![(0..w.len()).map(|l| self.layout.range(l)).collect()],
        }
    }

    fn degree(&self) -> Option<i32> {
        let depth = i32::try_from(self.layout.depth()).ok()?;
        (self.feedback.is_none() && depth > 1).then_some(depth)
    }

    fn signed_samples(&self) -> Option<&DMatrix<f64>> {
        Some(&self.signed_samples)
    }

    fn on_rows(&self, rows: &DMatrix<f64>) -> Option<Arc<dyn Kernel>> {
        Some(Arc::new(Self {
            layout: self.layout.clone(),
            feedback: self.feedback.clone(),
            signed_samples: rows.clone(),
            idle: Vec::new(),
        }))
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let beta = &backward_pass(&self.layout.views(theta))[0];
        margins.copy_from_slice((&self.signed_samples * beta).as_slice());
    }

    fn velocity(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        velocity: &mut [f64],
        rates: &mut [f64],
    ) {
        let w = self.layout.views(theta);
        let p = self.passes(&w, multipliers);
        velocity.fill(0.0);
        for (l, layer) in self.layout.split_mut(velocity).into_iter().enumerate() {
            add_outer(layer, &p.h[l], &p.delta[l], 1.0);
        }
        rates.copy_from_slice((&self.signed_samples * &p.s_dot[0]).as_slice());
    }

    fn tangent(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent {
        let (w, dw) = (self.layout.views(theta), self.layout.views(d_theta));
        let depth = w.len();
        let p = self.passes(&w, multipliers);
        let mut dh = vec![self.column(d_multipliers)];
        for l in 1..depth {
            let next = w[l - 1].tr_mul(&dh[l - 1]) + dw[l - 1].tr_mul(&p.h[l - 1]);
            dh.push(next);
        }
        // ds, dṡ, dδ from the last layer down; dδ_l = ds_l under BP only.
        let mut ds = vec![DVector::zeros(1); depth + 1];
        let mut ds_dot = vec![DVector::zeros(1); depth + 1];
        let mut velocity = vec![0.0; theta.len()];
        for l in (1..=depth).rev() {
            let units = self.layout.shapes()[l - 1].1;
            let range = self.layout.range(l - 1);
            let d_delta = match &self.feedback {
                Some(_) => DVector::zeros(units),
                None => ds[l].clone(),
            };
            let (h, s, delta) = (&p.h[l - 1], &p.s[l], &p.delta[l - 1]);
            add_outer(&mut velocity[range.clone()], &dh[l - 1], delta, 1.0);
            add_outer(&mut velocity[range], h, &d_delta, 1.0);
            ds_dot[l - 1] = &dh[l - 1] * delta.dot(s)
                + h * (d_delta.dot(s) + delta.dot(&ds[l]))
                + dw[l - 1] * &p.s_dot[l]
                + w[l - 1] * &ds_dot[l];
            ds[l - 1] = dw[l - 1] * s + w[l - 1] * &ds[l];
        }
        Tangent {
            velocity,
            margins: &self.signed_samples * &ds[0],
            rates: &self.signed_samples * &ds_dot[0],
        }
    }

    fn path(&self, theta: &[f64], slots: usize) -> Option<Box<dyn WeightPath + '_>> {
        Some(Box::new(RankOnePath::new(self, theta, slots)))
    }

    fn linearise(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        step: f64,
    ) -> Option<Box<dyn LinearisedStep>> {
        let w = self.layout.views(theta);
        let passes = self.passes(&w, multipliers);
        let closes_by_itself = self.feedback.is_some();
        Some(Box::new(FullyConnectedStep::new(
            self.layout.clone(),
            &w,
            passes,
            closes_by_itself,
            step,
            &self.signed_samples,
        )))
    }
}

#[cfg(test)]
mod tests;
