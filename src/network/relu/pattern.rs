//! Which side of its kink every preactivation is on.

use crate::activation::Kink;
use crate::trajectory::SlidingPair;
use nalgebra::DMatrix;
use std::collections::BTreeMap;

/// State of one (unit, sample) pair of a hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// a ≥ 0, with the gate of that side.
    Active,
    /// a ≤ 0, with the gate of that side.
    Inactive,
    /// `a = h = 0` along the flow, with the intermediate gate that keeps it there.
    Sliding,
    /// All pairs of a unit whose weights stay zero, where kinks do not close; h = 0.
    Resting,
}

impl Mode {
    /// The mode whose number is `word`.
    fn of_word(word: u64) -> Option<Self> {
        [Self::Active, Self::Inactive, Self::Sliding, Self::Resting]
            .into_iter()
            .find(|mode| *mode as u64 == word)
    }
}

/// One pair: layer index l − 1, unit j, sample n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Pair {
    pub layer: usize,
    pub unit: usize,
    pub sample: usize,
}

/// The modes of all hidden layers, each units × N.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    kink: Kink,
    modes: Vec<DMatrix<Mode>>,
    sliding: Vec<Pair>,
    /// Gates between those of the two sides, of pairs whose inputs are zero: until those grow they only scale signals.
    partial: BTreeMap<Pair, f64>,
}

impl Pattern {
    /// Every mode as a number, in the order of [`Self::pairs`].
    pub(super) fn words(&self) -> impl Iterator<Item = u64> + '_ {
        self.pairs().map(|p| self.get(p) as u64)
    }

    /// Reads the [`words`](Self::words) of a pattern in layers of these widths; `None` if there are too few, or if
    /// some are not modes.
    pub(super) fn of_words<'a>(
        kink: Kink,
        widths: &[usize],
        samples: usize,
        words: &mut impl Iterator<Item = &'a u64>,
    ) -> Option<Self> {
        let layer = |units: &usize| DMatrix::from_element(*units, samples, Mode::Inactive);
        let mut pattern = Self {
            kink,
            modes: widths.iter().map(layer).collect(),
            sliding: Vec::new(),
            partial: BTreeMap::new(),
        };
        let pairs: Vec<Pair> = pattern.pairs().collect();
        for pair in pairs {
            pattern.set(pair, Mode::of_word(*words.next()?)?);
        }
        Some(pattern)
    }

    /// The pattern of the signs of preactivations; active at zero.
    pub(super) fn of_signs(kink: Kink, preactivations: &[DMatrix<f64>]) -> Self {
        let mode = |a: f64| {
            if a >= 0.0 {
                Mode::Active
            } else {
                Mode::Inactive
            }
        };
        Self {
            kink,
            modes: preactivations.iter().map(|a| a.map(mode)).collect(),
            sliding: Vec::new(),
            partial: BTreeMap::new(),
        }
    }

    /// Whether there is such a pair.
    pub(super) fn has(&self, p: Pair) -> bool {
        let of_layer = self.modes.get(p.layer);
        of_layer.is_some_and(|modes| p.unit < modes.nrows() && p.sample < modes.ncols())
    }

    pub(super) fn get(&self, p: Pair) -> Mode {
        self.modes[p.layer][(p.unit, p.sample)]
    }

    pub(super) fn set(&mut self, p: Pair, mode: Mode) {
        self.partial.remove(&p);
        let slot = &mut self.modes[p.layer][(p.unit, p.sample)];
        if *slot == mode {
            return;
        }
        if *slot == Mode::Sliding {
            self.sliding.retain(|q| *q != p);
        } else if mode == Mode::Sliding {
            let place = self.sliding.partition_point(|q| *q < p);
            self.sliding.insert(place, p);
        }
        *slot = mode;
    }

    /// Gates of one layer, zero for sliding pairs, whose contribution is a separate force.
    pub(super) fn gates(&self, layer: usize) -> DMatrix<f64> {
        let mut gates = self.modes[layer].map(|mode| self.gate(mode));
        for (p, gate) in self.partial.iter().filter(|(p, _)| p.layer == layer) {
            gates[(p.unit, p.sample)] = *gate;
        }
        gates
    }

    /// Gives a pair whose inputs are zero a gate of its own, until its mode is set.
    pub(super) fn set_gate(&mut self, p: Pair, gate: f64) {
        self.set(p, Mode::Active);
        self.partial.insert(p, gate);
    }

    /// Pairs with gates of their own.
    pub(super) fn partial(&self) -> &BTreeMap<Pair, f64> {
        &self.partial
    }

    fn gate(&self, mode: Mode) -> f64 {
        match mode {
            Mode::Active => self.kink.active,
            Mode::Inactive => self.kink.inactive,
            Mode::Sliding | Mode::Resting => 0.0,
        }
    }

    /// The kink whose sides the modes are.
    pub(super) fn kink(&self) -> Kink {
        self.kink
    }

    /// The sliding pairs, in order.
    pub(super) fn sliding(&self) -> &[Pair] {
        &self.sliding
    }

    /// Units that rest, by layer and unit.
    pub(super) fn resting(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.modes.iter().enumerate().flat_map(|(layer, modes)| {
            let rests = |unit: &usize| modes.row(*unit).iter().any(|m| *m == Mode::Resting);
            (0..modes.nrows())
                .filter(rests)
                .map(move |unit| (layer, unit))
        })
    }

    /// Whether no unit of a layer passes on anything of sample n.
    pub(super) fn is_dark(&self, layer: usize, sample: usize) -> bool {
        let modes = self.modes[layer].column(sample);
        modes.iter().all(|mode| self.gate(*mode) == 0.0)
    }

    /// The sliding pairs, for reports.
    pub(super) fn sliding_pairs(&self) -> Vec<SlidingPair> {
        let pair = |p: &Pair| SlidingPair {
            layer: p.layer + 1,
            unit: p.unit,
            sample: p.sample,
        };
        self.sliding.iter().map(pair).collect()
    }

    /// All pairs, layer by layer.
    pub(super) fn pairs(&self) -> impl Iterator<Item = Pair> + '_ {
        self.modes.iter().enumerate().flat_map(|(layer, modes)| {
            let (units, samples) = modes.shape();
            (0..units).flat_map(move |unit| {
                (0..samples).map(move |sample| Pair {
                    layer,
                    unit,
                    sample,
                })
            })
        })
    }
}
