//! What states a field is integrated in: log-multipliers of its samples, coordinates of them, or those of the samples
//! that are not held.

use super::accumulated::Accumulated;
use super::adams_bdf;
use super::clock::{compress, expand};
use super::contradiction::{self, Holding};
use super::coordinates::{Choice, Coordinates, PROMOTED};
use super::integrate::{Field, LegStart};
use super::past::Past;
use super::run::FlowRun;
use super::system::System;
use super::watch::Watch;
use crate::limit::Contradiction;
use crate::network::{Constrained, Kernel};
use nalgebra::DMatrix;
use std::sync::Arc;

/// e^s below which first coordinates are taken from the weights, whose rounding of size ε e^s is then below any
/// tolerance: to nearly equal samples log-multipliers say nothing of the differences.
const FROM_WEIGHTS: f64 = 1e6;

impl Field<'_> {
    /// Holds samples that contradict each other from here on, if there are some and they do nothing else by now.
    /// Whether that is settled.
    pub(super) fn hold(
        &self,
        run: &mut FlowRun<'_>,
        at: &mut LegStart,
        (system, t): (&System, f64),
    ) -> bool {
        let Some((found, g)) = self.contradiction() else {
            return true;
        };
        let multipliers = system.multipliers(&at.y, t);
        if !contradiction::have_settled(found, g, &multipliers) {
            return false;
        }
        let (mut theta, s) = (at.y[..run.parameters].to_vec(), at.base);
        let here = (&mut theta[..], run.epoch.global(s));
        let Some(held) = Holding::begin(system, &**self.kernel, found, here) else {
            return true;
        };
        // the weights know more of differences than log-multipliers do by now
        let mut margins = vec![0.0; run.samples];
        self.kernel.margins(&theta, &mut margins);
        let tau = run.log_time(s);
        let v: Vec<f64> = margins.iter().map(|m| compress(tau - m)).collect();
        let mut next = LegStart {
            kernel: Arc::clone(self.kernel),
            coordinates: None,
            samples_only: false,
            base: s,
            y: [theta, v].concat(),
            accumulated: Accumulated::none(),
        };
        let all = self.in_piece(self.kernel, s, run);
        self.change_coordinates(Some(&held), &mut next, &all, (s, None));
        let taken = next.coordinates.is_some();
        if taken {
            std::mem::swap(&mut next.accumulated, &mut at.accumulated);
            *at = next;
            run.method = run.options.method.for_field(&*at.kernel, self.newton);
            run.watch = Watch::default();
            run.contradiction = Some(held);
        }
        taken
    }

    /// The samples (rows) that contradict each other, of the signed samples; none if all of them do, or none.
    pub(super) fn contradiction(&self) -> Option<(&Contradiction, &DMatrix<f64>)> {
        let g = self.kernel.signed_samples()?;
        let found = self.contradiction.get_or_init(|| Contradiction::of(g));
        let found = found.as_ref()?;
        // samples that are zero pull at nothing
        let some = (1..g.nrows()).contains(&found.samples.len()) && found.span.nrows() > 0;
        some.then_some((found, g))
    }

    /// Other states for the end of a leg of `system`: coordinates of its log-multipliers. The past in these states, if
    /// the integrator can go on from what it left behind, with its clock counted from `base`.
    pub(super) fn change_coordinates(
        &self,
        held: Option<&Holding>,
        at: &mut LegStart,
        system: &System,
        (base, past): (f64, Option<Past>),
    ) -> Option<Past> {
        let s = at.base;
        let (theta, v) = at.y.split_at(system.parameters());
        let mut p = system.log_multipliers(v, s);
        let Some((mut coordinates, kernel)) = self.coordinates(held, system, (&at.y, s)) else {
            at.samples_only = true;
            return None;
        };
        let mut states = system.in_other_coordinates(v, s, (&coordinates, false));
        let p_here = system.as_of(&coordinates, p.clone());
        let by_relation = !coordinates.agree(&states, &p_here, system.moment(s));
        let in_others = |v: &[f64], t: f64| {
            system.in_other_coordinates(v, base + t, (&coordinates, by_relation))
        };
        if by_relation {
            states = in_others(v, s - base);
        }
        let from_weights = system.coordinates().is_none() && s.exp() < FROM_WEIGHTS;
        let past = match past {
            Some(past) if !from_weights => adams_bdf::in_other_states(&past, &in_others),
            _ => None,
        };
        if from_weights {
            let mut margins = vec![0.0; coordinates.len()];
            kernel.margins(theta, &mut margins);
            for (state, margin) in states.iter_mut().zip(margins).skip(1) {
                *state = compress(-margin);
            }
            // which may differ from the log-multipliers by their drift
            let mut margins = vec![0.0; p.len()];
            self.kernel.margins(theta, &mut margins);
            let anchor = coordinates.anchor();
            p = (margins.iter())
                .map(|m| p[anchor] + (margins[anchor] - m))
                .collect();
        }
        let p_there = system.as_of(&coordinates, p.clone());
        if !coordinates.agree(&states, &p_there, system.moment(s)) {
            // too much cancels on the way
            match system.coordinates() {
                None => at.samples_only = true,
                Some(old) => at.coordinates = Some(Arc::new(old.kept(v, &p, system.moment(s)))),
            }
            return None;
        }
        coordinates.accept(&states, &p_there, system.moment(s));
        at.y = [theta, &states].concat();
        at.kernel = kernel;
        at.coordinates = Some(Arc::new(coordinates));
        past
    }

    /// Other coordinates at the state `y` of `system` at log-log-time s, and the field on their vectors. None if the
    /// kernel takes no other rows than its samples, or no sample is being learned.
    fn coordinates(
        &self,
        held: Option<&Holding>,
        system: &System,
        (y, s): (&[f64], f64),
    ) -> Option<(Coordinates, Arc<dyn Kernel>)> {
        let g = self.kernel.signed_samples()?;
        let (theta, v) = y.split_at(system.parameters());
        let features = self
            .kernel
            .on_rows(&DMatrix::identity(g.ncols(), g.ncols()))?;
        let all: Vec<usize> = (0..g.ncols()).collect();
        let response = features.tangent_kernel(theta, &all).diagonal();
        let p = system.log_multipliers(v, s);
        let samples = held.map_or(&[][..], |held| &held.samples);
        let beta = held.map(Holding::beta);
        let (mut best, mut first, mut tries) = (None, Vec::new(), 0);
        let (mut coordinates, values, cancelled) = loop {
            let choice = (response.as_slice(), &first[..]);
            let mut chosen = Coordinates::choose((g, samples), (&p, s), choice.0, choice.1)?;
            if let Some(beta) = &beta {
                chosen.hold(g, beta);
            }
            let values = system.in_other_coordinates(v, s, (&chosen, false));
            let values: Vec<f64> = values.into_iter().map(expand).collect();
            let (cancelled, better) = chosen.promoted(&values, &p, s);
            if best.as_ref().is_none_or(|(_, _, least)| cancelled < *least) {
                best = Some((chosen, values, cancelled));
            }
            tries += 1;
            if cancelled <= PROMOTED || better == first || tries > 2 * g.ncols() {
                break best?;
            }
            first = better;
        };
        coordinates.use_relation(&values);
        coordinates.loosen(system.choice().as_ref(), system.improves(v, s, cancelled));
        let kernel = self.on(&coordinates)?;
        Some((coordinates, kernel))
    }

    /// The coordinates of a mark, and the field on their vectors.
    pub(super) fn of_choice(
        &self,
        held: Option<&Holding>,
        choice: &Choice,
    ) -> Option<(Coordinates, Arc<dyn Kernel>)> {
        let g = self.kernel.signed_samples()?;
        let mut coordinates = Coordinates::of_choice(g, choice)?;
        if let Some(held) = held {
            coordinates.hold(g, &held.beta());
        }
        let kernel = self.on(&coordinates)?;
        Some((coordinates, kernel))
    }

    /// The field on the vectors of coordinates, held where samples are.
    fn on(&self, coordinates: &Coordinates) -> Option<Arc<dyn Kernel>> {
        let (vectors, held) = (coordinates.vectors(), coordinates.held());
        if held.nrows() == 0 {
            return self.kernel.on_rows(vectors);
        }
        let kernel = Constrained::new(self.kernel, vectors, held)?;
        Some(Arc::new(kernel))
    }
}
