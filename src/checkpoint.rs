//! Checkpoints: everything a killed run needs to end as if it had not been.
//!
//! A file holds a line of text, numbers as little-endian words, and the SHA-256 of all before it. The line names the format, the kind of
//! run, the version of this program, and the *fingerprint*: a hash of all that the numbers depend on, this very build and the vector
//! instructions of the machine included (other ones round otherwise). A file that is damaged, of another version, or of another run
//! is never used. Files are written whole or not at all ([`write_file`](crate::storage::write_file)).
//!
//! What is restored goes on bit for bit: finite steps and `adams-bdf` from any step, the other methods from fixed points at which the
//! uninterrupted run begins anew as well (see `flow::checkpoint`).

use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::rule::Rule;
use crate::storage::{create_folder, hexadecimal, program, write_file};
use sha2::{Digest, Sha256};
use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

const FORMAT: &str = "marginflow-checkpoint/2";

const EXTENSION: &str = "checkpoint";

/// What a checkpoint of another run is set aside with; nothing of ours touches it again.
const KEPT: &str = "checkpoint.other";

const DAMAGED: &str = "it is damaged";

/// Length of a SHA-256 in bytes.
const DIGEST: usize = 32;

/// Removes every checkpoint of a folder; called once results are on disk.
///
/// # Errors
/// [`Error::Io`] if one cannot be removed.
pub fn forget(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        if has_our_name(&path) && path.is_file() {
            fs::remove_file(&path).map_err(|e| Error::io(&path, e))?;
        }
    }
    Ok(())
}

/// Whether a file is called as the checkpoints of runs are.
fn has_our_name(path: &Path) -> bool {
    let name = path.file_stem().and_then(|name| name.to_str());
    path.extension().is_some_and(|e| e == EXTENSION)
        && name.is_some_and(|name| {
            ["flow", "beside", "verify"].contains(&name) || name.starts_with("steps-")
        })
}

/// A hash of all that a run depends on, gathered piece by piece.
pub(crate) struct Fingerprint(Vec<u8>);

impl Fingerprint {
    /// Of everything a run of `problem` by this build on this machine has in common.
    ///
    /// # Errors
    /// [`Error::Io`] if this program cannot be read.
    pub fn of(problem: &Problem) -> Result<Self> {
        let mut print = Self(Vec::new());
        print.text(program()?);
        print.text(&format!("{:?}", pulp::Arch::new()));
        print.numbers(&elementary_functions());
        print.text(&format!("{:?}", problem.network));
        print.text(problem.rule.name());
        print.text(problem.loss.name());
        print.numbers(problem.dataset.signed_samples().as_slice());
        print.numbers(problem.dataset.labels().as_slice());
        print.numbers(problem.theta0.as_slice());
        match &problem.rule {
            Rule::GradientDescent => {}
            Rule::FeedbackAlignment(f) => f.iter().for_each(|f| print.numbers(f.as_slice())),
            Rule::DirectFeedbackAlignment(b) => b.iter().for_each(|b| print.numbers(b.as_slice())),
        }
        Ok(print)
    }

    pub fn text(&mut self, text: &str) {
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    pub fn numbers(&mut self, numbers: &[f64]) {
        self.0.extend((numbers.len() as u64).to_le_bytes());
        self.0.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    }

    /// Hexadecimal.
    fn finish(self) -> String {
        hexadecimal(&self.0)
    }
}

/// Elementary functions at a few places: those of another system's library may round otherwise.
fn elementary_functions() -> Vec<f64> {
    let places = (1..40).map(|k| 0.37 * f64::from(k));
    let functions = [
        f64::exp,
        f64::exp_m1,
        f64::ln,
        f64::ln_1p,
        f64::sinh,
        f64::asinh,
        f64::tanh,
        f64::sin,
    ];
    places
        .flat_map(|x| functions.map(|function| function(x)))
        .collect()
}

/// Which checkpoint a run looks for: two that agree in this may stand for each other.
#[derive(Debug, Clone)]
struct Identity {
    /// What is made: `steps` or `flow`.
    kind: &'static str,
    /// [`Fingerprint::finish`].
    fingerprint: String,
}

impl Identity {
    /// The line a file begins with.
    fn header(&self) -> String {
        format!("{}{}\n", self.of_any_run(), self.fingerprint)
    }

    /// The part of the line that all runs of this kind and version share.
    fn of_any_run(&self) -> String {
        format!("{FORMAT} {} {} ", self.kind, env!("CARGO_PKG_VERSION"))
    }
}

/// What came of looking for a checkpoint.
#[derive(Debug)]
pub(crate) enum Found<T> {
    None,
    /// A file that cannot be used, and why.
    Unusable(&'static str),
    Checkpoint(T),
}

/// The file of one run. Its fingerprint is taken when it is first needed: short runs never need it.
pub(crate) struct File<'a> {
    pub path: PathBuf,
    kind: &'static str,
    fingerprint: Box<dyn Fn() -> Result<Fingerprint> + 'a>,
    identity: OnceCell<Identity>,
}

impl<'a> File<'a> {
    /// The checkpoint `name` of a folder, of a run of a kind (`steps` or `flow`).
    pub fn new(
        folder: &Path,
        name: &str,
        kind: &'static str,
        fingerprint: impl Fn() -> Result<Fingerprint> + 'a,
    ) -> Self {
        Self {
            path: folder.join(format!("{name}.{EXTENSION}")),
            kind,
            fingerprint: Box::new(fingerprint),
            identity: OnceCell::new(),
        }
    }

    fn identity(&self) -> Result<&Identity> {
        if let Some(identity) = self.identity.get() {
            return Ok(identity);
        }
        let fingerprint = (self.fingerprint)()?.finish();
        let kind = self.kind;
        Ok(self.identity.get_or_init(|| Identity { kind, fingerprint }))
    }

    /// Looks for the file and reads it by `content`, which must use every word.
    ///
    /// # Errors
    /// [`Error::Io`] if there is a file that cannot be read.
    pub fn find<T>(&self, content: impl FnOnce(&mut Words<'_>) -> Option<T>) -> Result<Found<T>> {
        match fs::read(&self.path) {
            Ok(bytes) => {
                let found = read(&bytes, self.identity()?, content);
                if matches!(found, Found::Unusable(why) if why != DAMAGED) {
                    // hours of somebody's work: kept out of the way of this run's own
                    let kept = self.path.with_extension(KEPT);
                    fs::rename(&self.path, &kept).map_err(|e| Error::io(kept, e))?;
                }
                Ok(found)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Found::None),
            Err(e) => Err(Error::io(&self.path, e)),
        }
    }

    /// Writes the file, in a folder made if missing: whole, or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, content: impl FnOnce(&mut Writer)) -> Result<()> {
        create_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        let mut writer = Writer::default();
        content(&mut writer);
        write_file(&self.path, &writer.finish(self.identity()?))
    }
}

fn read<T>(
    bytes: &[u8],
    identity: &Identity,
    content: impl FnOnce(&mut Words<'_>) -> Option<T>,
) -> Found<T> {
    let Some((checked, digest)) = bytes.split_last_chunk::<DIGEST>() else {
        return Found::Unusable(DAMAGED);
    };
    if Sha256::digest(checked)[..] != digest[..] {
        return Found::Unusable(DAMAGED);
    }
    let Some(numbers) = checked.strip_prefix(identity.header().as_bytes()) else {
        let version = checked.starts_with(identity.of_any_run().as_bytes());
        return Found::Unusable(if version {
            "it belongs to another run (scenario, data, build of marginflow, or processor differ), and is set aside as .checkpoint.other"
        } else {
            "another version of marginflow wrote it; it is set aside as .checkpoint.other"
        });
    };
    let (numbers, []) = numbers.as_chunks::<8>() else {
        return Found::Unusable(DAMAGED);
    };
    let numbers: Vec<u64> = numbers.iter().map(|w| u64::from_le_bytes(*w)).collect();
    let mut words = Words(&numbers);
    match content(&mut words) {
        Some(content) if words.is_empty() => Found::Checkpoint(content),
        _ => Found::Unusable(DAMAGED),
    }
}

/// Words being put together.
#[derive(Default)]
pub(crate) struct Writer(Vec<u64>);

impl Writer {
    pub fn word(&mut self, word: u64) {
        self.0.push(word);
    }

    pub fn number(&mut self, x: f64) {
        self.word(x.to_bits());
    }

    /// Their number, and the numbers.
    pub fn numbers(&mut self, numbers: &[f64]) {
        self.word(numbers.len() as u64);
        self.0.extend(numbers.iter().map(|x| x.to_bits()));
    }

    /// Their number, and the words.
    pub fn words(&mut self, words: &[u64]) {
        self.word(words.len() as u64);
        self.0.extend(words);
    }

    pub fn text(&mut self, text: &str) {
        let bytes: Vec<u64> = text.bytes().map(u64::from).collect();
        self.words(&bytes);
    }

    pub fn into_words(self) -> Vec<u64> {
        self.0
    }

    /// A file's bytes.
    fn finish(self, identity: &Identity) -> Vec<u8> {
        let mut bytes = identity.header().into_bytes();
        bytes.reserve(8 * self.0.len() + DIGEST);
        bytes.extend(self.0.iter().flat_map(|word| word.to_le_bytes()));
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        bytes
    }
}

/// Words still to be read, in the order in which they were written; `None` where there are not as many.
pub(crate) struct Words<'a>(&'a [u64]);

impl<'a> Words<'a> {
    pub fn of(words: &'a [u64]) -> Self {
        Self(words)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*word)
    }

    pub fn count(&mut self) -> Option<usize> {
        usize::try_from(self.word()?).ok()
    }

    pub fn number(&mut self) -> Option<f64> {
        self.word().map(f64::from_bits)
    }

    /// A number of entries that the rest of the file can hold.
    pub fn length(&mut self) -> Option<usize> {
        self.count().filter(|length| *length <= self.0.len())
    }

    pub fn numbers(&mut self) -> Option<Vec<f64>> {
        Some(self.words()?.into_iter().map(f64::from_bits).collect())
    }

    pub fn words(&mut self) -> Option<Vec<u64>> {
        let (words, rest) = self.length().map(|length| self.0.split_at(length))?;
        self.0 = rest;
        Some(words.to_vec())
    }

    pub fn text(&mut self) -> Option<String> {
        let bytes = self.words()?;
        let bytes = bytes.into_iter().map(|b| u8::try_from(b).ok());
        String::from_utf8(bytes.collect::<Option<_>>()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(fingerprint: &str) -> Identity {
        Identity {
            kind: "flow",
            fingerprint: fingerprint.into(),
        }
    }

    fn content(words: &mut Words<'_>) -> Option<(Vec<f64>, String, u64)> {
        Some((words.numbers()?, words.text()?, words.word()?))
    }

    fn file(identity: &Identity) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.numbers(&[1.5, -0.0, f64::MIN_POSITIVE]);
        writer.text("bdf, from s = 3");
        writer.word(7);
        writer.finish(identity)
    }

    fn refusal(bytes: &[u8], identity: &Identity) -> &'static str {
        match read(bytes, identity, content) {
            Found::Unusable(why) => why,
            found => panic!("{found:?}"),
        }
    }

    #[test]
    fn what_is_written_is_read_and_any_change_of_a_byte_is_seen() {
        let mine = identity("ab");
        let good = file(&mine);
        let Found::Checkpoint((numbers, text, word)) = read(&good, &mine, content) else {
            panic!("a good file");
        };
        let bits = numbers.iter().map(|x| x.to_bits());
        assert!(bits.eq([1.5, -0.0, f64::MIN_POSITIVE].map(f64::to_bits)));
        assert_eq!((text.as_str(), word), ("bdf, from s = 3", 7));
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 4;
            assert_eq!(refusal(&flipped, &mine), "it is damaged", "byte {at}");
            assert_eq!(refusal(&good[..at], &mine), "it is damaged", "cut at {at}");
        }
    }

    /// Checksums of these are right; what they hold is not what is looked for.
    #[test]
    fn files_of_other_runs_and_versions_and_contents_are_refused() {
        let mine = identity("ab");
        assert!(refusal(&file(&identity("cd")), &mine).contains("another run"));
        let older = Identity {
            kind: "steps",
            ..mine.clone()
        };
        assert!(refusal(&file(&older), &mine).contains("another version"));
        let mut shorter = Writer::default();
        shorter.numbers(&[1.0]);
        assert_eq!(refusal(&shorter.finish(&mine), &mine), "it is damaged");
        let mut longer = Writer::default();
        longer.numbers(&[]);
        longer.text("");
        longer.words(&[7, 0]);
        assert_eq!(refusal(&longer.finish(&mine), &mine), "it is damaged");
        let mut boundless = Writer::default();
        boundless.word(u64::MAX);
        assert_eq!(refusal(&boundless.finish(&mine), &mine), "it is damaged");
    }
}
