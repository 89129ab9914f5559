//! What is said of many seeds: quantiles, means with confidence intervals.

/// Median and the edges of the band that studies draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiles {
    pub count: usize,
    pub median: f64,
    /// The 10 % quantile.
    pub low: f64,
    /// The 90 % quantile.
    pub high: f64,
}

/// The share of intervals that hold the true mean: of all that are given and drawn.
pub const CONFIDENCE: f64 = 0.95;

/// A mean and its 95 % confidence interval, by Student's t: right for normal numbers, and for many of any kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub count: usize,
    pub mean: f64,
    /// Standard deviation over √count; `None` from a single number.
    pub standard_error: Option<f64>,
}

/// Quantiles of a set of numbers, interpolated linearly between the order statistics (at `1 + (n − 1)q`); `None` of
/// none.
pub fn quantiles(values: &[f64]) -> Option<Quantiles> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = |share: f64| {
        let place = share * last as f64;
        let below = (place.floor() as usize).min(last);
        let above = (below + 1).min(last);
        let part = place - below as f64;
        // not a + t(b − a), which overflows between huge numbers
        sorted[below] * (1.0 - part) + sorted[above] * part
    };
    Some(Quantiles {
        count: sorted.len(),
        median: at(0.5),
        low: at(0.1),
        high: at(0.9),
    })
}

/// The mean of a set of numbers; `None` of none.
pub fn mean_interval(values: &[f64]) -> Option<Interval> {
    let count = values.len();
    if count == 0 {
        return None;
    }
    let n = count as f64;
    // from the first value on, so that equal numbers have no error
    let mean = values[0] + values.iter().map(|x| (x - values[0]) / n).sum::<f64>();
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    Some(Interval {
        count,
        mean,
        standard_error: (count > 1).then(|| (squares / (n - 1.0) / n).sqrt()),
    })
}

impl Interval {
    /// Both ends of the interval; `None` from a single number.
    pub fn ends(&self) -> Option<(f64, f64)> {
        let half = student_t(self.count - 1)? * self.standard_error?;
        Some((self.mean - half, self.mean + half))
    }
}

/// Where two-sided intervals of [`CONFIDENCE`] end, in standard errors: the 97.5 % quantile of Student's t with this
/// many degrees of freedom; `None` for none.
pub fn student_t(degrees: usize) -> Option<f64> {
    if degrees == 0 {
        return None;
    }
    let (mut low, mut high) = (0.0, 20.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if within(middle, degrees) < CONFIDENCE {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(0.5 * (low + high))
}

/// P(|T| ≤ t), by the finite sums for whole degrees ν of freedom: with θ = arctan(t/√ν),
///
/// ```text
/// ν even: sin θ (1 + 1/2 cos²θ + 1·3/(2·4) cos⁴θ + … up to cos^{ν−2} θ)
/// ν odd:  2/π (θ + sin θ (cos θ + 2/3 cos³θ + 2·4/(3·5) cos⁵θ + … up to cos^{ν−2} θ))
/// ```
fn within(t: f64, degrees: usize) -> f64 {
    let (sin, cos) = (t / (degrees as f64).sqrt()).atan().sin_cos();
    let odd = degrees % 2;
    let mut term = if odd == 1 { cos } else { 1.0 };
    let mut sum = 0.0;
    let mut power = odd;
    while power + 2 <= degrees {
        sum += term;
        term *= (power + 1) as f64 / (power + 2) as f64 * cos * cos;
        power += 2;
    }
    if odd == 1 {
        (sin.asin() + sin * sum) * std::f64::consts::FRAC_2_PI
    } else {
        sin * sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two-sided 5 % points, as any table has them.
    #[test]
    fn student_s_quantiles_are_those_of_the_tables() {
        for (degrees, expected) in [
            (1, 12.706),
            (2, 4.303),
            (3, 3.182),
            (4, 2.776),
            (9, 2.262),
            (19, 2.093),
            (30, 2.042),
            (120, 1.980),
            (100_000, 1.960),
        ] {
            let found = student_t(degrees).unwrap();
            assert!((found - expected).abs() < 6e-4, "{degrees}: {found}");
        }
        assert_eq!(student_t(0), None);
    }

    #[test]
    fn quantiles_lie_between_order_statistics() {
        let q = quantiles(&[4.0, 1.0, 3.0, 2.0, 5.0]).unwrap();
        assert_eq!((q.count, q.median), (5, 3.0));
        assert!((q.low - 1.4).abs() < 1e-15 && (q.high - 4.6).abs() < 1e-15);
        assert_eq!(quantiles(&[7.0]).unwrap().high, 7.0);
        assert_eq!(quantiles(&[]), None);
    }

    #[test]
    fn means_and_their_intervals() {
        let mean = mean_interval(&[1.0, 2.0, 3.0, 6.0]).unwrap();
        assert_eq!((mean.count, mean.mean), (4, 3.0));
        // variance 14/3, over 4 numbers; t = 3.182 with 3 degrees of freedom
        let error = (14.0_f64 / 12.0).sqrt();
        assert!((mean.standard_error.unwrap() - error).abs() < 1e-15);
        let (low, high) = mean.ends().unwrap();
        assert!((high - 3.0 - 3.18245 * error).abs() < 1e-4 && (low + high - 6.0).abs() < 1e-12);
        assert_eq!(mean_interval(&[0.1; 7]).unwrap().standard_error, Some(0.0));
        assert_eq!(mean_interval(&[2.0]).unwrap().ends(), None);
        assert_eq!(mean_interval(&[]), None);
    }
}
