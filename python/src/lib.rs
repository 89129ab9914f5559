//! marginflow for Python, the compiled part `marginflow._core`: scenarios in, arrays and JSON out, and models whose
//! field is made of Python functions. Everything a user sees is in the Python files beside it.

mod errors;
mod limits;
mod model;
mod scenario;
mod watch;

use pyo3::prelude::*;
use std::path::PathBuf;

/// Says where this extension is, which checkpoints depend on.
#[pyfunction]
fn program_is(file: PathBuf) {
    marginflow::storage::program_is(file);
}

/// The program itself, on these arguments; its exit code.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<String>) -> u8 {
    use clap::Parser;
    py.detach(|| match marginflow::cli::Cli::try_parse_from(arguments) {
        Err(error) => {
            let _ = error.print();
            u8::try_from(error.exit_code()).unwrap_or(2)
        }
        Ok(cli) => cli.execute().unwrap_or_else(|error| {
            eprintln!("error: {error}");
            error.exit_code()
        }),
    })
}

#[pymodule]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    errors::add(m)?;
    m.add_function(wrap_pyfunction!(program_is, m)?)?;
    m.add_function(wrap_pyfunction!(main, m)?)?;
    m.add_function(wrap_pyfunction!(limits::max_margin, m)?)?;
    m.add_function(wrap_pyfunction!(limits::nearest_by_products, m)?)?;
    m.add_function(wrap_pyfunction!(model::integrate, m)?)?;
    m.add_function(wrap_pyfunction!(scenario::load, m)?)?;
    m.add_class::<scenario::Scenario>()?;
    m.add_class::<scenario::Problem>()?;
    m.add_class::<scenario::Run>()?;
    Ok(())
}
