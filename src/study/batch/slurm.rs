//! A batch as a Slurm job array.

use super::BatchFolder;
use crate::error::{Error, Result, UsageError};
use crate::storage::{Folder, create_folder, write_file};
use std::path::{Path, PathBuf};

/// The size of the array.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlurmOptions {
    /// Tasks of the array, one shard each.
    pub tasks: usize,
    /// Threads per task.
    pub jobs: usize,
}

/// Writes `slurm/array.sh`, `slurm/merge.sh` and `slurm/submit.sh`; returns the path of the last.
///
/// # Errors
/// [`Error::Io`]; [`Error::Usage`] if a path cannot be put into a script.
pub(crate) fn write_slurm(
    batch: &BatchFolder,
    program: &Path,
    options: SlurmOptions,
) -> Result<PathBuf> {
    let folder = std::path::absolute(&batch.path).map_err(|e| Error::io(&batch.path, e))?;
    let scripts = folder.join("slurm");
    let _here = Folder::together(&folder)?;
    create_folder(&scripts)?;
    let paths = Paths {
        verb: batch.kind.verb,
        program: quoted(program)?,
        folder: quoted(&folder)?,
        log: batch_pattern(&scripts)?,
        array: quoted(&scripts.join("array.sh"))?,
        merge: quoted(&scripts.join("merge.sh"))?,
    };
    write_file(&scripts.join("array.sh"), array(&paths, options).as_bytes())?;
    write_file(&scripts.join("merge.sh"), merge(&paths).as_bytes())?;
    let submit = scripts.join("submit.sh");
    write_file(&submit, submission(&paths).as_bytes())?;
    Ok(submit)
}

/// The verb, and paths quoted for a shell script; `log` for an `#SBATCH` line.
struct Paths {
    verb: &'static str,
    program: String,
    folder: String,
    log: String,
    array: String,
    merge: String,
}

fn array(paths: &Paths, options: SlurmOptions) -> String {
    let SlurmOptions { tasks, jobs } = options;
    let last = tasks - 1;
    let Paths {
        verb,
        program,
        folder,
        log,
        ..
    } = paths;
    let some_only = concat!(
        r#"[ "${SLURM_ARRAY_TASK_MIN:-0}" -ne 0 ] || "#,
        r#"[ "${SLURM_ARRAY_TASK_MAX:-$((shards - 1))}" -ne $((shards - 1)) ]"#
    );
    format!(
        r#"#!/bin/sh
#SBATCH --job-name=marginflow-{verb}
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task={jobs}
#SBATCH --output={log}/%A-%a.log
#SBATCH --signal=B:TERM@60
# One shard of the {verb} per task. A task that was killed is submitted again, alone or with all others:
#     sbatch --array=3 array.sh
# cases that are done are not done twice. SIGTERM, a minute before the time limit, ends a task after the cases in hand.
shard=$SLURM_ARRAY_TASK_ID
shards=$SLURM_ARRAY_TASK_COUNT
# Some tasks of an array only: they keep the shards they had in the whole of it.
if {some_only}; then
    shards={tasks}
fi
exec {program} {verb} run --out {folder} --shard "$shard/$shards" --jobs "${{SLURM_CPUS_PER_TASK:-{jobs}}}" --quiet
"#
    )
}

fn merge(paths: &Paths) -> String {
    format!(
        r#"#!/bin/sh
#SBATCH --job-name=marginflow-merge
#SBATCH --output={}/merge-%j.log
# Exit code 3, with a list, if cases are missing.
exec {} {} merge --out {}
"#,
        paths.log, paths.program, paths.verb, paths.folder
    )
}

fn submission(paths: &Paths) -> String {
    let Paths { array, merge, .. } = paths;
    format!(
        r#"#!/bin/sh
# The array, and a job that merges once all its tasks have ended, however they ended.
# Options are handed on to sbatch for both.
set -eu
array=$(sbatch --parsable "$@" {array})
merge=$(sbatch --parsable --dependency="afterany:${{array%%;*}}" "$@" {merge})
echo "array $array, merge $merge"
"#
    )
}

/// A path in single quotes.
fn quoted(path: &Path) -> Result<String> {
    let text = path
        .to_str()
        .ok_or_else(|| UsageError::PathNotText(path.to_owned()))?;
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// A folder as part of a pattern of file names; `#SBATCH` lines have no escape for white space.
fn batch_pattern(folder: &Path) -> Result<String> {
    let text = quoted(folder)?;
    let text = text.trim_matches('\'');
    if text.contains(char::is_whitespace) || text.contains(['%', '\\', '\'', '"']) {
        return Err(UsageError::PathNotForSlurm(folder.to_owned()).into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// `(variables of the task, shard it should take)` in an array of four.
    #[test]
    fn tasks_take_their_shards_also_when_submitted_alone() {
        let paths = Paths {
            verb: "sweep",
            program: "echo".into(),
            folder: "'x y'".into(),
            log: "/tmp".into(),
            array: String::new(),
            merge: String::new(),
        };
        let script = array(&paths, SlurmOptions { tasks: 4, jobs: 2 });
        for (variables, shard) in [
            (["2", "4", "0", "3"], "2/4"),
            (["2", "1", "2", "2"], "2/4"),
            (["3", "2", "1", "3"], "3/4"),
            (["3", "2", "0", "3"], "3/4"),
            // the first task alone takes everything
            (["0", "1", "0", "0"], "0/1"),
            (["1", "3", "0", "2"], "1/3"),
        ] {
            let names = ["ID", "COUNT", "MIN", "MAX"].map(|n| format!("SLURM_ARRAY_TASK_{n}"));
            let output = Command::new("sh")
                .args(["-c", &script])
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                .envs(names.iter().zip(variables))
                .output()
                .unwrap();
            let line = String::from_utf8(output.stdout).unwrap();
            let expected = format!("sweep run --out x y --shard {shard} --jobs 2 --quiet\n");
            assert_eq!(line, expected, "{variables:?}");
        }
    }

    #[test]
    fn paths_are_quoted_for_the_shell() {
        assert_eq!(quoted(Path::new("/a b/it's")).unwrap(), r"'/a b/it'\''s'");
        assert!(batch_pattern(Path::new("/a b")).is_err());
        assert_eq!(
            batch_pattern(Path::new("/a-b/c_1.d")).unwrap(),
            "/a-b/c_1.d"
        );
    }
}
