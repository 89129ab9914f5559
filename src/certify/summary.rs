//! What a certificate that has passed the checker says, for reports and verdicts.

use super::check::{Certificate, Direction, LeastNorm, LeastNuclear, LeastSchatten, Proof};
use super::dyadic::Dyadic;
use super::make::END;
use serde::Serialize;

/// What is proved of a run: bounds, or nulls.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Certified {
    /// g: ψ of the limit's exact direction, at margin one, is at most 1 + g times the least; for p = 1 of the limit as
    /// stored.
    pub gap: Option<f64>,
    /// The angle between the end of the run and the true limit is at most this, radians. Of ReLU networks: between the
    /// output weights and the hard-margin machine of the features as stored.
    pub angle: Option<f64>,
    /// The same bound of the angle for the limit as stored.
    pub limit_angle: Option<f64>,
    /// g of the end of the run.
    pub run_gap: Option<f64>,
    /// The end of the run is within this distance of an exact KKT point of its margin problem, relative to its length.
    pub kkt_distance: Option<f64>,
    /// The kinds of all statements that are proved.
    pub statements: Vec<&'static str>,
}

/// A bound as people read it: four digits, rounded up, so that it is one still.
pub(crate) fn shown(bound: f64) -> String {
    format!("{:.3e}", bound * 1.0005)
}

impl Certified {
    /// Of a certificate that has passed the checker.
    pub fn of(certificate: &Certificate) -> Self {
        let mut all = Self {
            statements: certificate
                .statements
                .iter()
                .map(|s| s.proof.name())
                .collect(),
            ..Self::default()
        };
        let proofs = certificate.statements.iter().map(|s| &s.proof);
        for proof in proofs {
            match proof {
                Proof::LeastNorm(near) => all.read(near),
                Proof::LeastSchatten(near) => all.read_schatten(near),
                Proof::LeastNuclear(near) => all.read_nuclear(near),
                Proof::KktPoint(point) => all.kkt_distance = Some(point.distance.rounded_up()),
                _ => {}
            }
        }
        all
    }

    fn read(&mut self, near: &LeastNorm) {
        let named = |name: &str| near.directions.iter().find(|d| d.name == name);
        let gap = |d: &Direction| d.gap.as_ref().map(Dyadic::rounded_up);
        let angle = |d: &Direction| d.angle.as_ref().map(Dyadic::rounded_up);
        self.gap = near
            .gap
            .as_ref()
            .map(Dyadic::rounded_up)
            .or_else(|| named("limit").and_then(gap));
        self.limit_angle = named("limit").and_then(angle);
        self.angle = named(END).and_then(angle);
        self.run_gap = named(END).and_then(gap);
    }

    fn read_schatten(&mut self, near: &LeastSchatten) {
        let angle = |name: &str| {
            let named = near.directions.iter().find(|d| d.name == name);
            named.map(|d| d.angle.rounded_up())
        };
        self.gap = Some(near.gap.rounded_up());
        self.limit_angle = angle("limit");
        self.angle = angle(END);
    }

    fn read_nuclear(&mut self, near: &LeastNuclear) {
        let gap = |name: &str| {
            let named = near.directions.iter().find(|d| d.name == name);
            named.map(|d| d.gap.rounded_up())
        };
        self.gap = gap("limit");
        self.run_gap = gap(END);
    }

    /// What is proved about a claim, in words; `limit_claim` is the claim that states the limit of the run.
    pub fn about(&self, claim: &str, limit_claim: Option<&str>) -> Option<String> {
        if limit_claim == Some(claim) && (self.angle.is_some() || self.run_gap.is_some()) {
            return Some(self.of_the_end());
        }
        if let (Some(distance), true) = (self.kkt_distance, ABOUT_KKT_POINTS.contains(&claim)) {
            return Some(format!(
                "an exact KKT point, strictly complementary, within {} of the end, relative to its length",
                shown(distance)
            ));
        }
        (PROVED_BY.iter())
            .find(|(id, kind, _)| *id == claim && self.statements.contains(kind))
            .map(|(_, _, sentence)| (*sentence).to_owned())
    }

    /// How near the end of the run is to the limit.
    pub fn of_the_end(&self) -> String {
        let part = |name: &str, bound: Option<f64>, unit: &str| {
            bound.map(|x| format!("{name} ≤ {}{unit}", shown(x)))
        };
        let parts = [
            part("angle to the limit", self.angle, " rad"),
            part("gap", self.run_gap, ""),
        ];
        format!(
            "at the end {}",
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        )
    }
}

/// Claims that the layers tend to a KKT point.
const ABOUT_KKT_POINTS: [&str; 2] = ["thm-4-first-layer", "gd-homogeneous"];

/// Claim, kind of statement, what that proves of it.
const PROVED_BY: [(&str, &str, &str); 4] = [
    (
        "prop-2",
        "phases",
        "for all small t > 0 the phases of layer 2 are not zero, on the exact flow",
    ),
    (
        "thm-2-unconditional",
        "sandwich",
        "at a save the numbers of the run keep between the bounds",
    ),
    (
        "loss-decreases",
        "loss-rises",
        "at a state of the run, as stored, the exact vector field raises the loss; that the flow passes there is not \
         proved",
    ),
    (
        "dfa-margin",
        "feedback-margin",
        "of the weights as stored the margin is larger at the end than at an early save",
    ),
];
