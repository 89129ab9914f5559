//! From the keys of a scenario to a [`Problem`]: reads the named files, draws what is random, and checks that shapes
//! fit.

use super::numbers::{AtLeast, Depth};
use super::rule::LearningRule;
use super::schema::{Architecture, DatasetSource, Document, Feedback, FilePath, LossName};
use super::source::Source;
use crate::activation::Identity;
use crate::dataset::{self, ClassMeans, Dataset, standard_normals};
use crate::descent::StepOptions;
use crate::error::{Error, Result};
use crate::flow::FlowOptions;
use crate::loss::Loss;
use crate::memory::Work;
use crate::network::{LayerSpec, Network, Relu};
use crate::problem::Problem;
use crate::rule::{Needs, Rule};
use nalgebra::DMatrix;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;

/// Orthonormal columns in the span of Gaussian ones, in the directions that make them uniformly distributed.
fn orthonormal(drawn: DMatrix<f64>) -> DMatrix<f64> {
    let qr = drawn.qr();
    let (mut q, r) = (qr.q(), qr.r());
    for (mut column, pivot) in q.column_iter_mut().zip(r.diagonal().iter()) {
        if *pivot < 0.0 {
            column.neg_mut();
        }
    }
    q
}

/// L.
pub(super) fn layers(depth: &Spanned<Depth>) -> usize {
    depth.get_ref().get()
}

/// What building needs: the keys, where they are written, and the folder to which paths are relative.
pub(super) struct Builder<'a> {
    pub document: &'a Document,
    pub source: &'a Source,
    pub folder: &'a Path,
    pub flow: &'a FlowOptions,
    pub steps: Option<&'a StepOptions>,
    /// The work the problem is built for, for which there must be enough memory.
    pub work: Work,
}

impl Builder<'_> {
    pub(super) fn problem(&self) -> Result<Problem> {
        self.check_drawn_data()?;
        let dataset = self.dataset()?;
        let network = self.network(dataset.dimension(), dataset.outputs())?;
        self.check_memory(dataset.len(), &network)?;
        let rule = self.rule(&network)?;
        let theta0 = self.initial(&network, &rule)?;
        self.check_moves(&rule, &network, &theta0, &dataset)?;
        let loss = match self.document.loss {
            LossName::Exponential => Loss::Exponential,
            LossName::Logistic => Loss::Logistic,
            LossName::CrossEntropy => Loss::CrossEntropy,
        };
        Ok(Problem::new(dataset, network, rule, loss, theta0).unwrap())
    }

    fn dataset(&self) -> Result<Dataset> {
        match &self.document.dataset {
            DatasetSource::GaussianTeacher {
                dimension,
                samples,
                seed,
                classes,
            } => {
                let (d, n) = (dimension.get_ref().get(), samples.get());
                let Some(classes) = classes else {
                    return Ok(dataset::gaussian_teacher(d, n, seed.get()));
                };
                let count = classes.get_ref().get();
                let drawn = dataset::gaussian_class_teacher(d, n, count, seed.get());
                drawn.map_err(|why| {
                    let advice = "draw more samples, or by another seed";
                    self.source.error(classes.span(), &why.to_string(), advice)
                })
            }
            DatasetSource::ClassMeans {
                dimension,
                classes,
                samples,
                spread,
                seed,
            } => {
                let (count, n) = (classes.get_ref().get(), samples.get_ref().get());
                if n < count {
                    let problem = format!("{n} samples for {count} classes");
                    let advice = "every class needs a sample: draw more";
                    return Err(self.source.error(samples.span(), &problem, advice));
                }
                Ok(dataset::class_means(&ClassMeans {
                    dimension: dimension.get_ref().get(),
                    classes: count,
                    samples: n,
                    spread: spread.get(),
                    seed: seed.get(),
                }))
            }
            DatasetSource::GaussianRandomLabels {
                dimension,
                samples,
                seed,
            } => {
                let (d, n) = (dimension.get_ref().get(), samples.get());
                Ok(dataset::gaussian_random_labels(d, n, seed.get()))
            }
            DatasetSource::Files {
                samples,
                labels,
                classes,
                format,
            } => self.files(samples, labels.as_ref(), classes.as_ref(), *format),
            DatasetSource::Table(table) => self.table(table),
        }
    }

    /// The network on D inputs with as many outputs as labels need.
    pub(super) fn network(&self, dimension: usize, outputs: usize) -> Result<Network> {
        match &self.document.network {
            Architecture::FullyConnected { depth, hidden } => {
                self.fully_connected((dimension, outputs), depth, hidden.as_ref())
            }
            Architecture::Convolutional { depth } => Ok(Network::convolutional_with_outputs(
                dimension,
                layers(depth),
                outputs,
            )),
            Architecture::Diagonal { depth } => Ok(Network::diagonal_with_outputs(
                dimension,
                layers(depth),
                outputs,
            )),
            Architecture::Relu(table) => {
                let widths = self.hidden_widths(&table.hidden)?;
                if outputs == 1 {
                    return Ok(Relu::with(dimension, &widths, table.activation).into());
                }
                let hidden = widths.iter();
                let hidden: Vec<LayerSpec> = hidden
                    .map(|width| LayerSpec::dense(*width, table.activation))
                    .collect();
                let output = LayerSpec::dense(outputs, Identity);
                Network::layers(dimension, &hidden, &output, 0.0).map_err(|(_, misfit)| {
                    let advice = "use exact kinks (smoothing = 0), or more features";
                    (self.source).error(table.hidden.span(), &misfit.to_string(), advice)
                })
            }
            Architecture::Layers(table) => self.layers((dimension, outputs), table),
        }
    }

    /// Between one and `Depth::MOST - 1` widths of hidden layers.
    fn hidden_widths(&self, hidden: &Spanned<Vec<AtLeast<1>>>) -> Result<Vec<usize>> {
        let widths: Vec<usize> = hidden.get_ref().iter().map(|width| width.get()).collect();
        let (problem, advice) = if widths.is_empty() {
            (
                "a ReLU network without hidden layers".to_owned(),
                "give one width per hidden layer, e.g. hidden = [50]; without any the network is linear: \
                 [network.fully-connected-linear] with depth = 1",
            )
        } else if widths.len() >= Depth::MOST {
            (
                format!(
                    "{} hidden layers make a network deeper than {}",
                    widths.len(),
                    Depth::MOST
                ),
                "use fewer layers",
            )
        } else {
            return Ok(widths);
        };
        Err(self.source.error(hidden.span(), &problem, advice))
    }

    fn fully_connected(
        &self,
        (dimension, outputs): (usize, usize),
        depth: &Spanned<Depth>,
        hidden: Option<&Spanned<Vec<AtLeast<1>>>>,
    ) -> Result<Network> {
        let hidden_layers = layers(depth) - 1;
        let widths: Vec<usize> = match hidden {
            None => vec![dimension; hidden_layers],
            Some(hidden) => hidden.get_ref().iter().map(|width| width.get()).collect(),
        };
        if let Some(hidden) = hidden.filter(|_| widths.len() != hidden_layers) {
            let problem = format!(
                "{} hidden widths, but depth {} has {hidden_layers} hidden layers",
                widths.len(),
                hidden_layers + 1
            );
            let advice = "give one width per hidden layer, depth - 1 of them";
            return Err(self.source.error(hidden.span(), &problem, advice));
        }
        Ok(Network::fully_connected_with_outputs(
            dimension, &widths, outputs,
        ))
    }

    fn rule(&self, network: &Network) -> Result<Rule> {
        let LearningRule { entry, feedback } = &self.document.rule;
        let drawn = |name: &str, shapes: &[(usize, usize)]| match feedback {
            Some(feedback) => self.feedback(network, feedback, name, shapes),
            None => Ok(Vec::new()),
        };
        let rule = match entry.needs {
            Needs::Nothing(rule) => rule(),
            Needs::Matrices(rule) => rule(drawn("F", network.feedback_shapes())?),
            Needs::Direct(rule) => rule(drawn("b", &network.signal_shapes())?),
        };
        if let (true, Some(Feedback::Files(files))) = (entry.is_fixed, feedback) {
            self.check_reaches_all(network, &rule, files.span())?;
        }
        Ok(rule)
    }

    /// Refuses fixed feedback that comes to nothing on its way to a layer, as two matrices may whose product is zero.
    fn check_reaches_all(&self, network: &Network, rule: &Rule, at: Range<usize>) -> Result<()> {
        let Some(layer) = network.unreached_layer(rule.signals()) else {
            return Ok(());
        };
        let factors: Vec<String> = (layer..network.depth()).map(|l| format!("F_{l}")).collect();
        let product = factors.join(" ");
        let never = match layer {
            1 => "layer 1 never learns".to_owned(),
            last => format!("layers 1 to {last} never learn"),
        };
        let problem = format!("{never}: the feedback comes to {product} = 0 there");
        let advice = "errors reach a layer by the product of all matrices above it: take some whose product is not 0";
        Err(self.source.error(at, &problem, advice))
    }

    /// One fixed matrix per hidden layer, named `name_l`. Gaussian draws fill them in order, column by column;
    /// unit-modulus feedback uses the same draws, each entry divided by its modulus in the coordinates in which the
    /// layers act.
    fn feedback(
        &self,
        network: &Network,
        feedback: &Feedback,
        name: &str,
        shapes: &[(usize, usize)],
    ) -> Result<Vec<DMatrix<f64>>> {
        match feedback {
            Feedback::Gaussian { seed, scale } => {
                let scale = scale.map_or(1.0, |scale| scale.get());
                let mut draws = standard_normals("feedback", seed.get());
                let mut draw = |&(r, c): &(usize, usize)| {
                    DMatrix::from_iterator(r, c, draws.by_ref().take(r * c)) * scale
                };
                Ok(shapes.iter().map(&mut draw).collect())
            }
            Feedback::UnitModulus { seed } => {
                let mut draws = standard_normals("feedback", seed.get());
                let basis = network.signal_basis();
                let mut draw = |&(r, c): &(usize, usize)| {
                    let mut drawn = DMatrix::from_iterator(r, c, draws.by_ref().take(r * c));
                    for mut column in drawn.column_iter_mut() {
                        let unit = basis.unit_moduli(&column.clone_owned());
                        column.copy_from(&unit);
                    }
                    drawn
                };
                Ok(shapes.iter().map(&mut draw).collect())
            }
            Feedback::Orthonormal { seed } => {
                if let Some(narrow) = shapes.iter().position(|(r, c)| r < c) {
                    let (r, c) = shapes[narrow];
                    let problem = format!(
                        "no orthonormal feedback {name}_{}: {c} columns of {r} entries cannot be orthonormal",
                        narrow + 1
                    );
                    let advice = "use layers at least as wide as the number of columns, or gaussian feedback";
                    return Err(self.source.error(seed.span(), &problem, advice));
                }
                let mut draws = standard_normals("feedback", seed.get_ref().get());
                let mut draw = |&(r, c): &(usize, usize)| {
                    let drawn = DMatrix::from_iterator(r, c, draws.by_ref().take(r * c));
                    orthonormal(drawn)
                };
                Ok(shapes.iter().map(&mut draw).collect())
            }
            Feedback::Files(files) => {
                if files.get_ref().len() != shapes.len() {
                    let (found, expected) = (files.get_ref().len(), shapes.len());
                    let problem = format!(
                        "{found} feedback files, but the network has {expected} hidden layers"
                    );
                    let advice =
                        format!("give one file {name}_l per hidden layer l = 1, ..., depth - 1");
                    return Err(self.source.error(files.span(), &problem, &advice));
                }
                let pairs = files.get_ref().iter().zip(shapes).enumerate();
                pairs
                    .map(|(l, (file, &shape))| self.feedback_of_layer(file, name, l + 1, shape))
                    .collect()
            }
        }
    }

    fn feedback_of_layer(
        &self,
        file: &FilePath,
        name: &str,
        layer: usize,
        shape: (usize, usize),
    ) -> Result<DMatrix<f64>> {
        let matrix = self.matrix(file, &format!("{name}_{layer}"), shape)?;
        if matrix.iter().all(|&entry| entry == 0.0) {
            let problem = format!("feedback {name}_{layer} is zero");
            let advice =
                format!("layer {layer} would never learn: all feedback needs a non-zero entry");
            return Err(self.source.error(file.span(), &problem, &advice));
        }
        Ok(matrix)
    }

    /// Reads the matrix `name` of the given shape (inputs × units).
    pub(super) fn matrix(
        &self,
        file: &FilePath,
        name: &str,
        (rows, columns): (usize, usize),
    ) -> Result<DMatrix<f64>> {
        let matrix = self.reading(file, dataset::read_matrix)?;
        if matrix.shape() == (rows, columns) {
            return Ok(matrix);
        }
        let (r, c) = matrix.shape();
        let problem = format!("{name} is {r} x {c}, expected {rows} x {columns}");
        let advice = if (r, c) == (columns, rows) {
            "this is the transpose: rows are inputs, columns are units"
        } else {
            "rows are inputs, columns are units; a vector is a single column"
        };
        Err(self.source.error(file.span(), &problem, advice))
    }

    /// Reads a file, if it fits into memory; if it cannot be read, the error points at its name in the scenario.
    pub(super) fn reading<T>(
        &self,
        file: &FilePath,
        read: impl FnOnce(&Path) -> Result<T>,
    ) -> Result<T> {
        let path = self.folder.join(file.get_ref());
        self.check_file(file, &path)?;
        read(&path).map_err(|error| match error {
            Error::Io {
                path: failed,
                source,
            } if failed == path => {
                let problem = format!("cannot read {}: {source}", path.display());
                let advice = "paths are relative to the folder of the scenario";
                self.source.error(file.span(), &problem, advice)
            }
            other => other,
        })
    }
}
