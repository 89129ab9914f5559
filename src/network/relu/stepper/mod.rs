//! Finite steps of ReLU networks under backpropagation, feedback alignment and direct feedback alignment.
//!
//! Samples run down the columns: activations are N × units, one column per unit, so that operations common to all
//! samples run in vectors. With `e_n = η_k α_n y_n` and, from the [`activation`](crate::activation), the gates M (and
//! κ and μ if it is curved), one step is
//! ```text
//! a_l = w_lᵀ h_{l−1},            h_l = g(a_l),             f = w_Lᵀ h_{L−1}
//! s_l = w_{l+1} δ_{l+1} + h_l ∘ (1 1ᵀ(μ_{l+1} ∘ s_{l+1}))  (BP),   F_l δ_{l+1}  (FA),   b_l e  (DFA)
//! δ_l = M_l ∘ s_l,               δ_L = e
//! w_l ← w_l + h_{l−1} δ_lᵀ + w_l diag((κ_l ∘ s_l) 1)
//! ```
//! This follows [`Relu::kernel`], whose velocity is the slow twin.

mod curve;
#[cfg(test)]
mod tests;

use crate::activation::{Activation, Formula};
use crate::network::signals::Held;
use crate::network::stepping::columns::{Coefficients, Columns, column, combine, dot};
use crate::network::stepping::run::{self, Run};
use crate::network::stepping::vector::width;
use crate::network::stepping::weights::Weights;
use crate::network::stepping::{Lane, Stepper, Training};
use crate::network::{Architecture, Relu};
use curve::Curve;
use pulp::{Arch, Simd, WithSimd};

/// Steps of a ReLU network, one lane after the other.
pub(super) struct ReluStepper {
    arch: Arch,
    passes: Passes,
    /// Each updates `w_1 … w_L`.
    runs: Vec<Run>,
}

/// Scratch and data of a step; no state is carried over to the next step.
struct Passes {
    activation: Activation,
    signals: Held<Columns, Vec<f64>>,
    /// y, N × 1
    labels: Columns,
    /// `Xᵀ`, D × N; its columns are added to the first layer.
    samples: Columns,
    /// X, N × D
    inputs: Columns,
    hidden: Vec<Layer>,
    /// `f`, N × 1
    outputs: Columns,
    /// e, N × 1
    errors: Columns,
    /// `m_n`, then `η_k α_n`; N × 1
    weights: Columns,
}

/// A hidden layer at one state.
struct Layer {
    /// `h_l`, N × units
    h: Columns,
    /// `h_lᵀ`, where the layer above is hidden as well
    transposed: Option<Columns>,
    /// M, N × units
    gates: Columns,
    /// δ, N × units
    errors: Columns,
    /// For curved activations only.
    curve: Option<Curve>,
}

impl ReluStepper {
    pub(super) fn new(network: &Relu, training: &Training<'_>, lanes: &[Lane]) -> Self {
        let arch = Arch::new();
        let n = training.data.len();
        let shapes = network.shapes();
        let hidden = &shapes[..shapes.len() - 1];
        let activation = network.activation();
        let layer = |(l, &(_, units)): (usize, &(usize, usize))| Layer {
            h: Columns::zeros(n, units),
            transposed: (l + 1 < hidden.len()).then(|| Columns::zeros(units, n)),
            gates: Columns::zeros(n, units),
            errors: Columns::zeros(n, units),
            curve: activation
                .curved()
                .then(|| Curve::new(activation, n, units)),
        };
        let passes = Passes {
            activation,
            signals: (training.signals).held(Columns::new, |b| b.as_slice().to_vec()),
            labels: column(training.data.labels()),
            samples: Columns::new(&training.data.samples().transpose()),
            inputs: Columns::new(training.data.samples()),
            hidden: hidden.iter().enumerate().map(layer).collect(),
            outputs: Columns::zeros(n, 1),
            errors: Columns::zeros(n, 1),
            weights: Columns::zeros(n, 1),
        };
        let run = |lane: &Lane| {
            let w = network.weights(lane.theta.as_slice());
            let w = w.iter().map(Columns::new).collect();
            Run::new(training, lane, width(arch), w)
        };
        Self {
            arch,
            passes,
            runs: lanes.iter().map(run).collect(),
        }
    }
}

impl Stepper for ReluStepper {
    fn lanes(&self) -> usize {
        self.runs.len()
    }

    fn advance(&mut self, steps: u64) {
        for run in &mut self.runs {
            self.arch.dispatch(Advance {
                passes: &mut self.passes,
                run,
                steps,
            });
        }
    }

    fn theta(&self, lane: usize, theta: &mut [f64]) {
        self.runs[lane].write(theta);
    }

    fn log_time(&self, lane: usize) -> f64 {
        self.runs[lane].pace.log_time(0)
    }

    fn state(&self) -> Vec<f64> {
        run::state(&self.runs)
    }

    fn restore(&mut self, state: &[f64]) {
        run::restore(&mut self.runs, state);
    }
}

/// Steps of one run.
struct Advance<'a> {
    passes: &'a mut Passes,
    run: &'a mut Run,
    steps: u64,
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            passes,
            run: Run { pace, moved: w },
            steps,
        } = self;
        for _ in 0..steps {
            passes.forward(simd, w);
            passes.weigh(simd, pace);
            passes.backward(simd, w);
            passes.update(simd, w);
        }
    }
}

impl Passes {
    /// Activations, gates and outputs.
    #[inline(always)]
    fn forward<S: Simd>(&mut self, simd: S, w: &[Columns]) {
        for (l, w) in w[..self.hidden.len()].iter().enumerate() {
            let (below, rest) = self.hidden.split_at_mut(l);
            let inputs = below.last().map_or(&self.inputs, |below| &below.h);
            let layer = &mut rest[0];
            combine(simd, &mut layer.h, inputs, w.right(), false);
            match &mut layer.curve {
                None => {
                    let (h, gates) = (layer.h.entries_mut(), layer.gates.entries_mut());
                    self.activation.cut(h, gates);
                }
                Some(curve) => curve.bend(simd, w, inputs, &mut layer.h, &mut layer.gates),
            }
            if let Some(transposed) = &mut layer.transposed {
                transposed.transpose_from(&layer.h);
            }
        }
        let features = self.hidden.last().map_or(&self.inputs, |last| &last.h);
        let output = &w[self.hidden.len()];
        combine(simd, &mut self.outputs, features, output.right(), false);
    }

    /// The output errors.
    #[inline(always)]
    fn weigh<S: Simd>(&mut self, simd: S, pace: &mut Weights) {
        let samples = self.weights.rows();
        let weights = self.weights.entries_mut();
        let labels = self.labels.entries();
        for ((m, f), y) in weights.iter_mut().zip(self.outputs.entries()).zip(labels) {
            *m = y * f;
        }
        weights[samples..].fill(f64::INFINITY);
        pace.weigh(simd, weights);
        let errors = self.errors.entries_mut().iter_mut();
        for ((e, weight), y) in errors.zip(weights).zip(labels) {
            *e = y * *weight;
        }
    }

    /// The errors δ of the hidden layers, from the last down.
    #[inline(always)]
    fn backward<S: Simd>(&mut self, simd: S, w: &[Columns]) {
        for l in (0..self.hidden.len()).rev() {
            let (rest, above) = self.hidden.split_at_mut(l + 1);
            let layer = &mut rest[l];
            let errors = above.first().map_or(&self.errors, |above| &above.errors);
            let signals = &mut layer.errors;
            match &self.signals {
                Held::Backward => {
                    let through = w[l + 1].right_transposed();
                    combine(simd, signals, errors, through, false);
                    if let Some(curve) = above.first().and_then(|above| above.curve.as_ref()) {
                        curve.pull(signals, &layer.h);
                    }
                }
                Held::Layerwise(f) => {
                    combine(simd, signals, errors, f[l].right_transposed(), false);
                }
                Held::Direct(b) => {
                    let outer = Coefficients {
                        entries: &b[l],
                        term: 0,
                        sum: 1,
                    };
                    combine(simd, signals, &self.errors, outer, false);
                }
            }
            if let Some(curve) = &mut layer.curve {
                curve.stretch(simd, signals);
            }
            for (error, gate) in signals.entries_mut().iter_mut().zip(layer.gates.entries()) {
                *error *= gate;
            }
        }
    }

    #[inline(always)]
    fn update<S: Simd>(&self, simd: S, w: &mut [Columns]) {
        let mut inputs = &self.samples;
        for (layer, w) in self.hidden.iter().zip(w.iter_mut()) {
            if let Some(curve) = &layer.curve {
                for (w, along) in w.columns_mut().zip(curve.along()) {
                    w.iter_mut().for_each(|w| *w += *w * along);
                }
            }
            combine(simd, w, inputs, layer.errors.right(), true);
            inputs = layer.transposed.as_ref().unwrap_or(inputs);
        }
        let output = &mut w[self.hidden.len()];
        match self.hidden.last() {
            Some(last) => {
                for (w, h) in output.entries_mut().iter_mut().zip(last.h.columns()) {
                    *w += dot(simd, h, self.errors.entries());
                }
            }
            None => combine(simd, output, &self.samples, self.errors.right(), true),
        }
    }
}
