//! The flow of a model whose field is made of Python functions.

use crate::errors::InputError;
use crate::watch::watched;
use marginflow::flow::{FlowOptions, SaveAt, integrate_kernel_under};
use marginflow::loss::Loss;
use marginflow::network::{Kernel, Tangent};
use nalgebra::{DMatrix, DVector};
use numpy::{
    PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A Python object with `margins(θ)`, `velocity(θ, α)`, `tangent(θ, α, dθ, dα)` and `tangent_kernel(θ, active)`, arrays
/// in and out, as a kernel.
struct Functions {
    object: Py<PyAny>,
    parameters: usize,
    /// Of margins, N.
    rows: usize,
    degree: Option<i32>,
    layers: Vec<usize>,
    /// The first exception a function raised: the run ends with it.
    raised: Arc<Mutex<Option<PyErr>>>,
    signal: Arc<AtomicUsize>,
}

impl Functions {
    /// What `call` returns; nothing once a function has raised, for the run is over then.
    fn ask<T>(&self, call: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> Option<T> {
        Python::attach(|py| match call(self.object.bind(py)) {
            Ok(found) => Some(found),
            Err(error) => {
                if let Ok(mut raised) = self.raised.lock() {
                    raised.get_or_insert(error);
                }
                self.signal.store(1, Ordering::Relaxed);
                None
            }
        })
    }
}

fn array<'py>(py: Python<'py>, numbers: &[f64]) -> Bound<'py, PyArray1<f64>> {
    PyArray1::from_slice(py, numbers)
}

/// Copies an array of the expected length.
fn fill(into: &mut [f64], from: &PyReadonlyArray1<'_, f64>, what: &str) -> PyResult<()> {
    if from.len() != into.len() {
        let (found, expected) = (from.len(), into.len());
        let words = format!("{what}: an array of length {found}, expected {expected}");
        return Err(InputError::new_err(words));
    }
    let from = from.as_array();
    into.iter_mut().zip(from.iter()).for_each(|(a, b)| *a = *b);
    Ok(())
}

type Pair<'py> = (PyReadonlyArray1<'py, f64>, PyReadonlyArray1<'py, f64>);

type Triple<'py> = (
    PyReadonlyArray1<'py, f64>,
    PyReadonlyArray1<'py, f64>,
    PyReadonlyArray1<'py, f64>,
);

impl Kernel for Functions {
    fn parameters(&self) -> usize {
        self.parameters
    }

    fn samples(&self) -> usize {
        self.rows
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let done = self.ask(|object| {
            let found = object.call_method1("margins", (array(object.py(), theta),))?;
            fill(margins, &found.extract()?, "margins")
        });
        if done.is_none() {
            margins.fill(f64::NAN);
        }
    }

    fn velocity(&self, theta: &[f64], alpha: &[f64], velocity: &mut [f64], rates: &mut [f64]) {
        let done = self.ask(|object| {
            let given = (array(object.py(), theta), array(object.py(), alpha));
            let found = object.call_method1("velocity", given)?;
            let (v, r): Pair<'_> = found.extract()?;
            fill(velocity, &v, "velocity")?;
            fill(rates, &r, "rates")
        });
        if done.is_none() {
            velocity.fill(f64::NAN);
            rates.fill(f64::NAN);
        }
    }

    fn tangent(&self, theta: &[f64], alpha: &[f64], dtheta: &[f64], dalpha: &[f64]) -> Tangent {
        let mut tangent = Tangent {
            velocity: vec![f64::NAN; self.parameters],
            margins: DVector::from_element(self.rows, f64::NAN),
            rates: DVector::from_element(self.rows, f64::NAN),
        };
        self.ask(|object| {
            let [t, a, dt, da] = [theta, alpha, dtheta, dalpha].map(|x| array(object.py(), x));
            let found = object.call_method1("tangent", (t, a, dt, da))?;
            let (v, m, r): Triple<'_> = found.extract()?;
            fill(&mut tangent.velocity, &v, "tangent")?;
            fill(tangent.margins.as_mut_slice(), &m, "tangent")?;
            fill(tangent.rates.as_mut_slice(), &r, "tangent")
        });
        tangent
    }

    fn tangent_kernel(&self, theta: &[f64], active: &[usize]) -> DMatrix<f64> {
        let found = self.ask(|object| {
            let given = (array(object.py(), theta), active.to_vec());
            let found = object.call_method1("tangent_kernel", given)?;
            let found: PyReadonlyArray2<'_, f64> = found.extract()?;
            if found.shape() != [self.rows, active.len()] {
                return Err(InputError::new_err(
                    "tangent_kernel: expected one row per margin and one column per active one",
                ));
            }
            let entries = found.as_array();
            Ok(DMatrix::from_row_iterator(
                self.rows,
                active.len(),
                entries.iter().copied(),
            ))
        });
        found.unwrap_or_else(|| DMatrix::from_element(self.rows, active.len(), f64::NAN))
    }

    fn layers(&self) -> Vec<usize> {
        self.layers.clone()
    }

    fn degree(&self) -> Option<i32> {
        self.degree
    }
}

/// What is known of the model.
#[derive(FromPyObject)]
pub(crate) struct Shape {
    /// Margins.
    #[pyo3(item)]
    rows: usize,
    /// Margins per sample, which the loss may couple.
    #[pyo3(item)]
    per_sample: usize,
    /// Of homogeneity, where the field has it, as under gradient descent.
    #[pyo3(item)]
    degree: Option<i32>,
    /// Lengths of the parts of θ that grow together.
    #[pyo3(item)]
    layers: Vec<usize>,
}

/// How far and how exactly.
#[derive(FromPyObject)]
pub(crate) struct Options {
    #[pyo3(item)]
    until: f64,
    #[pyo3(item)]
    rtol: f64,
    #[pyo3(item)]
    atol: f64,
    /// s of the saves after that at 0; the program's choice without.
    #[pyo3(item)]
    saves: Option<Vec<f64>>,
    #[pyo3(item)]
    max_steps: usize,
    #[pyo3(item)]
    max_wall_seconds: f64,
    #[pyo3(item)]
    progress: Option<Py<PyAny>>,
}

/// The trajectory of a model from `start`, as a dictionary.
#[pyfunction]
pub(crate) fn integrate<'py>(
    py: Python<'py>,
    model: Py<PyAny>,
    shape: Shape,
    loss: &str,
    start: PyReadonlyArray1<'py, f64>,
    options: Options,
) -> PyResult<Bound<'py, PyDict>> {
    let loss = Loss::of_name(loss).ok_or_else(|| {
        InputError::new_err("loss: expected \"exponential\", \"logistic\" or \"cross-entropy\"")
    })?;
    let start = DVector::from_iterator(start.len(), start.as_array().iter().copied());
    let raised = Arc::new(Mutex::new(None));
    let signal = Arc::new(AtomicUsize::new(0));
    let kernel: Arc<dyn Kernel> = Arc::new(Functions {
        object: model,
        parameters: start.len(),
        rows: shape.rows,
        degree: shape.degree,
        layers: shape.layers,
        raised: Arc::clone(&raised),
        signal: Arc::clone(&signal),
    });
    let wanted = FlowOptions {
        rtol: options.rtol,
        atol: options.atol,
        saves: options.saves.map_or(SaveAt::Default, SaveAt::Times),
        max_steps: options.max_steps,
        max_wall_seconds: options.max_wall_seconds,
        ..FlowOptions::to(options.until)
    };
    let progress = options.progress.as_ref();
    let run = watched(py, None, progress, &signal, |control| {
        integrate_kernel_under(&kernel, (loss, shape.per_sample), &start, &wanted, control)
    });
    if let Some(error) = raised.lock().ok().and_then(|mut raised| raised.take()) {
        return Err(error);
    }
    let run = run?;
    let saves = run.log_log_time.len();
    let columns = |m: &DMatrix<f64>| -> PyResult<Bound<'py, PyArray2<f64>>> {
        array(py, m.as_slice()).reshape([saves, m.nrows()])
    };
    let done = PyDict::new(py);
    done.set_item("s", array(py, &run.log_log_time))?;
    done.set_item("theta", columns(&run.theta)?)?;
    done.set_item("log_multipliers", columns(&run.log_multipliers)?)?;
    let accumulated = run.accumulated.as_ref().map(columns).transpose()?;
    done.set_item("accumulated", accumulated)?;
    let status = serde_json::to_value(run.status).ok();
    done.set_item("status", status.as_ref().and_then(|s| s.as_str()))?;
    done.set_item("message", run.message.as_deref())?;
    let statistics = serde_json::to_string(&run.solver);
    done.set_item("solver", statistics.unwrap_or_default())?;
    done.set_item("loss_rise", run.loss_rise.as_ref().map(|rise| rise.nats))?;
    Ok(done)
}
