//! General networks as one would first write them: one sample, one unit, one weight at a time, kinks rounded over ε.

use marginflow::network::{Connection, LayerSpec, Signals};
use marginflow::problem::Problem;
use nalgebra::{DMatrix, DVector};

/// g, ∂g/∂a, and the coefficients of w and of x in its other derivatives, by the name of an activation.
fn unit(name: &str, slope: f64, epsilon: f64, (a, w, x): (f64, f64, f64)) -> [f64; 4] {
    match name {
        "identity" => [a, 1.0, 0.0, 0.0],
        "quadratic" => [a * a, 2.0 * a, 0.0, 0.0],
        "relu-power" => [a.max(0.0).powi(2), 2.0 * a.max(0.0), 0.0, 0.0],
        _ => {
            let q = (a * a + epsilon * epsilon * w * w * x * x).sqrt();
            // no weights, or nothing to see: the derivative is one, as the report takes g'(0)
            if q == 0.0 {
                return [0.0, 1.0, 0.0, 0.0];
            }
            let half = 0.5 * (1.0 - slope);
            let bend = half * epsilon * epsilon / q;
            [
                slope * a + half * (a + q),
                slope + half * (1.0 + a / q),
                bend * x * x,
                bend * w * w,
            ]
        }
    }
}

/// A network: its hidden layers with the names of their activations, and ε.
pub struct Plain {
    hidden: Vec<LayerSpec>,
    names: Vec<(&'static str, f64)>,
    epsilon: f64,
    transposes: Vec<DMatrix<f64>>,
}

/// A layer below: values by position and channel.
type Values = Vec<Vec<f64>>;

fn averaged(values: &Values, sizes: &[usize]) -> Values {
    let mut values = values.clone();
    for size in sizes {
        let groups = values.chunks(*size);
        let mean = |group: &[Vec<f64>]| -> Vec<f64> {
            (0..group[0].len())
                .map(|c| group.iter().map(|v| v[c]).sum::<f64>() / *size as f64)
                .collect()
        };
        values = groups.map(mean).collect();
    }
    values
}

/// The patches that the units of a layer see.
fn patches(spec: &LayerSpec, below: &Values) -> Vec<Vec<f64>> {
    let values = averaged(below, &spec.pooling);
    let with_bias = |mut patch: Vec<f64>| {
        if spec.bias {
            patch.push(1.0);
        }
        patch
    };
    match spec.connection {
        Connection::Dense { .. } => vec![with_bias(values.concat())],
        Connection::Convolution { kernel, .. } => (0..values.len())
            .map(|p| {
                let near = (0..kernel).flat_map(|i| values[(p + i) % values.len()].clone());
                with_bias(near.map(|v| v / (kernel as f64).sqrt()).collect())
            })
            .collect(),
    }
}

/// What patches are to blame for, back on the layer below: the transpose of taking them, written down unit by unit.
fn blamed(transpose: &DMatrix<f64>, blame: &[Vec<f64>]) -> Vec<f64> {
    (transpose * DVector::from_vec(blame.concat()))
        .as_slice()
        .to_vec()
}

/// Row u: what every entry of every patch sees of unit u.
fn transpose(spec: &LayerSpec, positions: usize, channels: usize) -> DMatrix<f64> {
    let zeros: Values = vec![vec![0.0; channels]; positions];
    let nothing = patches(spec, &zeros).concat();
    let rows: Vec<_> = (0..positions * channels)
        .map(|u| {
            let mut one = zeros.clone();
            one[u / channels][u % channels] = 1.0;
            let seen = patches(spec, &one).concat();
            let row: Vec<f64> = seen
                .iter()
                .zip(&nothing)
                .map(|(x, bias)| x - bias)
                .collect();
            nalgebra::RowDVector::from_vec(row)
        })
        .collect();
    DMatrix::from_rows(&rows)
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

impl Plain {
    pub fn new(
        dimension: usize,
        hidden: Vec<LayerSpec>,
        names: Vec<(&'static str, f64)>,
        epsilon: f64,
    ) -> Self {
        let mut below = (dimension, 1);
        let mut transposes = Vec::new();
        for spec in &hidden {
            transposes.push(transpose(spec, below.0, below.1));
            let pooled = below.0 / spec.pooling.iter().product::<usize>();
            below = match spec.connection {
                Connection::Dense { units } => (units, 1),
                Connection::Convolution { channels, .. } => (pooled, channels),
            };
        }
        Self {
            hidden,
            names,
            epsilon,
            transposes,
        }
    }

    /// Outputs of one sample, and the velocity of the weights under the error `e(f)`.
    pub fn step(
        &self,
        problem: &Problem,
        w: &[DMatrix<f64>],
        n: usize,
        e: &dyn Fn(&[f64]) -> DVector<f64>,
    ) -> Vec<DMatrix<f64>> {
        let x: Values = problem
            .dataset()
            .samples()
            .row(n)
            .iter()
            .map(|x| vec![*x])
            .collect();
        let (mut values, mut seen, mut units) = (vec![x], Vec::new(), Vec::new());
        for (l, spec) in self.hidden.iter().enumerate() {
            let below = patches(spec, &values[l]);
            let of_patch = |patch: &Vec<f64>| -> Vec<[f64; 4]> {
                (0..w[l].ncols())
                    .map(|c| {
                        let column = w[l].column(c);
                        let a: f64 = patch.iter().zip(&column).map(|(x, w)| x * w).sum();
                        let lengths = (norm(column.iter().copied()), norm(patch.iter().copied()));
                        let (name, slope) = self.names[l];
                        unit(name, slope, self.epsilon, (a, lengths.0, lengths.1))
                    })
                    .collect()
            };
            let of_layer: Vec<Vec<[f64; 4]>> = below.iter().map(of_patch).collect();
            let passed: Values = match spec.connection {
                // a dense layer is a row of positions
                Connection::Dense { .. } => of_layer[0].iter().map(|g| vec![g[0]]).collect(),
                Connection::Convolution { .. } => (of_layer.iter())
                    .map(|channels| channels.iter().map(|g| g[0]).collect())
                    .collect(),
            };
            values.push(passed);
            seen.push(below);
            units.push(of_layer);
        }
        let last = self.hidden.len();
        let features = DVector::from_vec(values[last].concat());
        let f = w[last].tr_mul(&features);
        let e = e(f.as_slice());
        let mut velocity: Vec<DMatrix<f64>> = w.iter().map(|w| w * 0.0).collect();
        velocity[last] = &features * e.transpose();
        // what reaches the units of each layer, before their gates
        let mut above = (&w[last] * &e).as_slice().to_vec();
        let mut fed = match problem.rule().signals() {
            Signals::Layerwise(f) => (&f[f.len() - 1] * &e).as_slice().to_vec(),
            _ => Vec::new(),
        };
        for l in (0..last).rev() {
            let s: Vec<f64> = match problem.rule().signals() {
                Signals::Backward => above.clone(),
                Signals::Layerwise(_) => fed.clone(),
                Signals::Direct(b) => (&b[l] * &e).as_slice().to_vec(),
            };
            let channels = w[l].ncols();
            let mut blame = vec![vec![0.0; w[l].nrows()]; seen[l].len()];
            let mut fed_back = blame.clone();
            for (p, patch) in seen[l].iter().enumerate() {
                for c in 0..channels {
                    let (s, [_, gate, of_weights, of_inputs]) =
                        (s[p * channels + c], units[l][p][c]);
                    for i in 0..patch.len() {
                        velocity[l][(i, c)] += s * (gate * patch[i] + of_weights * w[l][(i, c)]);
                        blame[p][i] += s * (gate * w[l][(i, c)] + of_inputs * patch[i]);
                        if let (Signals::Layerwise(f), true) = (problem.rule().signals(), l > 0) {
                            fed_back[p][i] += s * gate * f[l - 1][(i, c)];
                        }
                    }
                }
            }
            above = blamed(&self.transposes[l], &blame);
            fed = blamed(&self.transposes[l], &fed_back);
        }
        velocity
    }
}
