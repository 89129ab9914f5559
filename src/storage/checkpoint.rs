//! Checkpoints: everything a killed run needs to finish as if it had never been killed.
//!
//! A file holds a line of text, the content as serde writes it in postcard's format (numbers bit by bit, NaN payloads
//! included), and the SHA-256 of all before it. The line names the format, the kind of run, the version of this
//! program, and the *fingerprint*: a hash of everything the numbers depend on, including this very build and the
//! vector instructions of the machine (others round differently). A file that is damaged, of another version, or of
//! another run is never used. Files are written completely or not at all
//! ([`write_file`](crate::storage::write_file)).
//!
//! A restored run continues bit for bit: finite steps and `adams-bdf` from any step, the other methods from fixed
//! points, at which the uninterrupted run restarts too (see `flow::checkpoint`).

use super::{create_folder, hexadecimal, program, write_file};
use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

const FORMAT: &str = "marginflow-checkpoint/4";

const EXTENSION: &str = "checkpoint";

/// File extension with which a checkpoint of another run is set aside; we never touch such files again.
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

/// Whether a file is named like the checkpoint of a run.
fn has_our_name(path: &Path) -> bool {
    let name = path.file_stem().and_then(|name| name.to_str());
    path.extension().is_some_and(|e| e == EXTENSION)
        && name.is_some_and(|name| {
            ["flow", "beside", "verify"].contains(&name) || name.starts_with("steps-")
        })
}

/// A hash of everything a run depends on, gathered piece by piece.
pub(crate) struct Fingerprint(Vec<u8>);

impl Fingerprint {
    /// The fingerprint of what every run with this build on this machine depends on.
    ///
    /// # Errors
    /// [`Error::Io`] if the program's own executable cannot be read.
    pub(crate) fn of_program() -> Result<Self> {
        let mut print = Self(Vec::new());
        print.text(program()?);
        print.text(&format!("{:?}", pulp::Arch::new()));
        print.numbers(&elementary_functions());
        Ok(print)
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    pub(crate) fn numbers(&mut self, numbers: &[f64]) {
        self.0.extend((numbers.len() as u64).to_le_bytes());
        self.0.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    }

    /// Hexadecimal.
    fn finish(self) -> String {
        hexadecimal(&self.0)
    }
}

/// Elementary functions at a few arguments: those of another system's library may round differently.
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

/// Identifies the checkpoint a run looks for: two that agree in this are interchangeable.
#[derive(Debug, Clone)]
struct Identity {
    /// The kind of run: `steps` or `flow`.
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

/// The result of looking for a checkpoint.
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
    /// The checkpoint `name` in a folder, of a run of the given kind (`steps` or `flow`).
    pub(crate) fn new(
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

    /// Looks for the file and reads its content. A file of another run or version is set aside.
    ///
    /// # Errors
    /// [`Error::Io`] if there is a file that cannot be read.
    pub(crate) fn find<T: DeserializeOwned>(&self) -> Result<Found<T>> {
        match fs::read(&self.path) {
            Ok(bytes) => {
                let found = read(&bytes, self.identity()?);
                if matches!(found, Found::Unusable(why) if why != DAMAGED) {
                    // it may hold hours of work, so it is moved out of the way of this run's own
                    let kept = self.path.with_extension(KEPT);
                    fs::rename(&self.path, &kept).map_err(|e| Error::io(kept, e))?;
                }
                Ok(found)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Found::None),
            Err(e) => Err(Error::io(&self.path, e)),
        }
    }

    /// Writes the file completely or not at all, in a folder created if missing.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn write(&self, content: &impl Serialize) -> Result<()> {
        create_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        let bytes = bytes(content, self.identity()?)
            .map_err(|e| Error::io(&self.path, std::io::Error::other(e)))?;
        write_file(&self.path, &bytes)
    }
}

/// The content of a file.
fn bytes(content: &impl Serialize, identity: &Identity) -> postcard::Result<Vec<u8>> {
    let mut bytes = postcard::to_extend(content, identity.header().into_bytes())?;
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    Ok(bytes)
}

fn read<T: DeserializeOwned>(bytes: &[u8], identity: &Identity) -> Found<T> {
    let Some((checked, digest)) = bytes.split_last_chunk::<DIGEST>() else {
        return Found::Unusable(DAMAGED);
    };
    if Sha256::digest(checked)[..] != digest[..] {
        return Found::Unusable(DAMAGED);
    }
    let Some(content) = checked.strip_prefix(identity.header().as_bytes()) else {
        let version = checked.starts_with(identity.of_any_run().as_bytes());
        return Found::Unusable(if version {
            "it belongs to another run (scenario, data, build of marginflow, or processor differ), and is set aside as \
             .checkpoint.other"
        } else {
            "another version of marginflow wrote it; it is set aside as .checkpoint.other"
        });
    };
    match postcard::take_from_bytes(content) {
        Ok((content, [])) => Found::Checkpoint(content),
        _ => Found::Unusable(DAMAGED),
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

    type Content = (Vec<f64>, String, u64);

    const NUMBERS: [f64; 6] = [
        1.5,
        -0.0,
        f64::MIN_POSITIVE,
        f64::NEG_INFINITY,
        f64::from_bits(0x7ff8_0000_dead_beef),
        f64::from_bits(0xfff0_0000_0000_0001),
    ];

    fn file(identity: &Identity) -> Vec<u8> {
        let content: Content = (NUMBERS.to_vec(), "bdf, from s = 3".into(), 7);
        bytes(&content, identity).unwrap()
    }

    /// A file with this content and a correct checksum.
    fn signed(content: &[u8], identity: &Identity) -> Vec<u8> {
        let mut bytes = identity.header().into_bytes();
        bytes.extend(content);
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        bytes
    }

    fn refusal(bytes: &[u8], identity: &Identity) -> &'static str {
        match read::<Content>(bytes, identity) {
            Found::Unusable(why) => why,
            found => panic!("{found:?}"),
        }
    }

    #[test]
    fn what_is_written_is_read_and_any_change_of_a_byte_is_seen() {
        let mine = identity("ab");
        let good = file(&mine);
        let Found::Checkpoint((numbers, text, word)) = read::<Content>(&good, &mine) else {
            panic!("a good file");
        };
        // bit by bit: signs of zero, infinities, payloads of quiet and signalling NaNs
        let bits = numbers.iter().map(|x| x.to_bits());
        assert!(bits.eq(NUMBERS.map(f64::to_bits)));
        assert_eq!((text.as_str(), word), ("bdf, from s = 3", 7));
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 4;
            assert_eq!(refusal(&flipped, &mine), "it is damaged", "byte {at}");
            assert_eq!(refusal(&good[..at], &mine), "it is damaged", "cut at {at}");
        }
    }

    /// The checksums of these are correct, but their content is not what is expected.
    #[test]
    fn files_of_other_runs_and_versions_and_contents_are_refused() {
        let mine = identity("ab");
        assert!(refusal(&file(&identity("cd")), &mine).contains("another run"));
        let other = Identity {
            kind: "steps",
            ..mine.clone()
        };
        assert!(refusal(&file(&other), &mine).contains("another version"));
        let shorter = bytes(&vec![1.0], &mine).unwrap();
        assert_eq!(refusal(&shorter, &mine), "it is damaged");
        let longer = bytes(&(Vec::<f64>::new(), "", 7_u64, 0_u64), &mine).unwrap();
        assert_eq!(refusal(&longer, &mine), "it is damaged");
        // more numbers than fit into memory
        let boundless = signed(
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &mine,
        );
        assert_eq!(refusal(&boundless, &mine), "it is damaged");
    }

    /// The earlier format of marginflow: eight bytes per word.
    #[test]
    fn files_of_the_format_before_are_of_another_version() {
        let mine = identity("ab");
        let older = mine.header().replace("checkpoint/4", "checkpoint/2");
        let mut bytes = older.into_bytes();
        bytes.extend([1_u64, 1.5_f64.to_bits(), 7].map(u64::to_le_bytes).concat());
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        assert!(refusal(&bytes, &mine).contains("another version"));
    }
}
