//! Processor time, repeats and medians.

use std::time::Instant;

/// Linux counts processor time in ticks of some milliseconds: calls are grouped to at least this many seconds.
const GROUP_SECONDS: f64 = 0.1;
/// Once repeats have taken this long together, those made suffice.
const ENOUGH_SECONDS: f64 = 20.0;

/// Seconds per call.
pub struct Timing {
    pub warm_up: f64,
    /// Median over the repeats.
    pub median: f64,
    pub repeats: usize,
}

/// Calls once to warm up, and then in `repeats` groups. A warm-up that took [`ENOUGH_SECONDS`] counts as the only
/// repeat: no start of a program matters beside it. `warm` is called after the warm-up.
pub fn timed(repeats: usize, mut call: impl FnMut(), warm: impl FnOnce()) -> Timing {
    let warm_up = processor_seconds(&mut call);
    warm();
    let mut medians = Vec::new();
    if warm_up > ENOUGH_SECONDS {
        medians.push(warm_up);
    } else {
        let mut calls = 1;
        // A short warm-up may have taken much longer than a call does.
        while warm_up < 10.0 * GROUP_SECONDS
            && processor_seconds(|| (0..calls).for_each(|_| call())) < GROUP_SECONDS
        {
            calls *= 2;
        }
        let mut total = 0.0;
        while medians.len() < repeats && total < ENOUGH_SECONDS {
            let seconds = processor_seconds(|| (0..calls).for_each(|_| call()));
            total += seconds;
            medians.push(seconds / f64::from(calls));
        }
    }
    medians.sort_by(f64::total_cmp);
    Timing {
        warm_up,
        median: medians[medians.len() / 2],
        repeats: medians.len(),
    }
}

/// Processor time of a call on all threads of the process, or time on the wall where the system does not tell.
fn processor_seconds(call: impl FnOnce()) -> f64 {
    // Linux: nanoseconds on a processor, the first number of schedstat.
    let now = || {
        let mut nanoseconds = 0.0;
        for thread in std::fs::read_dir("/proc/self/task").ok()? {
            let statistics = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            let own: f64 = statistics.split_whitespace().next()?.parse().ok()?;
            nanoseconds += own;
        }
        Some(nanoseconds * 1e-9)
    };
    let (wall, processor) = (Instant::now(), now());
    call();
    match (processor, now()) {
        (Some(start), Some(end)) => end - start,
        _ => wall.elapsed().as_secs_f64(),
    }
}

/// Largest resident set of this process so far, bytes; `None` where the system does not tell.
pub fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(1024.0 * kilobytes)
}
