//! Which frequencies a figure distinguishes: all, if there are few; otherwise those with the largest phases, in front
//! of a grey bundle.

use num_complex::Complex64;

use super::{Drawn, GREY, Series, build};
use crate::diagnostics::Phases;

/// Up to this many frequencies each have a colour; black, the last one, is reserved for markers.
const FEW: usize = 6;
/// If there are more, only this many have one.
const EXTREME: usize = 3;

/// A frequency and how its curves look.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    /// Index into [`Phases::frequencies`].
    pub row: usize,
    /// Its name, in a legend that names it; the first of a bundle names the bundle.
    pub label: Option<String>,
    pub colour: usize,
    pub opacity: f64,
}

impl Shown {
    /// Whether it is distinguished from the others.
    pub(crate) fn named(&self) -> bool {
        self.colour != GREY
    }

    /// A curve of this frequency.
    pub(crate) fn line(&self, points: Vec<(f64, f64)>) -> Series {
        Series {
            label: self.label.clone(),
            opacity: self.opacity,
            ..build::line("", self.colour, points)
        }
    }
}

/// The phase; NaN for zero, which has none.
pub(crate) fn argument(phi: Complex64) -> f64 {
    if phi == Complex64::ZERO {
        f64::NAN
    } else {
        phi.arg()
    }
}

/// The frequencies whose entries are complex, the bundle first. Where the transform is real there is no phase to show:
/// at d = 0, at d = D/2 for even D, and everywhere in diagonal networks.
pub(crate) fn shown(run: &Drawn, phases: &Phases) -> Vec<Shown> {
    let Some(network) = run.problem.network().spectrum() else {
        return Vec::new();
    };
    let entries = network.frequencies();
    let complex: Vec<usize> = (0..phases.frequencies.len())
        .filter(|&row| entries[phases.frequencies[row]].len == 2)
        .collect();
    let mut ranked = complex.clone();
    if complex.len() > FEW {
        let largest = |row: usize| {
            let phi = phases
                .phi
                .iter()
                .flat_map(|phi| phi.row(row).iter().copied().collect::<Vec<_>>());
            phi.map(|phi| argument(phi).abs()).fold(0.0, f64::max)
        };
        ranked.sort_by(|&a, &b| largest(b).total_cmp(&largest(a)));
        ranked.truncate(EXTREME);
    }
    let others: Vec<usize> = complex
        .into_iter()
        .filter(|row| !ranked.contains(row))
        .collect();
    let count = others.len();
    let bundle = others.into_iter().enumerate().map(|(k, row)| Shown {
        row,
        label: (k == 0).then(|| format!("{count} other frequencies")),
        colour: GREY,
        opacity: 0.6,
    });
    let named = ranked.iter().enumerate().map(|(colour, &row)| Shown {
        row,
        label: Some(format!("d = {}", phases.frequencies[row])),
        colour,
        opacity: 1.0,
    });
    bundle.chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic;

    fn all(dimension: usize) -> Vec<Shown> {
        let case = synthetic::convolutional(dimension, 3);
        shown(&case.run(), case.diagnostics.phases.as_ref().unwrap())
    }

    #[test]
    fn few_frequencies_are_all_named_and_real_ones_left_out() {
        let found = all(8);
        let labels: Vec<&str> = found.iter().filter_map(|s| s.label.as_deref()).collect();
        assert_eq!(labels, ["d = 1", "d = 2", "d = 3"]);
        assert_eq!(
            found.iter().map(|s| s.colour).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert_eq!(all(7).len(), 3);
        assert_eq!(all(2), []);
        let diagonal = synthetic::diagonal(2);
        assert_eq!(
            shown(
                &diagonal.run(),
                diagonal.diagnostics.phases.as_ref().unwrap()
            ),
            []
        );
    }

    #[test]
    fn of_many_frequencies_those_with_the_largest_phases_are_named() {
        let case = synthetic::convolutional(40, 2);
        let phases = case.diagnostics.phases.as_ref().unwrap();
        let found = shown(&case.run(), phases);
        assert_eq!(found.len(), 19);
        assert_eq!(found[0].label.as_deref(), Some("16 other frequencies"));
        let largest = |s: &Shown| {
            phases.phi[0]
                .row(s.row)
                .iter()
                .fold(0.0f64, |a, phi| a.max(phi.arg().abs()))
        };
        let least = found[16..]
            .iter()
            .map(largest)
            .fold(f64::INFINITY, f64::min);
        assert!(found[16..].iter().all(Shown::named));
        assert!(
            found[..16]
                .iter()
                .all(|s| !s.named() && largest(s) <= least)
        );
    }
}
