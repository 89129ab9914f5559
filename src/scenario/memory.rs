//! Whether a scenario fits into the machine's memory, checked before anything is drawn or read.

use super::build::Builder;
use super::relu::ReluTable;
use super::schema::{Architecture, DatasetSource, FilePath, MethodName};
use crate::descent::records_at_most;
use crate::error::Result;
use crate::flow::{SaveAt, affordable};
use crate::memory::{Sizes, StepSizes, Work, available};
use crate::network::{Footprint, Network};
use crate::problem::State;
use crate::rule::Needs;
use std::ops::Range;
use std::path::Path;

/// Bytes of memory needed per byte of a file: numbers of two characters, `1,`, are the worst case; they take eight
/// bytes each, and are copied twice before they are in a data set.
const PER_BYTE_READ: f64 = 12.0;

/// The footprint of no network at all.
const NOTHING: Footprint = Footprint {
    copies: [0.0; 2],
    linearised: [0.0; 5],
};

/// Whether N samples of dimension D can be held at all.
pub(super) fn samples_fit(samples: f64, dimension: usize) -> bool {
    let sizes = Sizes {
        samples,
        dimension: dimension as f64,
        parameters: 0.0,
        units: 0.0,
        feedback: 0.0,
        footprint: NOTHING,
        factored: true,
        saves: 0.0,
        steps: None,
    };
    sizes.estimate(Work::Limit).refusal(available()).is_none()
}

impl Builder<'_> {
    /// [`Self::check_memory`] for data that are drawn, whose sizes are in the scenario.
    pub(super) fn check_drawn_data(&self) -> Result<()> {
        match &self.document.dataset {
            DatasetSource::GaussianTeacher {
                dimension,
                samples,
                classes,
                ..
            } => {
                let outputs = classes
                    .as_ref()
                    .map_or(1, |classes| classes.get_ref().get());
                let network = self.network(dimension.get_ref().get(), outputs)?;
                self.check_memory(samples.get(), &network)
            }
            DatasetSource::GaussianRandomLabels {
                dimension, samples, ..
            } => {
                let network = self.network(dimension.get_ref().get(), 1)?;
                self.check_memory(samples.get(), &network)
            }
            DatasetSource::ClassMeans {
                dimension,
                samples,
                classes,
                ..
            } => {
                let outputs = classes.get_ref().get();
                let network = self.network(dimension.get_ref().get(), outputs)?;
                self.check_memory(samples.get_ref().get(), &network)
            }
            DatasetSource::Files { .. } | DatasetSource::Table(_) => Ok(()),
        }
    }

    /// Refuses work on N samples that needs more memory than there is.
    pub(super) fn check_memory(&self, samples: usize, network: &Network) -> Result<()> {
        let sizes = self.sizes(samples, network);
        match sizes.estimate(self.work).refusal(available()) {
            None => Ok(()),
            Some(refused) => {
                let span = self.span_of_size(&sizes);
                Err(self.source.error(span, &refused.problem, &refused.advice))
            }
        }
    }

    /// Refuses a file too large to be read.
    pub(super) fn check_file(&self, file: &FilePath, path: &Path) -> Result<()> {
        // a file without accessible metadata is left to the reader, which reports the error
        let bytes = std::fs::metadata(path).map_or(0, |found| found.len()) as f64;
        let available = available();
        if PER_BYTE_READ * bytes <= available {
            return Ok(());
        }
        let problem = format!(
            "reading {} takes up to {:.1} GB of memory, and {:.1} GB are available",
            path.display(),
            PER_BYTE_READ * bytes / 1e9,
            available / 1e9
        );
        let advice = "use fewer samples or features";
        Err(self.source.error(file.span(), &problem, advice))
    }

    /// Where the scenario sets the size of the larger of data set and network.
    fn span_of_size(&self, sizes: &Sizes) -> Range<usize> {
        match &self.document.dataset {
            DatasetSource::GaussianTeacher { dimension, .. }
            | DatasetSource::ClassMeans { dimension, .. }
            | DatasetSource::GaussianRandomLabels { dimension, .. }
                if sizes.samples * sizes.dimension >= sizes.parameters =>
            {
                return dimension.span();
            }
            _ => {}
        }
        match &self.document.network {
            Architecture::FullyConnected {
                hidden: Some(hidden),
                ..
            }
            | Architecture::Relu(ReluTable { hidden, .. }) => hidden.span(),
            Architecture::Layers(table) => table.layers.span(),
            Architecture::FullyConnected { depth, .. }
            | Architecture::Convolutional { depth }
            | Architecture::Diagonal { depth } => depth.span(),
        }
    }

    pub(super) fn sizes(&self, samples: usize, network: &Network) -> Sizes {
        let product = |(r, c): &(usize, usize)| *r as f64 * *c as f64;
        let dimension = network.input_dimension();
        // with C outputs every sample has C − 1 rows of D·C entries
        let outputs = network.outputs() as f64;
        let n = samples as f64 * (outputs - 1.0).max(1.0);
        let d = dimension as f64 * outputs;
        let parameters: f64 = network.shapes().iter().map(product).sum();
        let lengths = network.signal_lengths();
        let units: f64 = lengths.iter().map(|units| *units as f64).sum();
        let feedback = match self.document.rule.entry.needs {
            Needs::Nothing(_) => 0.0,
            Needs::Direct(_) => units * network.outputs() as f64,
            Needs::Matrices(_) => network.feedback_shapes().iter().map(product).sum(),
        };
        let saves = match &self.flow.saves {
            SaveAt::Default => affordable((parameters + n).min(1e18) as usize) as f64,
            SaveAt::Uniform(count) => *count as f64,
            SaveAt::Times(times) => times.len() as f64,
        };
        let reduced = self.flow.state == State::Reduced;
        Sizes {
            samples: n,
            dimension: d,
            parameters,
            units,
            feedback,
            footprint: network.footprint(),
            factored: reduced || matches!(self.document.flow.method, MethodName::AdamsBdf),
            saves,
            steps: self.steps.map(|steps| StepSizes {
                runs: steps.sizes.len() as f64,
                records: records_at_most(steps, parameters.min(1e18) as usize) as f64,
            }),
        }
    }
}
