//! Scenarios and what is done with them.

use crate::errors::exception;
use crate::watch::watched;
use marginflow::control::Control;
use marginflow::error::Result;
use marginflow::reference::reference_limit;
use marginflow::run::{Certify, RunOptions};
use marginflow::{figures, report, run, scenario, stability, storage};
use nalgebra::DMatrix;
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// A scenario: one TOML file says everything about a run.
#[pyclass(frozen, module = "marginflow._core")]
pub(crate) struct Scenario {
    path: PathBuf,
    overrides: Vec<String>,
    inner: scenario::Scenario,
}

/// Reads a scenario and applies assignments `key=value`.
#[pyfunction]
pub(crate) fn load(path: PathBuf, overrides: Vec<String>) -> PyResult<Scenario> {
    let inner = scenario::load(&path, &overrides).map_err(exception)?;
    Ok(Scenario {
        path,
        overrides,
        inner,
    })
}

/// What a run does besides.
#[derive(FromPyObject)]
struct Options {
    #[pyo3(item)]
    verify: bool,
    #[pyo3(item)]
    certify: Option<bool>,
    #[pyo3(item)]
    allow_nonseparable: bool,
    #[pyo3(item)]
    checkpoints: Option<PathBuf>,
    /// Called with (s, steps, notes) a few times a second.
    #[pyo3(item)]
    progress: Option<Py<PyAny>>,
}

impl Options {
    fn watched<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Control<'_>) -> Result<T> + Send,
    ) -> PyResult<T> {
        let signal = Arc::new(AtomicUsize::new(0));
        let folder = self.checkpoints.as_deref();
        let done = watched(py, folder, self.progress.as_ref(), &signal, work)?;
        if let Some(folder) = folder.filter(|folder| folder.exists()) {
            storage::forget(folder).map_err(exception)?;
        }
        Ok(done)
    }
}

#[pymethods]
impl Scenario {
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    #[getter]
    fn title(&self) -> &str {
        &self.inner.title
    }

    /// The text, after assignments, with absolute paths.
    #[getter]
    fn text(&self) -> &str {
        &self.inner.resolved
    }

    #[getter]
    fn sha256(&self) -> &str {
        &self.inner.sha256
    }

    /// s at the end.
    #[getter]
    fn until(&self) -> f64 {
        self.inner.flow.until
    }

    /// Reads the data, draws what is random.
    fn build(&self, py: Python<'_>) -> PyResult<Problem> {
        let inner = py.detach(|| self.inner.build()).map_err(exception)?;
        Ok(Problem { inner })
    }

    /// The flow, measured and judged.
    fn run(&self, py: Python<'_>, options: Options) -> PyResult<Run> {
        let wanted = RunOptions {
            verify: options.verify,
            certify: match options.certify {
                Some(true) => Certify::Always,
                Some(false) => Certify::Never,
                None => Certify::WhereQuick,
            },
            allow_nonseparable: options.allow_nonseparable,
        };
        let scenario = self.inner.clone();
        let inner = options.watched(py, |control| run::run(scenario, wanted, control))?;
        Ok(Run { inner })
    }

    /// Finite steps beside the flow.
    fn compare(&self, py: Python<'_>, options: Options) -> PyResult<Run> {
        let (scenario, allowed) = (self.inner.clone(), options.allow_nonseparable);
        let inner = options.watched(py, |control| run::compare(scenario, allowed, control))?;
        Ok(Run { inner })
    }

    /// The limit as `limit.json`.
    fn limit(&self, py: Python<'_>, options: Options) -> PyResult<String> {
        let allowed = options.allow_nonseparable;
        options.watched(py, |_| {
            let problem = self.inner.build()?;
            let limit = reference_limit(&problem, allowed)?.alone(&problem, &self.inner.flow)?;
            Ok(report::limit_json(&problem, limit.as_ref(), None))
        })
    }

    /// The critical step sizes as `critical.json`.
    fn critical(&self, py: Python<'_>, options: Options) -> PyResult<String> {
        let allowed = options.allow_nonseparable;
        options.watched(py, |control| {
            let measured = stability::measure(&self.path, &self.overrides, allowed, control)?;
            Ok(stability::json(&measured))
        })
    }
}

/// Data, network, rule, loss and initial weights.
#[pyclass(frozen, module = "marginflow._core")]
pub(crate) struct Problem {
    inner: marginflow::problem::Problem,
}

/// A matrix as it stands, rows × columns.
fn array<'py>(py: Python<'py>, m: &DMatrix<f64>) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let (rows, columns) = m.shape();
    PyArray1::from_vec(py, m.transpose().as_slice().to_vec()).reshape([rows, columns])
}

#[pymethods]
impl Problem {
    /// X, N × D.
    #[getter]
    fn samples<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        array(py, self.inner.dataset().samples())
    }

    /// y, length N.
    #[getter]
    fn labels<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, self.inner.dataset().labels().as_slice())
    }

    /// θ(0), layer by layer, inputs × units.
    #[getter]
    fn weights<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyArray2<f64>>>> {
        let weights = self.inner.network().weights(self.inner.theta0().as_slice());
        weights.iter().map(|w| array(py, w)).collect()
    }

    /// b_l or F_l, layer by layer: shape and entries, column by column.
    #[getter]
    fn feedback(&self) -> Vec<(Vec<usize>, Vec<f64>)> {
        let entries = self.inner.feedback_entries().into_iter();
        entries.map(|(axes, f)| (axes, f.to_vec())).collect()
    }

    #[getter]
    fn network(&self) -> &str {
        self.inner.network().key()
    }

    #[getter]
    fn rule(&self) -> &str {
        self.inner.rule().key()
    }

    #[getter]
    fn loss(&self) -> &str {
        self.inner.loss().name()
    }
}

/// A finished run.
#[pyclass(frozen, module = "marginflow._core")]
pub(crate) struct Run {
    inner: run::Run,
}

#[pymethods]
impl Run {
    /// `report.json`, with the numbers of all figures.
    fn report(&self, py: Python<'_>) -> String {
        py.detach(|| {
            let figures = figures::figures(&self.inner.drawn());
            report::json_with_figures(&self.inner, &figures)
        })
    }

    /// `trajectory.npz`.
    fn archive<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut bytes = Cursor::new(Vec::new());
        py.detach(|| report::npz(&self.inner, &mut bytes))
            .map_err(|e| PyOSError::new_err(e.to_string()))?;
        Ok(PyBytes::new(py, &bytes.into_inner()))
    }

    /// The table a person reads.
    fn text(&self) -> String {
        report::text(&self.inner)
    }

    /// `certificate.json`, if something is proved.
    fn certificate(&self) -> Option<String> {
        let certificate = self.inner.certificate.as_ref()?;
        Some(certificate.json())
    }

    /// One figure as SVG.
    fn svg(&self, py: Python<'_>, id: &str) -> Option<String> {
        py.detach(|| {
            let figures = figures::figures(&self.inner.drawn());
            figures.iter().find(|f| f.id == id).map(figures::svg)
        })
    }

    /// Writes what the command line leaves.
    fn save(&self, py: Python<'_>, folder: PathBuf) -> PyResult<()> {
        py.detach(|| {
            let _here = storage::Folder::alone(&folder)?;
            let figures = figures::figures(&self.inner.drawn());
            report::write_all(&self.inner, &figures, &figures::Look::default(), &folder)
        })
        .map_err(exception)
    }

    /// The exit code of the command line.
    #[getter]
    fn exit_code(&self) -> u8 {
        self.inner.exit_code()
    }
}
