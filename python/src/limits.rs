//! Two convex problems of their own: the hard-margin machine, and the nearest point of a cone.

use crate::errors::{InputError, NotSeparableError};
use marginflow::limit::{self, Separability};
use nalgebra::{DMatrix, DVector};
use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;

/// (β, λ, gap, support) of a hard-margin machine.
type Machine<'py> = (
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Option<f64>,
    Vec<usize>,
);

fn matrix(array: &PyReadonlyArray2<'_, f64>) -> DMatrix<f64> {
    let (rows, columns) = (array.shape()[0], array.shape()[1]);
    DMatrix::from_row_iterator(rows, columns, array.as_array().iter().copied())
}

/// `min ½‖β‖² s.t. g_n·β ≥ 1`.
#[pyfunction]
pub(crate) fn max_margin<'py>(
    py: Python<'py>,
    signed: PyReadonlyArray2<'py, f64>,
) -> PyResult<Machine<'py>> {
    let g = matrix(&signed);
    match py.detach(|| limit::max_margin(&g)) {
        Separability::Separable(found) => Ok((
            PyArray1::from_slice(py, found.beta.as_slice()),
            PyArray1::from_slice(py, found.multipliers.as_slice()),
            found.duality_gap,
            found.support.clone(),
        )),
        Separability::NotSeparable(_) => Err(NotSeparableError::new_err(
            "no direction has positive products with all rows: some combination of them with positive weights is zero",
        )),
        Separability::Unreachable { .. } => Err(NotSeparableError::new_err(
            "no direction of finite norm has positive products with all rows",
        )),
        Separability::Undecided(why) => Err(NotSeparableError::new_err(why.to_string())),
    }
}

/// `argmin_{λ ≥ 0} ‖f − Gλ‖` from GᵀG (N × N) and Gᵀf.
#[pyfunction]
pub(crate) fn nearest_by_products<'py>(
    py: Python<'py>,
    products: PyReadonlyArray2<'py, f64>,
    along: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let products = matrix(&products);
    let along = DVector::from_iterator(along.len(), along.as_array().iter().copied());
    if products.shape() != (along.len(), along.len()) {
        return Err(InputError::new_err(
            "products must be N × N, along of length N",
        ));
    }
    let found = py.detach(|| limit::nearest_by_products(products, &along));
    let found = found.ok_or_else(|| InputError::new_err("inner products that are not finite"))?;
    Ok(PyArray1::from_slice(py, found.as_slice()))
}
