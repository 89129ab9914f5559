//! From all case files to tables: a pure function of them, in the order of ids.

use super::{Case, Kind, Measurement, NetworkCase, Plan, Record};
use crate::error::Result;
use crate::study::{Interval, mean_interval, records};
use rayon::prelude::*;
use std::fmt::Write;

/// The cases without a valid file, in the order of their ids.
#[derive(Debug)]
pub struct Missing(pub Vec<Case>);

/// A finished sweep.
#[derive(Debug)]
pub struct Merged<'a> {
    pub plan: &'a Plan,
    /// One per case.
    records: Vec<(Case, Record)>,
    /// Per network and ratio, in the order of the plan; no entry where theory has no prediction.
    pub theory: Vec<PredictedAngle>,
}

/// A predicted angle.
#[derive(Debug, Clone)]
pub struct PredictedAngle {
    pub network: NetworkCase,
    pub ratio: f64,
    pub angle_degrees: f64,
}

/// The angles of one network, ratio and kind.
#[derive(Debug, Clone)]
pub struct Summary {
    pub network: NetworkCase,
    pub ratio: f64,
    pub kind: Kind,
    pub angle: Interval,
    /// The predicted angle of the limit, degrees.
    pub theory: Option<f64>,
}

impl Summary {
    /// By how many standard errors the mean over limits exceeds theory.
    pub fn deviation(&self) -> Option<f64> {
        let error = self.angle.standard_error.filter(|e| *e > 0.0)?;
        (self.kind == Kind::Limit).then_some((self.angle.mean - self.theory?) / error)
    }
}

/// Angles of the fully connected network minus those of another one on the same data.
#[derive(Debug, Clone)]
pub struct Difference {
    pub network: NetworkCase,
    /// The fully connected network.
    pub beside: NetworkCase,
    pub ratio: f64,
    pub kind: Kind,
    pub difference: Interval,
    /// The same difference predicted for the limits, degrees.
    pub theory: Option<f64>,
}

impl Difference {
    /// Mean over standard error.
    pub fn significance(&self) -> Option<f64> {
        let error = self.difference.standard_error.filter(|e| *e > 0.0)?;
        Some(self.difference.mean / error)
    }
}

/// Reads every case.
///
/// # Errors
/// Outer: [`Error::Io`](crate::error::Error::Io). Inner: the cases still to be done.
pub fn merge(plan: &Plan) -> Result<std::result::Result<Merged<'_>, Missing>> {
    Ok(match records(plan)? {
        Ok(records) => Ok(Merged {
            theory: theory(plan, &plan.options.ratios),
            plan,
            records: plan.cases().into_iter().zip(records).collect(),
        }),
        Err(missing) => Err(Missing(
            missing.into_iter().map(|id| plan.case(id)).collect(),
        )),
    })
}

/// Predictions for every network of a plan.
pub(super) fn theory(plan: &Plan, ratios: &[f64]) -> Vec<PredictedAngle> {
    let pairs: Vec<(&NetworkCase, f64)> = (plan.options.cases.iter())
        .flat_map(|network| ratios.iter().map(move |ratio| (network, *ratio)))
        .collect();
    (pairs.into_par_iter())
        .map(|(network, ratio)| {
            let prediction = network.prediction(ratio).ok()?;
            Some(PredictedAngle {
                network: network.clone(),
                ratio,
                angle_degrees: prediction.angle.to_degrees(),
            })
        })
        .collect::<Vec<_>>()
        .into_iter()
        .flatten()
        .collect()
}

impl Merged<'_> {
    fn predicted(&self, network: &NetworkCase, ratio: f64) -> Option<f64> {
        let point = (self.theory.iter()).find(|p| p.network == *network && p.ratio == ratio)?;
        Some(point.angle_degrees)
    }

    /// All measurements, in the order of ids and, in a case, of kinds.
    pub(super) fn measurements(&self) -> impl Iterator<Item = (&Case, Kind, &Measurement)> {
        self.records.iter().flat_map(|(case, record)| {
            (self.plan.options.kinds.iter())
                .filter_map(move |kind| Some((case, *kind, record.of(*kind)?)))
        })
    }

    /// The largest duality gap among the limits.
    pub fn largest_gap(&self) -> Option<f64> {
        self.measurements()
            .filter_map(|(_, _, m)| m.duality_gap)
            .max_by(f64::total_cmp)
    }

    /// `seed → angle` of one network, ratio and kind.
    fn angles(&self, network: &NetworkCase, ratio: f64, kind: Kind) -> Vec<Option<f64>> {
        self.measurements()
            .filter(|(case, of, _)| case.network == *network && case.ratio == ratio && *of == kind)
            .map(|(_, _, m)| m.angle_degrees)
            .collect()
    }

    /// Every network, kind and ratio, in this order.
    fn groups(&self) -> impl Iterator<Item = (&NetworkCase, Kind, f64)> {
        let options = &self.plan.options;
        options.cases.iter().flat_map(move |network| {
            options.kinds.iter().flat_map(move |kind| {
                (options.ratios.iter()).map(move |ratio| (network, *kind, *ratio))
            })
        })
    }

    /// Means over seeds.
    pub fn summaries(&self) -> Vec<Summary> {
        self.groups()
            .filter_map(|(network, kind, ratio)| {
                let angles: Vec<f64> = self
                    .angles(network, ratio, kind)
                    .into_iter()
                    .flatten()
                    .collect();
                Some(Summary {
                    network: network.clone(),
                    ratio,
                    kind,
                    angle: mean_interval(&angles)?,
                    theory: self.predicted(network, ratio),
                })
            })
            .collect()
    }

    /// Paired differences to the fully connected network of the same rule and depth, or to the first one; empty if
    /// there is none among the cases.
    pub fn differences(&self) -> Vec<Difference> {
        self.groups()
            .filter(|(network, _, _)| !network.is_fully_connected())
            .filter_map(|(network, kind, ratio)| {
                let first = network.counterpart(&self.plan.options.cases)?;
                let differences: Vec<f64> = (self.angles(first, ratio, kind).into_iter())
                    .zip(self.angles(network, ratio, kind))
                    .filter_map(|(a, b)| Some(a? - b?))
                    .collect();
                let theory = (self.predicted(first, ratio)).zip(self.predicted(network, ratio));
                Some(Difference {
                    network: network.clone(),
                    beside: first.clone(),
                    ratio,
                    kind,
                    difference: mean_interval(&differences)?,
                    theory: theory.map(|(a, b)| a - b),
                })
            })
            .collect()
    }

    /// `sweep.csv`: every angle.
    pub fn sweep_csv(&self) -> String {
        let mut text = String::from("case,ratio,seed,kind,angle_degrees\n");
        for (case, kind, measurement) in self.measurements() {
            if let Some(angle) = measurement.angle_degrees {
                let (name, kind) = (case.network.name(), kind.name());
                let _ = writeln!(text, "{name},{},{},{kind},{angle}", case.ratio, case.seed);
            }
        }
        text
    }
}
