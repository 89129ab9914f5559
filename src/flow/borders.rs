//! Borders between the pieces of a piecewise smooth field: where a step crosses one, and what lies beyond.
//!
//! Within a leg the integrator follows the smooth continuation of one piece. After every step the clearance of the
//! piece is checked along the integrator's own interpolant; if it turns negative, the step is cut there, and a new
//! leg begins in the next piece with a local clock, so that no step ever spans a kink.

use super::drive::all_finite;
use super::error::PieceError;
use super::system::System;
use crate::network::Kernel;
use crate::trajectory::Kinks;
use std::sync::Arc;

/// Points of a step at which its clearance is checked.
const LOOKS: usize = 2;

/// A clearance between minus this and zero counts as on the border.
const ON_BORDER: f64 = 1e-13;

/// Iterations that halve the bracket down to the spacing of doubles.
const MOST_ITERATIONS: usize = 200;

/// The first time in `(from, to]` at which `clearance` has turned negative, to rounding.
pub(super) fn first_border(
    from: f64,
    to: f64,
    mut clearance: impl FnMut(f64) -> f64,
) -> Option<f64> {
    let mut inside = (from, 0.0);
    for look in 1..=LOOKS {
        let t = if look == LOOKS {
            to
        } else {
            from + (to - from) * look as f64 / LOOKS as f64
        };
        let value = clearance(t);
        // NaN counts as outside
        if value >= 0.0 {
            inside = (t, value);
            continue;
        }
        return Some(bisect(inside, (t, value), clearance));
    }
    None
}

/// Bracketed root between a time inside and one outside: secant steps, and bisection where those make no progress.
fn bisect(
    mut inside: (f64, f64),
    mut outside: (f64, f64),
    mut clearance: impl FnMut(f64) -> f64,
) -> f64 {
    for iteration in 0..MOST_ITERATIONS {
        let width = outside.0 - inside.0;
        if width <= 4.0 * f64::EPSILON * outside.0 || outside.1 >= -ON_BORDER {
            break;
        }
        let secant = inside.0 + width * inside.1 / (inside.1 - outside.1);
        let halved = inside.0 + 0.5 * width;
        let t = if iteration % 3 == 2 || !(secant > inside.0 && secant < outside.0) {
            halved
        } else {
            // a little beyond the root, so that the bracket closes from outside
            secant + 1e-3 * (outside.0 - secant).min(secant - inside.0)
        };
        let value = clearance(t);
        if value >= 0.0 {
            inside = (t, value);
        } else {
            outside = (t, value);
        }
    }
    outside.0
}

/// Puts `kernel` into the piece entered at the state `y`; what happened there, `None` for smooth fields and where
/// nothing did.
///
/// # Errors
/// [`PieceError::NotFinite`] if the state is not; [`PieceError::NoneEntered`] with what
/// [`Pieces::enter`](crate::network::Pieces::enter) says.
pub(super) fn enter(
    kernel: &mut Arc<dyn Kernel>,
    system: &System,
    y: &mut [f64],
    t: f64,
) -> Result<Option<Kinks>, PieceError> {
    let Some(pieces) = kernel.pieces() else {
        return Ok(None);
    };
    let multipliers = system.multipliers(y, t);
    if !all_finite(y) || !all_finite(&multipliers) {
        return Err(PieceError::NotFinite);
    }
    let entered = pieces
        .enter(&mut y[..system.parameters()], &multipliers)
        .map_err(PieceError::NoneEntered)?;
    let counted = pieces.has_kinks() || entered.kinks != Kinks::default();
    *kernel = entered.kernel;
    Ok(counted.then_some(entered.kinks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_border_is_found_to_rounding() {
        let found = first_border(0.0, 1.0, |t| 0.3 - t).unwrap();
        assert!(found > 0.3 && found - 0.3 < 1e-12, "{found}");
        // of the two roots of a dip the first is found, and a jump is a border too
        let found = first_border(0.0, 1.0, |t| (t - 0.4) * (t - 0.6)).unwrap();
        assert!((found - 0.4).abs() < 1e-12, "{found}");
        let found = first_border(0.0, 2.0, |t| if t > 0.7 { -5.0 } else { f64::INFINITY });
        assert!((found.unwrap() - 0.7).abs() < 1e-15);
        let tiny = first_border(0.0, 1e-30, |t| 4e-31 - t).unwrap();
        assert!(tiny > 4e-31 && tiny < 1e-30);
        assert_eq!(first_border(0.0, 1.0, |t| 1.0 - t), None);
        assert!(first_border(0.0, 1.0, |_| f64::NAN).is_some());
    }
}
