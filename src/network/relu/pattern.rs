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

/// One pair: layer index l − 1, unit j, sample n; where a layer has patches, channel j, and `n · patches + p` for
/// patch p.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Pair {
    pub layer: usize,
    pub unit: usize,
    pub sample: usize,
}

/// The modes of all hidden layers, each units × N (channels × (patches · N)).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    /// Of layers that have one; the others have no pairs.
    kinks: Vec<Option<Kink>>,
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

    /// Reads the [`words`](Self::words) of a pattern in layers of these shapes; `None` if there are too few, or if
    /// some are not modes.
    pub(super) fn of_words<'a>(
        kinks: Vec<Option<Kink>>,
        shapes: &[(usize, usize)],
        words: &mut impl Iterator<Item = &'a u64>,
    ) -> Option<Self> {
        let layer = |s: &(usize, usize)| DMatrix::from_element(s.0, s.1, Mode::Inactive);
        let mut pattern = Self {
            kinks,
            modes: shapes.iter().map(layer).collect(),
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
    pub(super) fn of_signs(kinks: Vec<Option<Kink>>, preactivations: &[DMatrix<f64>]) -> Self {
        let mode = |a: f64| {
            if a >= 0.0 {
                Mode::Active
            } else {
                Mode::Inactive
            }
        };
        Self {
            kinks,
            modes: preactivations.iter().map(|a| a.map(mode)).collect(),
            sliding: Vec::new(),
            partial: BTreeMap::new(),
        }
    }

    /// Whether there is such a pair.
    pub(super) fn has(&self, p: Pair) -> bool {
        let of_layer = self
            .modes
            .get(p.layer)
            .filter(|_| self.kinks[p.layer].is_some());
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

    /// Gates of a layer with kinks, zero for sliding pairs, whose contribution is a separate force.
    pub(super) fn gates(&self, layer: usize) -> DMatrix<f64> {
        let mut gates = self.modes[layer].map(|mode| self.gate(layer, mode));
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

    fn gate(&self, layer: usize, mode: Mode) -> f64 {
        match mode {
            Mode::Active => self.kink(layer).active,
            Mode::Inactive => self.kink(layer).inactive,
            Mode::Sliding | Mode::Resting => 0.0,
        }
    }

    /// The kink whose sides the modes of a layer are; without one, both are open.
    pub(super) fn kink(&self, layer: usize) -> Kink {
        self.kinks[layer].unwrap_or(Kink {
            inactive: 1.0,
            active: 1.0,
        })
    }

    /// Columns of a layer.
    pub(super) fn columns(&self, layer: usize) -> usize {
        self.modes[layer].ncols()
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

    /// Whether no unit of a layer passes on anything of a column.
    pub(super) fn is_dark(&self, layer: usize, column: usize) -> bool {
        let modes = self.modes[layer].column(column);
        modes.iter().all(|mode| self.gate(layer, *mode) == 0.0)
    }

    /// The sliding pairs, for reports, in layers that have so many patches per sample.
    pub(super) fn sliding_pairs(&self, patches: impl Fn(usize) -> usize) -> Vec<SlidingPair> {
        let pair = |p: &Pair| {
            let (count, channels) = (patches(p.layer), self.modes[p.layer].nrows());
            SlidingPair {
                layer: p.layer + 1,
                unit: p.unit + channels * (p.sample % count),
                sample: p.sample / count,
            }
        };
        self.sliding.iter().map(pair).collect()
    }

    /// All pairs, layer by layer.
    pub(super) fn pairs(&self) -> impl Iterator<Item = Pair> + '_ {
        let kinks = self.kinks.iter();
        let layers = self.modes.iter().zip(kinks).enumerate();
        let with_kinks = layers.filter(|(_, (_, kink))| kink.is_some());
        with_kinks.flat_map(|(layer, (modes, _))| {
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
