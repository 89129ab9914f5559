//! `trajectory.npz`: everything along the run, for `numpy.load`.
//!
//! [`KEYS`](keys::KEYS) is the list of its arrays, with shape, unit and meaning; docs/files.md is generated from it.
//! All numbers in the arrays of a completed run are finite: a series that is not defined at every save is stored with
//! the indices of those where it is.

mod arrays;
mod keys;
mod series;

use crate::run::Run;
use arrays::{Array, Values};
#[cfg(feature = "cli")]
pub(crate) use keys::markdown;
use keys::{KEYS, Key, Source};
use npyz::npz::NpzWriter;
use npyz::{AutoSerialize, DType, WriterBuilder, zip};
use std::io::{self, BufWriter, Seek, Write};

/// Writes the archive, a buffer at a time: it can be as large as everything else a run holds in memory.
///
/// # Errors
/// If `out` fails.
pub fn npz(run: &Run, out: impl Write + Seek) -> io::Result<()> {
    let mut archive = Archive::new(out);
    let mut units = Vec::new();
    for key in KEYS {
        for (name, unit, array) in named(key, run) {
            units.push(format!("{name}: {unit}"));
            archive.put(&name, array)?;
        }
    }
    archive.put("units", Array::words(units))?;
    archive.finish()
}

/// The arrays of a key, with the names they have in the file and their units.
fn named<'a>(key: &Key, run: &'a Run) -> Vec<(String, &'static str, Array<'a>)> {
    let mut found = Vec::new();
    match key.source {
        Source::Arrays(of) => {
            let arrays = of(run).into_iter().enumerate();
            found.extend(arrays.map(|(i, array)| (key.numbered(i + 1), key.unit, array)));
        }
        Source::Series(of) => {
            for (i, series) in of(run).into_iter().enumerate() {
                let name = key.numbered(i + 1);
                let saves = format!("{name}_saves");
                found.push((name, key.unit, Array::defined(&series)));
                found.push((saves, "index", Array::where_defined(&series)));
            }
        }
    }
    found
}

/// Named arrays, uncompressed.
pub(crate) struct Archive<W: Write + Seek>(NpzWriter<BufWriter<W>>);

impl<W: Write + Seek> Archive<W> {
    /// An empty one.
    pub(crate) fn new(out: W) -> Self {
        Self(NpzWriter::new(BufWriter::new(out)))
    }

    /// Adds doubles of this shape, its last index running fastest.
    #[cfg(feature = "cli")]
    pub(crate) fn array(
        &mut self,
        name: &str,
        shape: &[u64],
        values: impl Iterator<Item = f64>,
    ) -> io::Result<()> {
        self.numbers(name, shape, values)
    }

    fn put(&mut self, name: &str, array: Array<'_>) -> io::Result<()> {
        let shape = &array.shape;
        match array.values {
            Values::Floats(values) => self.numbers(name, shape, values),
            Values::Complex(values) => self.numbers(name, shape, values),
            Values::Integers(values) => self.numbers(name, shape, values),
            Values::Words(words) => self.words(name, shape, &words),
        }
    }

    fn numbers<T: AutoSerialize>(
        &mut self,
        name: &str,
        shape: &[u64],
        values: impl Iterator<Item = T>,
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

    fn words(&mut self, name: &str, shape: &[u64], words: &[String]) -> io::Result<()> {
        // NumPy knows no strings of length zero
        let longest = words.iter().map(|w| w.chars().count()).max().unwrap_or(0);
        let text = format!("<U{}", longest.max(1));
        let kind = DType::Plain(text.parse().map_err(io::Error::other)?);
        let mut writer = self
            .0
            .array(name, entry_options())?
            .dtype(kind)
            .shape(shape)
            .begin_nd()?;
        for word in words {
            writer.push(word.as_str())?;
        }
        writer.finish()
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
