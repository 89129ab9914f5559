//! `trajectory.npz`: everything along the run, for `numpy.load`.
//!
//! Arrays (T saves, N samples, D dimensions): `log_log_time`, `log_time`, `log_loss`, `min_margin`,
//! `multiplier_drift` (T); `margins`, `log_multipliers`, `accumulated_multipliers` (T × N); `layer_norms` (T × L);
//! `w_1 … w_L` (T × inputs × units); `angle_to_limit` (T, with a limit); `certified` (indices of the saves with
//! positive margins) with `kkt_residual` and, except for non-convex potentials, `duality_gap` at those saves.
//!
//! - Linear networks: `beta` (T × D); under DFA `phi`, `phi_closed_form` (T × (L−1)), `alignment_residual` (T × L);
//!   with a hidden layer `feature_angle` and `feature_margin` as below.
//! - Linear networks under fixed feedback, where theory bounds what the first layer learns: `dual_of_z` (ψ*(Z), with Z
//!   read off that layer) and `radius` (T).
//! - ReLU networks: `output_weights`, `unit_norms` (T × units of the last hidden layer), `normalised_margin` (T); each
//!   of `feature_angle`, `feature_margin`, `feedback_kkt`, `gradient_kkt`, `epsilon`, `delta`, `smoothed_margin`,
//!   `feedback_margin` where it is defined, at the saves whose indices are in `feature_angle_saves` and so on.
//!
//! Finite steps, run i = 1, 2, … (K records): `steps_i_k`, `steps_i_log_time`, `steps_i_log_loss`, `steps_i_min_margin`
//! (K); `steps_i_beta` (K × D, linear networks); `steps_i_angle_to_limit` (K, with a limit);
//! `steps_i_relative_distance` and `steps_i_angle_to_flow` where they are defined, at the records whose indices are in
//! `steps_i_relative_distance_saves` and `steps_i_angle_to_flow_saves`.
//!
//! All numbers in the arrays are finite.

use crate::descent::Beside;
use crate::diagnostics::Homogeneous;
use crate::run::Run;
use nalgebra::DMatrix;
use npyz::WriterBuilder;
use npyz::npz::NpzWriter;
use npyz::zip;
use std::io::{self, BufWriter, Seek, Write};

/// Writes the archive, a buffer at a time: it can be as large as everything else a run holds in memory.
///
/// # Errors
/// If `out` fails.
pub fn npz(run: &Run, out: impl Write + Seek) -> io::Result<()> {
    let d = &run.diagnostics;
    let t = &run.trajectory;
    let saves = t.len() as u64;
    let mut archive = Archive::new(out);
    archive.vector("log_log_time", &t.log_log_time)?;
    archive.vector("log_time", &d.log_time)?;
    archive.vector("log_loss", &d.log_loss)?;
    archive.vector("min_margin", &d.min_margin)?;
    archive.vector("multiplier_drift", &d.multiplier_drift)?;
    archive.columns("margins", &d.margins)?;
    archive.columns("log_multipliers", &t.log_multipliers)?;
    if let Some(accumulated) = &t.accumulated {
        archive.columns("accumulated_multipliers", accumulated)?;
    }
    archive.columns("layer_norms", &d.layer_norms)?;
    for (l, &(inputs, units)) in run.problem.network().shapes().iter().enumerate() {
        let rows = t.theta.column_iter().flat_map(|theta| {
            let w_l = run
                .problem
                .network()
                .weights(theta.as_slice())
                .swap_remove(l);
            // row by row
            Vec::from(w_l.transpose().data)
        });
        archive.array(
            &format!("w_{}", l + 1),
            &[saves, inputs as u64, units as u64],
            rows,
        )?;
    }
    match &d.homogeneous {
        None => {
            archive.columns("beta", &d.beta)?;
            if let Some(machine) = &d.feature_machine {
                archive.defined("feature_angle", &machine.angle)?;
                archive.defined("feature_margin", &machine.margin)?;
            }
        }
        Some(h) => archive.homogeneous(h)?,
    }
    if let Some(angles) = &d.angle_to_limit {
        archive.vector("angle_to_limit", angles)?;
    }
    for (i, run) in run.steps.iter().flat_map(|s| &s.runs).enumerate() {
        archive.steps(&format!("steps_{}", i + 1), run)?;
    }
    if let Some(a) = &d.alignment {
        archive.columns("phi", &a.phi)?;
        archive.columns("phi_closed_form", &a.closed_form)?;
        archive.columns("alignment_residual", &a.residual)?;
    }
    if let Some(s) = &d.sandwich {
        archive.vector("dual_of_z", &s.dual)?;
        archive.vector("radius", &s.radius)?;
    }
    // Where the predicted potential is not convex there is no gap at any save.
    let has_gap = d.duality_gap.iter().any(Option::is_some);
    let certified: Vec<usize> = (0..t.len())
        .filter(|&k| d.kkt_residual[k].is_some() && d.duality_gap[k].is_some() == has_gap)
        .collect();
    let count = [certified.len() as u64];
    archive.array("certified", &count, certified.iter().map(|k| *k as f64))?;
    archive.array(
        "kkt_residual",
        &count,
        certified.iter().filter_map(|&k| d.kkt_residual[k]),
    )?;
    if has_gap {
        archive.array(
            "duality_gap",
            &count,
            certified.iter().filter_map(|&k| d.duality_gap[k]),
        )?;
    }
    archive.finish()
}

/// Named arrays of doubles, uncompressed.
pub(crate) struct Archive<W: Write + Seek>(NpzWriter<BufWriter<W>>);

impl<W: Write + Seek> Archive<W> {
    /// An empty one.
    pub(crate) fn new(out: W) -> Self {
        Self(NpzWriter::new(BufWriter::new(out)))
    }

    /// Adds an array of this shape, its last index running fastest.
    pub(crate) fn array(
        &mut self,
        name: &str,
        shape: &[u64],
        values: impl Iterator<Item = f64>,
    ) -> io::Result<()> {
        let mut writer = self
            .0
            .array(name, entry_options())?
            .default_dtype()
            .shape(shape)
            .begin_nd()?;
        writer.extend(values)?;
        writer.finish()
    }

    fn vector(&mut self, name: &str, values: &[f64]) -> io::Result<()> {
        self.array(name, &[values.len() as u64], values.iter().copied())
    }

    /// A matrix whose columns are saves, as (saves × rows).
    fn columns(&mut self, name: &str, m: &DMatrix<f64>) -> io::Result<()> {
        let shape = [m.ncols() as u64, m.nrows() as u64];
        self.array(name, &shape, m.iter().copied())
    }

    /// One run of finite steps.
    fn steps(&mut self, name: &str, run: &Beside) -> io::Result<()> {
        let d = &run.diagnostics;
        let count = [run.descent.steps.len() as u64];
        let steps = run.descent.steps.iter().map(|k| *k as f64);
        self.array(&format!("{name}_k"), &count, steps)?;
        self.vector(&format!("{name}_log_time"), &d.log_time)?;
        self.vector(&format!("{name}_log_loss"), &d.log_loss)?;
        self.vector(&format!("{name}_min_margin"), &d.min_margin)?;
        if d.beta.nrows() > 0 {
            self.columns(&format!("{name}_beta"), &d.beta)?;
        }
        if let Some(angles) = &d.angle_to_limit {
            self.vector(&format!("{name}_angle_to_limit"), angles)?;
        }
        self.defined(&format!("{name}_relative_distance"), &run.relative_distance)?;
        self.defined(&format!("{name}_angle_to_flow"), &run.angle_to_flow)
    }

    fn homogeneous(&mut self, h: &Homogeneous) -> io::Result<()> {
        self.columns("output_weights", &h.output_weights)?;
        self.columns("unit_norms", &h.unit_norms)?;
        self.vector("normalised_margin", &h.normalised_margin)?;
        for (name, series) in [
            ("feature_angle", &h.feature_angle),
            ("feature_margin", &h.feature_margin),
            ("feedback_kkt", &h.feedback_kkt),
            ("gradient_kkt", &h.gradient_kkt),
            ("epsilon", &h.epsilon),
            ("delta", &h.delta),
            ("smoothed_margin", &h.smoothed_margin),
            ("feedback_margin", &h.feedback_margin),
        ] {
            self.defined(name, series)?;
        }
        Ok(())
    }

    /// The entries of a series that are defined, and their indices.
    fn defined(&mut self, name: &str, series: &[Option<f64>]) -> io::Result<()> {
        let there: Vec<(f64, f64)> = series
            .iter()
            .enumerate()
            .filter_map(|(k, x)| Some((k as f64, (*x)?)))
            .collect();
        let count = [there.len() as u64];
        self.array(name, &count, there.iter().map(|(_, x)| *x))?;
        let saves = format!("{name}_saves");
        self.array(&saves, &count, there.iter().map(|(k, _)| *k))
    }

    /// Writes the directory; without it the archive is not one.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.0.zip_writer().finish()?.flush()
    }
}

/// Uncompressed (doubles hardly compress) and with a fixed date, so that equal runs give equal bytes.
fn entry_options() -> zip::write::FileOptions {
    zip::write::FileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default())
}
