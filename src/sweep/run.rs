//! A sweep as a batch of cases.

use super::evaluate::evaluate;
use super::plan::KIND;
use super::{Plan, Record};
use crate::error::Result;
use crate::study::{Batch, BatchFolder};
use std::sync::atomic::AtomicUsize;

impl Batch for Plan {
    type Record = Record;

    fn folder(&self) -> BatchFolder {
        BatchFolder {
            path: self.folder.clone(),
            kind: KIND,
            cases: self.len(),
        }
    }

    fn evaluate(&self, id: usize, signal: &AtomicUsize) -> Result<Record> {
        evaluate(self, &self.case(id), signal)
    }

    fn owns(&self, id: usize, record: &Record) -> bool {
        record.is_of(self, &self.case(id))
    }

    /// The angles that could not be had.
    fn shortfalls(&self, id: usize, record: &Record) -> Vec<String> {
        let name = self.case(id).name();
        let failures = record.results.iter().filter_map(|m| {
            let why = m.failure.as_ref()?;
            Some(format!("{name} ({}): {why}", m.kind))
        });
        failures.collect()
    }
}
