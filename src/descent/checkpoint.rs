//! Checkpoints of finite-step runs: everything a killed run needs to end as if it had not been.
//!
//! A file holds a line of text, the numbers as little-endian bytes, and the SHA-256 of all before it. The line names the format and
//! the *fingerprint*, a hash of all that the numbers depend on: problem, schedule, step sizes, number of steps, version of this program
//! and the vector instructions of the machine (other ones round otherwise). A file that is damaged, or of another run, is never
//! used.

use super::StepOptions;
use super::records::Records;
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::rule::Rule;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Where one group of lanes stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checkpoint {
    /// Steps taken.
    pub taken: u64,
    /// Steps recorded so far, including step 0.
    pub recorded: usize,
    /// Seconds spent up to here.
    pub wall_seconds: f64,
    /// [`Stepper::state`](super::Stepper::state).
    pub state: Vec<f64>,
    /// One per lane.
    pub records: Vec<Records>,
}

/// What came of looking for a checkpoint.
#[derive(Debug)]
pub(super) enum Found {
    None,
    /// A file that cannot be used, and why.
    Unusable(&'static str),
    Checkpoint(Checkpoint),
}

/// The file of group `group`, in the folder `folder`.
pub(super) fn path(folder: &Path, group: usize) -> PathBuf {
    folder.join(format!("steps-{}.checkpoint", group + 1))
}

const HEADER: &str = "marginflow-steps/1 ";

/// Length of a SHA-256 in bytes.
const DIGEST: usize = 32;

/// A hash of all that a group's run depends on, hexadecimal.
pub(super) fn fingerprint(problem: &Problem, options: &StepOptions, sizes: &[f64]) -> String {
    let mut text = format!(
        "{} {:?} {:?} {} {} {} {} {}\n",
        env!("CARGO_PKG_VERSION"),
        pulp::Arch::new(),
        problem.network,
        problem.rule.name(),
        problem.loss.name(),
        options.schedule.name(),
        options.state.name(),
        options.count,
    )
    .into_bytes();
    let mut numbers = |numbers: &[f64]| {
        text.extend((numbers.len() as u64).to_le_bytes());
        text.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    };
    numbers(&options.sizes);
    numbers(sizes);
    numbers(problem.dataset.signed_samples().as_slice());
    numbers(problem.dataset.labels().as_slice());
    numbers(problem.theta0.as_slice());
    match &problem.rule {
        Rule::GradientDescent => {}
        Rule::FeedbackAlignment(f) => f.iter().for_each(|f| numbers(f.as_slice())),
        Rule::DirectFeedbackAlignment(b) => b.iter().for_each(|b| numbers(b.as_slice())),
    }
    hexadecimal(&text)
}

impl Checkpoint {
    /// The file's bytes.
    pub fn bytes(&self, fingerprint: &str) -> Vec<u8> {
        let mut bytes = format!("{HEADER}{fingerprint}\n").into_bytes();
        let mut word = |word: u64| bytes.extend(word.to_le_bytes());
        word(self.taken);
        word(self.recorded as u64);
        word(self.wall_seconds.to_bits());
        word(self.state.len() as u64);
        self.state.iter().for_each(|x| word(x.to_bits()));
        word(self.records.len() as u64);
        for records in &self.records {
            word(u64::from(records.overflown));
            word(records.log_time.len() as u64);
            word(records.theta.len() as u64);
            let numbers = records.log_time.iter().chain(&records.theta);
            numbers.for_each(|x| word(x.to_bits()));
        }
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        bytes
    }

    /// Reads a file's bytes.
    pub fn read(bytes: &[u8], fingerprint: &str) -> Found {
        const DAMAGED: Found = Found::Unusable("it is damaged");
        let Some((content, digest)) = bytes.split_last_chunk::<DIGEST>() else {
            return DAMAGED;
        };
        if Sha256::digest(content)[..] != digest[..] {
            return DAMAGED;
        }
        let header = format!("{HEADER}{fingerprint}\n");
        let Some(numbers) = content.strip_prefix(header.as_bytes()) else {
            return Found::Unusable(
                "it belongs to another run (scenario, version, or processor differ)",
            );
        };
        let mut words = Words(numbers);
        match words.checkpoint() {
            Some(checkpoint) if words.0.is_empty() => Found::Checkpoint(checkpoint),
            _ => DAMAGED,
        }
    }

    /// Looks for the checkpoint of a group.
    ///
    /// # Errors
    /// [`Error::Io`] if there is a file that cannot be read.
    pub fn find(path: &Path, fingerprint: &str) -> Result<Found> {
        match fs::read(path) {
            Ok(bytes) => Ok(Self::read(&bytes, fingerprint)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Found::None),
            Err(e) => Err(Error::io(path, e)),
        }
    }
}

/// Little-endian words still to be read.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }

    fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.word()?).ok()?;
        (length <= self.0.len() / 8).then_some(length)
    }

    fn numbers(&mut self, length: usize) -> Option<Vec<f64>> {
        (0..length)
            .map(|_| Some(f64::from_bits(self.word()?)))
            .collect()
    }

    fn checkpoint(&mut self) -> Option<Checkpoint> {
        let taken = self.word()?;
        let recorded = usize::try_from(self.word()?).ok()?;
        let wall_seconds = f64::from_bits(self.word()?);
        let length = self.length()?;
        let state = self.numbers(length)?;
        let lanes = self.length()?;
        let records = (0..lanes)
            .map(|_| {
                let overflown = self.word()? != 0;
                let (times, weights) = (self.length()?, self.length()?);
                Some(Records {
                    log_time: self.numbers(times)?,
                    theta: self.numbers(weights)?,
                    overflown,
                })
            })
            .collect::<Option<_>>()?;
        Some(Checkpoint {
            taken,
            recorded,
            wall_seconds,
            state,
            records,
        })
    }
}
