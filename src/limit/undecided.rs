//! Why there is neither a limit nor a proof that there is none.

use super::max_margin::GAP_TOLERANCE;
use super::separability::FARKAS_TOLERANCE;

/// Why neither a limit nor its non-existence could be certified: what was measured, and what to try.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Undecided {
    #[error("there are no samples, so every direction separates them; give at least one")]
    NoSamples,
    #[error("a sample has an entry that is not finite; remove or mend it")]
    NotFinite,
    /// A potential of exponent p < 1.
    #[error(
        "the potential of exponent {0} is not convex, so no global minimiser can be certified; refine a run's own \
         direction instead"
    )]
    NotConvex(f64),
    /// The outcome of each start of the active-set method.
    #[error(
        "neither a separator nor its impossibility could be certified ({}; wanted: duality gap at most \
         {:e}, or certificate residual at most {:e}); rescale or standardise the data, or \
         remove samples that nearly coincide with opposite labels",
        listed(.0),
        GAP_TOLERANCE,
        FARKAS_TOLERANCE
    )]
    NoCertificate(Vec<(&'static str, Uncertified)>),
    /// As [`Uncertified::SmallFeature`], in the coordinates of a potential.
    #[error("{}; standardise the data", Uncertified::SmallFeature)]
    SmallFeature,
    #[error("the data are separable, but no direction with positive margins was reached")]
    NoPositiveMargins,
    /// A minimiser that is not accurate enough.
    #[error(
        "the data are separable, but the minimiser of the potential of exponent {exponent} was found only to a duality \
         gap of {gap:.1e} (wanted: {:e}); standardise the data, or remove samples that nearly coincide \
         with opposite labels",
        GAP_TOLERANCE
    )]
    Gap { exponent: f64, gap: f64 },
    #[error(transparent)]
    Unrepresentable(#[from] Unrepresentable),
}

/// Why the outcome of the active-set method has no certificate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Uncertified {
    #[error(
        "a combination vanishes, but not to {:e} in every feature",
        FARKAS_TOLERANCE
    )]
    Combination,
    #[error(
        "a combination vanishes to the rounding of the largest features, but not in every feature, so that a small one \
         may separate the data"
    )]
    SmallFeature,
    /// The margin relative to the data's size, and the duality gap, if margins are positive.
    #[error("margin {margin:.1e} of the data's size, duality gap {}", measured(*gap))]
    Gap { margin: f64, gap: Option<f64> },
    #[error(transparent)]
    Unrepresentable(#[from] Unrepresentable),
}

/// Why a solution cannot be represented in the data's own units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unrepresentable {
    #[error(
        "a separator exists, but some margins are below the rounding of their own products, because the lengths of the \
         samples differ too much"
    )]
    Margins,
    #[error("the solution leaves the range of f64, because the samples are too small or too large")]
    Range,
}

fn listed(reasons: &[(&'static str, Uncertified)]) -> String {
    let reasons: Vec<String> = (reasons.iter())
        .map(|(start, reason)| format!("{start}: {reason}"))
        .collect();
    reasons.join("; ")
}

fn measured(gap: Option<f64>) -> String {
    gap.map_or("none (no positive margin)".into(), |gap| {
        format!("{gap:.1e}")
    })
}
