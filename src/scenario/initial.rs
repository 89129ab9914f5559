//! θ(0): zero, drawn or read; put on the conserved level on request; refused if no weight would ever move.

use super::build::Builder;
use super::schema::{FilePath, Initial};
use crate::activation::Formula;
use crate::dataset::{Dataset, standard_normals};
use crate::error::Result;
use crate::network::{Architecture, Network, Relu, Signals, View};
use crate::rule::Rule;
use nalgebra::DVector;
use std::ops::Range;
use toml::Spanned;

impl Builder<'_> {
    /// θ(0) from `w_1 … w_L`, each column by column. Gaussian draws fill them in this order.
    pub(super) fn initial(&self, network: &Network, rule: &Rule) -> Result<DVector<f64>> {
        let parameters = network.parameters();
        match self.document.initial.get_ref() {
            Initial::Zero => Ok(DVector::zeros(parameters)),
            Initial::Gaussian {
                scale,
                seed,
                level_set,
                zero_output,
            } => {
                let draws = standard_normals("initial", seed.get()).take(parameters);
                let mut weights = DVector::from_iterator(parameters, draws) * scale.get();
                let asked = |key: &Option<Spanned<bool>>| {
                    key.as_ref().filter(|key| *key.get_ref()).map(Spanned::span)
                };
                match (asked(level_set), asked(zero_output)) {
                    (Some(_), Some(zero)) => {
                        let problem = "level-set and zero-output both set the output weights";
                        Err(self.source.error(zero, problem, "keep one of them"))
                    }
                    (Some(level), None) => self.on_level_set(weights, network, rule, level),
                    (None, zero) => {
                        if let (Some(_), Some((inputs, units))) = (zero, network.shapes().last()) {
                            let output = inputs * units;
                            weights.rows_mut(parameters - output, output).fill(0.0);
                        }
                        Ok(network.theta(weights))
                    }
                }
            }
            Initial::Files(files) => self.initial_files(network, files),
        }
    }

    fn initial_files(&self, network: &Network, files: &[FilePath]) -> Result<DVector<f64>> {
        if files.len() != network.depth() {
            let (found, expected) = (files.len(), network.depth());
            let problem = format!("{found} weight files, but the network has {expected} layers");
            let advice = "give one file per layer, w_1, ..., w_L";
            return Err(self
                .source
                .error(self.document.initial.span(), &problem, advice));
        }
        let mut weights = Vec::with_capacity(network.parameters());
        for (l, (file, &shape)) in files.iter().zip(network.shapes()).enumerate() {
            let layer = self.matrix(file, &format!("w_{}", l + 1), shape)?;
            weights.extend_from_slice(layer.as_slice());
        }
        Ok(network.theta(DVector::from_vec(weights)))
    }

    /// Replaces the output weights by those on the conserved level, `b_j w_{L,j} = ½‖w_{L−1,j}‖²` with b the feedback
    /// of the last hidden layer.
    fn on_level_set(
        &self,
        weights: DVector<f64>,
        network: &Network,
        rule: &Rule,
        span: Range<usize>,
    ) -> Result<DVector<f64>> {
        let refused = |problem: &str, advice: &str| {
            let advice = format!("{advice}, or leave level-set out");
            Err(self.source.error(span.clone(), problem, &advice))
        };
        let Some(units) = network.units() else {
            return refused(
                "the level set b_j w_L,j = |w_(L-1),j|^2 / 2 is one of ReLU networks with one output",
                "use [network.relu] and labels of two values",
            );
        };
        let Some(feedback) = rule.signals().last().filter(|_| !rule.evolves()) else {
            return refused(
                "gradient descent has no feedback, and so no level set b_j w_L,j = |w_(L-1),j|^2 / 2",
                "use the rule direct-feedback-alignment or feedback-alignment",
            );
        };
        let mut theta = network.theta(weights);
        let output = level_set_weights(units, &theta, &feedback);
        if let Some(j) = output.iter().position(|w| !w.is_finite()) {
            let problem = format!(
                "b_j w_L,j = |w_(L-1),j|^2 / 2 has no solution w_L,j at hidden unit j = {}, whose feedback is b_j = {}",
                j + 1,
                feedback[j]
            );
            return refused(
                &problem,
                "use feedback without zeros for the last hidden layer",
            );
        }
        let start = theta.len() - output.len();
        theta.rows_mut(start, output.len()).copy_from(&output);
        Ok(theta)
    }

    /// Refuses initial weights at which no weight ever moves, whatever the multipliers.
    pub(super) fn check_moves(
        &self,
        rule: &Rule,
        network: &Network,
        theta0: &DVector<f64>,
        dataset: &Dataset,
    ) -> Result<()> {
        let span = self.document.initial.span();
        // Every gradient is a product of all layers but one (the slope of a ReLU unit with zero weights is one).
        if rule.signals() == Signals::Backward && zero_layers(network, theta0) >= 2 {
            let problem = "gradient descent never leaves this initialisation: with two or more zero layers every \
                 gradient is zero";
            let advice = "use initial.gaussian or non-zero weight files, or the rule direct-feedback-alignment";
            return Err(self.source.error(span, problem, advice));
        }
        let dead = network
            .units()
            .and_then(|units| dead_layer(units, theta0, dataset));
        if let Some(layer) = dead {
            let problem = format!(
                "no weight ever moves from this initialisation: all units of hidden layer {layer} are inactive on all \
                 samples"
            );
            let advice = "use other initial weights, another seed, or wider layers";
            return Err(self.source.error(span, &problem, advice));
        }
        Ok(())
    }
}

/// `w_{L,j} = ‖w_{L−1,j}‖²/(2b_j)`.
fn level_set_weights(relu: &Relu, theta: &DVector<f64>, feedback: &DVector<f64>) -> DVector<f64> {
    let mut w = relu.layout().views(theta.as_slice());
    let last = w.swap_remove(w.len() - 2);
    let pairs = last.column_iter().zip(feedback.iter());
    DVector::from_iterator(
        last.ncols(),
        pairs.map(|(w, b)| w.norm_squared() / (2.0 * b)),
    )
}

fn zero_layers(network: &Network, theta: &DVector<f64>) -> usize {
    let layers = network.layout().views(theta.as_slice());
    let is_zero = |w: &&View<'_>| w.iter().all(|w| *w == 0.0);
    layers.iter().filter(is_zero).count()
}

/// The first hidden layer (from 1) whose preactivations are all negative. If kinks close, its outputs and slopes
/// vanish: it and the layers below get no signal, those above no input, and no weight ever moves.
fn dead_layer(relu: &Relu, theta: &DVector<f64>, dataset: &Dataset) -> Option<usize> {
    relu.activation().kink().filter(|kink| kink.closes())?;
    relu.preactivations(theta.as_slice(), dataset.samples())
        .iter()
        .position(|a| a.iter().all(|&a| a < 0.0))
        .map(|l| l + 1)
}
