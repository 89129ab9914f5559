//! Why a problem has no limit predicted by theory.

/// Data that no hyperplane through the origin separates, or whose separability could not be decided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NotSeparable {
    /// A proof that there is no separating hyperplane: `Σ_n a_n y_n x_n = 0` with `a_n ≥ 0`, not all zero.
    #[error(
        "the data are not separable by a hyperplane through the origin: the non-negative combination of signed samples \
         y_n x_n with weights n (a_n) = {} vanishes (relative residual {residual:.1e}), so no direction has a positive \
         margin on all of them; add a constant feature if the separating plane need not pass through the origin, or \
         --allow-nonseparable to run the flow all the same (claims about limits are then not applicable)",
        listed(support)
    )]
    Certified {
        /// Samples n (from 0) with `a_n > 0`, and `a_n`.
        support: Vec<(usize, f64)>,
        /// How far the combination is from zero, relative to its terms.
        residual: f64,
    },
    /// The data are separable, but not by the frequencies that learn; holds those at which the feedback vanishes
    /// (from 0).
    #[error(
        "the data are separable, but not through the frequencies that learn by feedback: the feedback vanishes at \
         {unusable:?} (from 0); take another feedback; --allow-nonseparable runs the flow all the same"
    )]
    Unreachable { unusable: Vec<usize> },
    /// Neither a separating hyperplane nor a proof that there is none could be certified, and why.
    #[error(
        "the limit could not be certified: {0}; --allow-nonseparable runs the flow all the same"
    )]
    Undecided(String),
}

fn listed(support: &[(usize, f64)]) -> String {
    let listed: Vec<String> = (support.iter())
        .map(|(n, multiplier)| format!("{} ({multiplier:.3})", n + 1))
        .collect();
    listed.join(", ")
}
