//! Clocks and compressed log-multipliers.
//!
//! Three clocks name the same instant: time t, log-time `τ = ln(1+t)` and log-log-time `s = ln(1+τ)`. The flow is
//! integrated in s, where directions move like `e^{−rs}` and everything of interest is slow.
//!
//! The log-multiplier `p_n = τ − m_n` (so that `α_n (1+t) = e^{p_n}`) of a sample far from active diverges like `−e^s`;
//! [`compress`] keeps it bounded by a multiple of s without touching the range that matters.

/// Scale P of the compression: `v = P asinh(p/P)` is linear for `|p| ≪ P` and logarithmic beyond.
pub const COMPRESSION: f64 = 100.0;

/// Largest s a run may reach: τ = e^s − 1 must stay a finite double.
pub const MAX_LOG_LOG_TIME: f64 = 700.0;

/// `s = ln(1+τ)`.
pub fn log_log_time_of_log_time(log_time: f64) -> f64 {
    log_time.ln_1p()
}

/// `s = ln(1 + ln(1+t))`.
pub fn log_log_time_of_time(time: f64) -> f64 {
    time.ln_1p().ln_1p()
}

/// `τ = e^s − 1`.
pub fn log_time(log_log_time: f64) -> f64 {
    log_log_time.exp_m1()
}

/// `v = P asinh(p/P)`.
pub fn compress(p: f64) -> f64 {
    COMPRESSION * (p / COMPRESSION).asinh()
}

/// `p = P sinh(v/P)`.
pub fn expand(v: f64) -> f64 {
    COMPRESSION * (v / COMPRESSION).sinh()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_agree_and_keep_small_times() {
        for t in [1e-12, 1e-3, 1.0, 1e10, 1e300] {
            let s = log_log_time_of_time(t);
            assert!((log_time(s) - t.ln_1p()).abs() <= 4e-16 * t.ln_1p() * (1.0 + s));
            assert_eq!(log_log_time_of_log_time(t.ln_1p()), s);
        }
        assert!((log_log_time_of_time(1e-12) - 1e-12).abs() < 1e-23);
    }

    #[test]
    fn compression_inverts_and_is_linear_where_multipliers_matter() {
        for p in [-1e200, -1e10, -123.0, -1.0, 0.0, 2.5, 700.0] {
            let back = expand(compress(p));
            assert!(
                (back - p).abs() <= 1e-13 * p.abs() * (1.0 + compress(p).abs()),
                "{p} {back}"
            );
        }
        assert!((compress(-1.0) + 1.0).abs() < 2e-5);
        assert!(compress(-1e140) > -40_000.0);
    }
}
