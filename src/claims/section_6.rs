//! Section 6 of the report: fully connected networks end nearer to the teacher than convolutional ones.
//!
//! A claim about many data sets, so no run can decide it. It is judged on a sweep, by *paired* differences
//! `δ = θ(fully connected) − θ(convolutional)`, both trained on the same data: what one draw of data does to both
//! drops out. For each network and kind (limit, flow, steps) the differences of all ratios n/D are pooled,
//!
//! ```text
//! δ̄ = (1/R) Σ_r δ̄_r          s.e.² = (1/R²) Σ_r s.e._r²          z = δ̄ / s.e.
//! ```
//!
//! with R ratios of equal weight: the curve as a whole lies lower, which says more than a ratio by itself where the
//! difference tends to zero (n/D → ∞).

use super::{Claim, Outcome, Subject, Verdict, not_applicable};
use std::collections::BTreeMap;

pub(super) const CLAIM: Claim = Claim {
    id: "sec-6",
    printed: "The angle to a Gaussian teacher, against samples per dimension n/D, is slightly lower for fully \
              connected networks than for convolutional ones.",
    corrected: "True of limits in high dimension, by an amount that follows from the norm alone \
                (docs/generalisation.md) and tends to zero as n/D grows. At times that training can reach the \
                difference is larger: depth keeps feedback alignment far from its limit, and convolutional networks \
                lose more by it.",
    check: "Judged on a sweep, not on a run. Residual: of all convolutional networks and kinds (limit, flow, steps), \
            the largest z = δ̄/s.e. of the paired difference of angles, fully connected minus convolutional, same \
            data, pooled over n/D. Holds at -4 and below if no ratio by itself is at +4, and if the mean over limits \
            is within 4 s.e. of the law in high dimension. Violated where z, pooled or of any ratio by itself, is +4 \
            or more; the residual is then the larger of the two. Hypotheses: a sweep with a fully connected and a \
            convolutional network; inconclusive where any ratio of a curve has fewer than 20 pairs.",
    subject: Subject::Sweep,
    judge: |_| {
        not_applicable(
            "a claim about many data sets, which one run cannot decide: `reproduce --only sec-6` judges it on sweeps",
        )
    },
};

/// In standard errors. With 20 pairs Student's t is beyond it with probability 4·10⁻⁴ on either side, so that a table
/// of 25 curves is wrong once in a hundred times.
const SIGNIFICANT: f64 = 4.0;

/// Angles are known to this, degrees: networks of one layer, which are all the same, do not differ by rounding.
const RESOLUTION: f64 = 1e-6;

/// Fewest pairs at every ratio: the standard error of each is a number of its own.
const FEWEST_PAIRS: usize = 20;

/// Angles of a fully connected network minus those of another on the same data, at one ratio n/D, degrees.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedDifference {
    /// The convolutional network, e.g. "conv-dfa-3".
    pub network: String,
    /// The fully connected one beside it.
    pub beside: String,
    /// "limit", "flow" or "steps".
    pub kind: &'static str,
    /// n/D
    pub ratio: f64,
    /// Data sets on which both angles are known.
    pub pairs: usize,
    pub mean: f64,
    /// `None` from a single pair.
    pub standard_error: Option<f64>,
    /// The difference between the limits in high dimension; `None` for what is no limit, or where there is no law.
    pub law: Option<f64>,
}

/// The differences of one network and kind, pooled over ratios.
struct Curve {
    name: String,
    pairs: usize,
    mean: f64,
    standard_error: f64,
    law: Option<f64>,
    /// The largest `mean/s.e.` of a ratio by itself, and that ratio.
    worst: (f64, f64),
}

impl Curve {
    /// `None` unless every ratio has pairs enough for a standard error.
    fn of(name: String, rows: &[&PairedDifference]) -> Option<Self> {
        let count = rows.len() as f64;
        let mut variance = 0.0;
        let mut worst = (f64::NEG_INFINITY, f64::NAN);
        for row in rows {
            let error = row.standard_error.filter(|_| row.pairs >= FEWEST_PAIRS)?;
            let error = error.max(RESOLUTION);
            variance += error * error;
            if row.mean / error > worst.0 {
                worst = (row.mean / error, row.ratio);
            }
        }
        let laws: Option<f64> = rows.iter().map(|row| row.law).sum();
        Some(Self {
            name,
            pairs: rows.iter().map(|row| row.pairs).sum(),
            mean: rows.iter().map(|row| row.mean).sum::<f64>() / count,
            standard_error: variance.sqrt() / count,
            law: laws.map(|sum| sum / count),
            worst,
        })
    }

    fn z(&self) -> f64 {
        self.mean / self.standard_error
    }

    /// The larger of z and that of a ratio by itself: either decides against the claim.
    fn against(&self) -> f64 {
        self.z().max(self.worst.0)
    }

    /// Distance from the law in standard errors.
    fn off_the_law(&self) -> Option<f64> {
        Some((self.mean - self.law?) / self.standard_error)
    }

    fn told(&self) -> String {
        let law = self
            .law
            .map_or_else(String::new, |law| format!(", law {law:.2}"));
        format!(
            "{} {:.2} ± {:.2} ({} pairs{law})",
            self.name, self.mean, self.standard_error, self.pairs
        )
    }
}

/// Judges the claim on the paired differences of a sweep.
pub fn judge_sweep(differences: &[PairedDifference]) -> Verdict {
    let verdict = verdict(differences).unwrap_or_else(|verdict| verdict);
    Verdict {
        id: CLAIM.id,
        ..verdict
    }
}

fn verdict(differences: &[PairedDifference]) -> Result<Verdict, Verdict> {
    let mut groups: BTreeMap<(&str, &str), Vec<&PairedDifference>> = BTreeMap::new();
    for row in differences {
        let group = groups.entry((row.kind, &row.network)).or_default();
        group.push(row);
    }
    if groups.is_empty() {
        return Err(not_applicable(
            "the sweep has no convolutional network beside a fully connected one",
        ));
    }
    let mut curves = Vec::with_capacity(groups.len());
    for ((kind, network), rows) in groups {
        let name = format!("{network} {kind}");
        curves.push(Curve::of(name.clone(), &rows).ok_or_else(|| too_few(&name, &rows))?);
    }
    let largest = |of: fn(&Curve) -> f64| curves.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    let least_clear = largest(Curve::z);
    let told: Vec<String> = curves.iter().map(Curve::told).collect();
    let (outcome, remark) = outcome(&curves, least_clear);
    let residual = match outcome {
        Outcome::Violated => largest(Curve::against),
        _ => least_clear,
    };
    let evidence = format!(
        "{remark}fully connected minus convolutional in degrees, same data, mean ± standard error over n/D: {}",
        told.join("; ")
    );
    Ok(Verdict::new(outcome, residual, -SIGNIFICANT, evidence))
}

fn too_few(name: &str, rows: &[&PairedDifference]) -> Verdict {
    let fewest = rows.iter().min_by_key(|row| row.pairs);
    let found = fewest.map_or_else(String::new, |row| {
        format!("{} pairs at n/D = {}", row.pairs, row.ratio)
    });
    let evidence = format!(
        "{name}: {found} are too few for a standard error ({FEWEST_PAIRS} are wanted at every ratio); raise \
         sweep.seeds"
    );
    Verdict::without_measurement(Outcome::Inconclusive, evidence)
}

/// The outcome, with what has to be said first.
fn outcome(curves: &[Curve], least_clear: f64) -> (Outcome, String) {
    if let Some(curve) = curves.iter().find(|c| c.against() >= SIGNIFICANT) {
        let remark = format!(
            "{}: the fully connected network is farther from the teacher (at n/D = {} by {:.1} standard errors); ",
            curve.name, curve.worst.1, curve.worst.0
        );
        return (Outcome::Violated, remark);
    }
    if least_clear > -SIGNIFICANT {
        let unclear: Vec<&str> = (curves.iter().filter(|c| c.z() > -SIGNIFICANT))
            .map(|c| c.name.as_str())
            .collect();
        let remark = format!(
            "{SIGNIFICANT} standard errors are not reached by {}; raise sweep.seeds; ",
            unclear.join(", ")
        );
        return (Outcome::Inconclusive, remark);
    }
    let off = |c: &&Curve| c.off_the_law().is_some_and(|z| z.abs() > SIGNIFICANT);
    if let Some(curve) = curves.iter().find(off) {
        let remark = format!(
            "{} is {:.1} standard errors from the law in high dimension, which leaves out terms in 1/D; raise the \
             dimension; ",
            curve.name,
            curve.off_the_law().unwrap_or_default()
        );
        return (Outcome::Inconclusive, remark);
    }
    (Outcome::Holds, String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ratios of one network with these means, standard error 1, 20 pairs each.
    fn sweep(means: [f64; 2], law: Option<f64>) -> Vec<PairedDifference> {
        let row = |(ratio, mean): (f64, f64)| PairedDifference {
            network: "conv-dfa-2".into(),
            beside: "fc".into(),
            kind: "limit",
            ratio,
            pairs: FEWEST_PAIRS,
            mean,
            standard_error: Some(1.0),
            law,
        };
        [0.5, 1.0].into_iter().zip(means).map(row).collect()
    }

    #[track_caller]
    fn assert_outcome(rows: &[PairedDifference], outcome: Outcome, residual: Option<f64>) {
        let v = judge_sweep(rows);
        assert_eq!((v.id, v.outcome), ("sec-6", outcome), "{v:?}");
        match (v.residual, residual) {
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-12, "{v:?}"),
            (found, expected) => assert_eq!(found, expected, "{v:?}"),
        }
    }

    /// δ̄ = −5, s.e. = √2/2.
    #[test]
    fn holds_where_the_pooled_difference_is_clear_and_near_the_law() {
        let z = |mean: f64| Some(mean * 2f64.sqrt());
        assert_outcome(&sweep([-6.0, -4.0], None), Outcome::Holds, z(-5.0));
        assert_outcome(&sweep([-6.0, -4.0], Some(-4.0)), Outcome::Holds, z(-5.0));
        assert_outcome(
            &sweep([-6.0, -4.0], Some(-1.0)),
            Outcome::Inconclusive,
            z(-5.0),
        );
        assert_outcome(&sweep([-3.0, -2.0], None), Outcome::Inconclusive, z(-2.5));
        assert_outcome(&sweep([3.0, 3.5], None), Outcome::Violated, z(3.25));
    }

    /// One ratio at which it is the other way round is enough, whatever the mean.
    #[test]
    fn one_ratio_can_violate_it() {
        let rows = sweep([-30.0, 4.5], None);
        // the residual is what decided, not the pooled z, which is clearly on the other side
        assert_outcome(&rows, Outcome::Violated, Some(4.5));
    }

    /// Differences of rounding are none, however alike they are.
    #[test]
    fn equal_networks_do_not_differ() {
        let mut rows = sweep([1e-9, 2e-9], None);
        for row in &mut rows {
            row.standard_error = Some(1e-11);
        }
        assert_eq!(judge_sweep(&rows).outcome, Outcome::Inconclusive);
    }

    #[test]
    fn every_curve_counts() {
        let mut rows = sweep([-6.0, -4.0], None);
        rows.extend(
            sweep([-3.0, -1.0], None)
                .into_iter()
                .map(|row| PairedDifference {
                    kind: "flow",
                    ..row
                }),
        );
        let v = judge_sweep(&rows);
        assert_eq!(v.outcome, Outcome::Inconclusive);
        assert!(
            v.evidence.contains("not reached by conv-dfa-2 flow"),
            "{v:?}"
        );
    }

    #[test]
    fn too_little_is_not_judged() {
        assert_outcome(&[], Outcome::NotApplicable, None);
        let mut few = sweep([-6.0, -4.0], None);
        // the other ratio has more than enough for both
        (few[0].pairs, few[1].pairs) = (FEWEST_PAIRS - 1, 100);
        assert_outcome(&few, Outcome::Inconclusive, None);
        let said = judge_sweep(&few).evidence;
        assert!(said.contains("19 pairs at n/D = 0.5"), "{said}");
        let mut single = sweep([-6.0, -4.0], None);
        single[1].standard_error = None;
        assert_outcome(&single, Outcome::Inconclusive, None);
    }
}
