//! The measured series of a run by name: what studies overlay, and what `trajectory.npz` holds under the same names.

use super::{Diagnostics, Homogeneous};

/// A series that is measured along a run.
#[derive(Debug)]
pub struct Curve {
    /// As in `trajectory.npz`.
    pub name: &'static str,
    /// What is drawn of it, with symbol and unit.
    pub label: &'static str,
    /// Whether it is drawn on a logarithmic axis.
    pub logarithmic: bool,
    /// The sign it is drawn with: ln 𝓛, which falls below all bounds, is drawn as ln(1/loss).
    pub sign: f64,
    of: fn(&Diagnostics) -> Option<Vec<Option<f64>>>,
}

/// Every one of them.
pub const CURVES: &[Curve] = &[
    Curve {
        name: "angle_to_limit",
        label: "angle to the limit direction (radians)",
        logarithmic: true,
        sign: 1.0,
        of: |d| d.angle_to_limit.as_deref().map(defined),
    },
    Curve {
        name: "log_loss",
        label: "ln(1/loss)",
        logarithmic: true,
        sign: -1.0,
        of: |d| Some(defined(&d.log_loss)),
    },
    Curve {
        name: "min_margin",
        label: "smallest margin, γ",
        logarithmic: true,
        sign: 1.0,
        of: |d| Some(defined(&d.min_margin)),
    },
    Curve {
        name: "margin_over_layer_norms",
        label: "smallest margin over the product of the layers' norms",
        logarithmic: true,
        sign: 1.0,
        of: |d| {
            Some(
                (0..d.min_margin.len())
                    .map(|k| d.margin_over_layers(k))
                    .collect(),
            )
        },
    },
    Curve {
        name: "duality_gap",
        label: "duality gap",
        logarithmic: true,
        sign: 1.0,
        of: |d| some_of(&d.duality_gap),
    },
    Curve {
        name: "kkt_residual",
        label: "KKT residual",
        logarithmic: true,
        sign: 1.0,
        of: |d| some_of(&d.kkt_residual),
    },
    Curve {
        name: "feature_angle",
        label: "angle to the feature SVM (radians)",
        logarithmic: true,
        sign: 1.0,
        of: |d| some_of(&d.feature_machine.as_ref()?.angle),
    },
    Curve {
        name: "feature_margin",
        label: "feature margin (mean square feature: 1)",
        logarithmic: true,
        sign: 1.0,
        of: |d| some_of(&d.feature_machine.as_ref()?.margin),
    },
    Curve {
        name: "normalised_margin",
        label: "normalised margin",
        logarithmic: false,
        sign: 1.0,
        of: |d| homogeneous(d, |h| Some(defined(&h.normalised_margin))),
    },
    Curve {
        name: "smoothed_margin",
        label: "smoothed normalised margin",
        logarithmic: false,
        sign: 1.0,
        of: |d| homogeneous(d, |h| some_of(&h.smoothed_margin)),
    },
    Curve {
        name: "feedback_margin",
        label: "margin under fixed feedback, γ\u{303}",
        logarithmic: false,
        sign: 1.0,
        of: |d| homogeneous(d, |h| some_of(&h.feedback_margin)),
    },
    Curve {
        name: "epsilon",
        label: "ε of the approximate KKT point",
        logarithmic: true,
        sign: 1.0,
        of: |d| homogeneous(d, |h| some_of(&h.epsilon)),
    },
    Curve {
        name: "delta",
        label: "δ of the approximate KKT point",
        logarithmic: true,
        sign: 1.0,
        of: |d| homogeneous(d, |h| some_of(&h.delta)),
    },
    Curve {
        name: "multiplier_drift",
        label: "drift of the log-multipliers",
        logarithmic: true,
        sign: 1.0,
        of: |d| Some(defined(&d.multiplier_drift)),
    },
];

impl Curve {
    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CURVES.iter().find(|curve| curve.name == name)
    }

    /// Its values over the saves, `None` where it is not defined or not finite; `None` altogether for a run of which it
    /// is not measured.
    pub fn of(&self, diagnostics: &Diagnostics) -> Option<Vec<Option<f64>>> {
        let values = (self.of)(diagnostics)?;
        let finite = values.into_iter().map(|x| x.filter(|x| x.is_finite()));
        Some(finite.collect())
    }
}

fn defined(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

/// A series with an entry at least.
fn some_of(values: &[Option<f64>]) -> Option<Vec<Option<f64>>> {
    values.iter().any(Option::is_some).then(|| values.to_vec())
}

fn homogeneous(
    d: &Diagnostics,
    of: fn(&Homogeneous) -> Option<Vec<Option<f64>>>,
) -> Option<Vec<Option<f64>>> {
    d.homogeneous.as_ref().and_then(of)
}
