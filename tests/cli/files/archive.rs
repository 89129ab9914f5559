//! The files of a run, read without the library that wrote them.

use num_complex::Complex64;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;

pub(super) enum Entries {
    Floats(Vec<f64>),
    Complex(Vec<Complex64>),
    Integers(Vec<i64>),
    Words(Vec<String>),
}

pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) entries: Entries,
}

/// The files of a run, read as a script would read them.
pub(super) struct Run {
    pub(super) report: Value,
    pub(super) arrays: BTreeMap<String, Array>,
}

impl Run {
    pub(super) fn read(folder: &Path) -> Self {
        let report = fs::read(folder.join("report.json")).unwrap();
        let archive = fs::read(folder.join("trajectory.npz")).unwrap();
        let mut archive = npyz::npz::NpzArchive::new(Cursor::new(&archive[..])).unwrap();
        let names: Vec<String> = archive.array_names().map(str::to_owned).collect();
        let arrays = names.into_iter().map(|name| {
            let array = archive.by_name(&name).unwrap().unwrap();
            let shape = array.shape().iter().map(|n| *n as usize).collect();
            let entries = match array.dtype().descr().as_str() {
                "'<f8'" => Entries::Floats(array.into_vec().unwrap()),
                "'<c16'" => Entries::Complex(array.into_vec().unwrap()),
                "'<i8'" => Entries::Integers(array.into_vec().unwrap()),
                text if text.starts_with("'<U") => Entries::Words(array.into_vec().unwrap()),
                other => panic!("{name}: {other}"),
            };
            (name, Array { shape, entries })
        });
        Self {
            arrays: arrays.collect(),
            report: serde_json::from_slice(&report).unwrap(),
        }
    }

    pub(super) fn floats(&self, name: &str) -> &[f64] {
        match &self.arrays[name].entries {
            Entries::Floats(values) => values,
            _ => panic!("{name} is not float64"),
        }
    }

    pub(super) fn saves(&self) -> usize {
        self.floats("log_time").len()
    }

    /// The columns of a table of saves × columns.
    pub(super) fn columns(&self, name: &str) -> Vec<Vec<f64>> {
        let width = self.arrays[name].shape[1];
        let values = self.floats(name);
        (0..width)
            .map(|j| values.iter().skip(j).step_by(width).copied().collect())
            .collect()
    }

    pub(super) fn complex(&self, name: &str) -> &[Complex64] {
        match &self.arrays[name].entries {
            Entries::Complex(values) => values,
            _ => panic!("{name} is not complex128"),
        }
    }

    pub(super) fn indices(&self, name: &str) -> Vec<usize> {
        match &self.arrays[name].entries {
            Entries::Integers(values) => values.iter().map(|k| *k as usize).collect(),
            _ => panic!("{name} is not int64"),
        }
    }

    /// A series that is not defined everywhere, NaN where it is not.
    pub(super) fn sparse(&self, name: &str, saves: &str) -> Vec<f64> {
        let mut full = vec![f64::NAN; self.saves()];
        for (k, x) in self.indices(saves).into_iter().zip(self.floats(name)) {
            full[k] = *x;
        }
        full
    }

    pub(super) fn defined(&self, name: &str) -> Vec<f64> {
        self.sparse(name, &format!("{name}_saves"))
    }
}
