//! Memory needed by a run, estimated from its sizes before anything is drawn, and memory available on the machine.
//!
//! The estimate is a sum of parts, each a size times a factor: how many copies of the data, of the weights, of saved
//! states are held at once at the peak. The factors were measured (peak resident memory of whole runs,
//! docs/design.md) and a test checks them against real runs: never below two thirds of what a run takes, never above
//! three times that. Everything is in bytes and in f64, so that no size in a scenario can overflow.

use crate::network::Footprint;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Bytes of one number.
const NUMBER: f64 = 8.0;

/// The program, its threads, and the figures it draws.
const BASE: f64 = 65e6;

/// The work to be done on a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Build it, measure it, and find its limit.
    Limit,
    /// The flow to the horizon, and finite steps if the scenario has any.
    Run,
    /// Finite steps, and the flow as far as they reach.
    Compare,
}

/// Finite steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepSizes {
    /// Number of step sizes.
    pub runs: f64,
    /// Records of each run.
    pub records: f64,
}

/// The sizes that determine the estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// N
    pub samples: f64,
    /// D
    pub dimension: f64,
    /// P
    pub parameters: f64,
    /// Σ of the widths of all hidden layers.
    pub units: f64,
    /// Numbers in the feedback.
    pub feedback: f64,
    pub footprint: Footprint,
    /// Whether the integrator keeps velocities in factored form (fully connected networks under Adams formulas).
    pub factored: bool,
    /// States saved along the flow.
    pub saves: f64,
    pub steps: Option<StepSizes>,
}

/// A part of an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// What it is, in words.
    pub what: &'static str,
    /// The scenario keys that reduce it.
    pub keys: &'static str,
    pub bytes: f64,
}

/// The peak of a run's memory, part by part.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    pub parts: Vec<Part>,
    sizes: Sizes,
}

impl Sizes {
    /// Peak memory of `work`.
    pub(crate) fn estimate(&self, work: Work) -> Estimate {
        let Self {
            samples: n,
            dimension: d,
            parameters: p,
            ..
        } = *self;
        let mut parts = Vec::new();
        let mut part = |what, keys, numbers: f64| {
            parts.push(Part {
                what,
                keys,
                bytes: NUMBER * numbers,
            });
        };
        // X, G, the distinct samples, the copy of the limit's solver and its factors
        part("the data", "dataset", 3.0 * n * d + n * n.min(d));
        part("the feedback", "network", 2.0 * self.feedback);
        if work == Work::Limit {
            part("the weights", "network: layers and their widths", p);
            return Estimate {
                parts,
                sizes: *self,
            };
        }
        let [factored, full] = self.footprint.copies;
        let copies = if self.factored { factored } else { full };
        part(
            "the weights and the integrator's copies of them",
            "network: layers and their widths; flow.method",
            copies * p,
        );
        let terms = [n * n.min(d), n * d, n * n, n * p, n * self.units];
        let linearised: f64 = (self.footprint.linearised.iter().zip(terms))
            .map(|(factor, term)| factor * term)
            .sum();
        part(
            "the equations of an implicit step",
            "dataset.…samples; network: layers and their widths",
            linearised,
        );
        let records = self.steps.map_or(0.0, |s| s.runs * s.records);
        // the flow is saved at the records too
        let saves = match work {
            Work::Run => self.saves,
            _ => 0.0,
        } + records;
        part(
            "the saved states of the flow",
            "flow.saves; steps.sizes",
            saves * (1.5 * p + 8.0 * n + 6.0 * d + PER_SAVE),
        );
        if let Some(steps) = self.steps {
            part(
                "the records of the finite steps",
                "steps.sizes; network: layers and their widths",
                records * (2.0 * p + 8.0 * n + 4.0 * d + PER_SAVE) + steps.runs * 6.0 * (p + n),
            );
        }
        Estimate {
            parts,
            sizes: *self,
        }
    }
}

/// Numbers per save besides states: what is measured there and drawn.
const PER_SAVE: f64 = 20.0;

impl Estimate {
    /// Bytes, with the program itself.
    pub fn total(&self) -> f64 {
        BASE + self.parts.iter().map(|part| part.bytes).sum::<f64>()
    }

    /// The largest part.
    fn dominant(&self) -> Option<&Part> {
        self.parts.iter().max_by(|a, b| a.bytes.total_cmp(&b.bytes))
    }

    /// Why the work cannot be done with `available` bytes, and what to change; `None` if it can.
    pub fn refusal(&self, available: f64) -> Option<Refusal> {
        let part = self.dominant()?;
        // Not `total > available`: a NaN total is refused too.
        let fits = self.total() <= available;
        (!fits).then(|| {
            let sizes = &self.sizes;
            let problem = format!(
                "this needs about {} of memory, and {} are available; {} alone need {}",
                in_words(self.total()),
                in_words(available),
                part.what,
                in_words(part.bytes)
            );
            let mut advice = format!(
                "there are {} samples of dimension {}, {} weights and {} saves",
                count(sizes.samples),
                count(sizes.dimension),
                count(sizes.parameters),
                count(sizes.saves)
            );
            if let Some(steps) = &sizes.steps {
                let _ = write!(advice, ", {} step sizes", count(steps.runs));
            }
            let _ = write!(advice, ": take less of what is too many ({})", part.keys);
            Refusal { problem, advice }
        })
    }
}

/// A run too large for the machine, in two sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub problem: String,
    pub advice: String,
}

/// A count in readable form.
fn count(n: f64) -> String {
    if n < 1e7 {
        n.to_string()
    } else {
        format!("{n:.1e}")
    }
}

/// Bytes with a readable unit.
fn in_words(bytes: f64) -> String {
    if bytes < 1e9 {
        format!("{:.0} MB", bytes / 1e6)
    } else if bytes < 1e11 {
        format!("{:.1} GB", bytes / 1e9)
    } else if bytes < 1e15 {
        format!("{:.0} GB", bytes / 1e9)
    } else {
        format!("{:.0e} GB", bytes / 1e9)
    }
}

/// Bytes this process can still get: the minimum of what the machine has available, what its control groups leave,
/// and what its address space may grow by. Infinite if the system does not tell.
pub(crate) fn available() -> f64 {
    let texts = |path: &str| fs::read_to_string(path).ok();
    [
        texts("/proc/meminfo").and_then(|text| field(&text, "MemAvailable:")),
        texts("/proc/self/limits")
            .zip(texts("/proc/self/status"))
            .and_then(|(limits, status)| address_space(&limits, &status)),
        texts("/proc/self/cgroup")
            .and_then(|groups| control_groups(&groups, Path::new("/sys/fs/cgroup"))),
    ]
    .into_iter()
    .flatten()
    .fold(f64::INFINITY, f64::min)
}

/// A line `name   123 kB` of a file in /proc, in bytes.
fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(1024.0 * kilobytes)
}

/// What is left of the address space (`ulimit -v`).
fn address_space(limits: &str, status: &str) -> Option<f64> {
    let line = (limits.lines()).find_map(|line| line.strip_prefix("Max address space"))?;
    // "unlimited" is not a number
    let limit: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some((limit - field(status, "VmSize:")?).max(0.0))
}

/// What the control groups of a process (v1 or v2) leave it: the minimum over the group and all its ancestors.
fn control_groups(groups: &str, root: &Path) -> Option<f64> {
    groups
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            let (root, limit, usage) = if controllers.is_empty() {
                (root.to_owned(), "memory.max", "memory.current")
            } else if controllers.split(',').any(|c| c == "memory") {
                let names = ("memory.limit_in_bytes", "memory.usage_in_bytes");
                (root.join("memory"), names.0, names.1)
            } else {
                return None;
            };
            let group = root.join(path.trim_start_matches('/'));
            group
                .ancestors()
                .take_while(|folder| folder.starts_with(&root))
                .filter_map(|folder| left(folder, limit, usage))
                .reduce(f64::min)
        })
        .reduce(f64::min)
}

/// What one group leaves: cached files count as used, but can be dropped.
fn left(group: &Path, limit: &str, usage: &str) -> Option<f64> {
    let number = |name: &str| -> Option<f64> {
        let text = fs::read_to_string(group.join(name)).ok()?;
        text.trim().parse().ok()
    };
    let files = fs::read_to_string(group.join("memory.stat")).ok();
    let files = files.and_then(|stat| {
        let mut words = stat.lines().map(|line| line.split_whitespace());
        let mut line = words.find(|line| line.clone().next() == Some("inactive_file"))?;
        line.nth(1)?.parse::<f64>().ok()
    });
    Some((number(limit)? - number(usage)? + files.unwrap_or(0.0)).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> Sizes {
        Sizes {
            samples: 10.0,
            dimension: 1000.0,
            parameters: 1e6,
            units: 1000.0,
            feedback: 1000.0,
            footprint: Footprint {
                copies: [16.0, 22.0],
                linearised: [2.0, 0.0, 0.0, 0.0, 0.0],
            },
            factored: true,
            saves: 5.0,
            steps: None,
        }
    }

    #[test]
    fn the_part_that_decides_is_named_with_its_keys() {
        let large = Sizes {
            saves: 1e6,
            ..sizes()
        };
        let refusal = large.estimate(Work::Run).refusal(1e10).unwrap();
        assert!(
            refusal
                .problem
                .contains("GB of memory, and 10.0 GB are available"),
            "{}",
            refusal.problem
        );
        assert!(
            refusal.problem.contains("the saved states of the flow"),
            "{}",
            refusal.problem
        );
        assert!(refusal.advice.contains("flow.saves"), "{}", refusal.advice);
        let wide = Sizes {
            parameters: 1e12,
            ..sizes()
        };
        let refusal = wide.estimate(Work::Run).refusal(1e10).unwrap();
        assert!(refusal.advice.contains("network"), "{}", refusal.advice);
        assert_eq!(sizes().estimate(Work::Run).refusal(1e9), None);
        assert_eq!(
            large.estimate(Work::Limit).refusal(1e9),
            None,
            "a limit saves nothing"
        );
    }

    #[test]
    fn no_size_overflows_into_acceptance() {
        for size in [1e19, 1e200, f64::MAX] {
            let huge = Sizes {
                samples: size,
                dimension: size,
                parameters: size * size,
                ..sizes()
            };
            assert!(huge.estimate(Work::Limit).refusal(1e30).is_some(), "{size}");
        }
    }

    #[test]
    fn what_the_system_says_is_read() {
        let meminfo =
            "MemTotal:       24683148 kB\nMemFree:        1000 kB\nMemAvailable:   23701556 kB\n";
        assert_eq!(field(meminfo, "MemAvailable:"), Some(1024.0 * 23_701_556.0));
        let limits = |limit| {
            format!(
                "Limit   Soft Limit   Hard Limit  Units\nMax address space         {limit}   unlimited   bytes\n"
            )
        };
        let status = "Name: x\nVmSize:\t   100 kB\n";
        assert_eq!(address_space(&limits("1024000"), status), Some(921_600.0));
        assert_eq!(address_space(&limits("unlimited"), status), None);
    }

    #[test]
    fn control_groups_of_both_versions_leave_the_least_of_all_levels() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("job/memory.max", "5000\n");
        write("job/memory.current", "2000\n");
        write("job/memory.stat", "anon 1500\ninactive_file 500\n");
        write("job/step/memory.max", "max\n");
        write("job/step/memory.current", "2000\n");
        assert_eq!(control_groups("0::/job/step\n", root.path()), Some(3500.0));
        assert_eq!(control_groups("0::/\n", root.path()), None);
        write("memory/old/memory.limit_in_bytes", "4000\n");
        write("memory/old/memory.usage_in_bytes", "1000\n");
        let first = "7:cpu,cpuacct:/old\n4:memory:/old\n";
        assert_eq!(control_groups(first, root.path()), Some(3000.0));
    }
}
