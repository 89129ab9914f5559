//! Vectors and matrices of integers over one power of two, and what is computed from them without rounding.

use super::{Classes, Failure};
use crate::certify::dyadic::Dyadic;
use num_bigint::BigInt;
use num_traits::{Signed, Zero};

/// Most bits that a vector or matrix may take once its numbers stand over one power of two. Doubles of every size, ten
/// thousand of them in two hundred dimensions, would not reach it.
const MOST_BITS: u64 = 1 << 28;

/// Most bits of the product of two polynomials that is taken on: about a second.
const MOST_PRODUCT: u64 = 1 << 23;

/// `entries · 2^exponent`.
#[derive(Debug, Clone)]
pub(in crate::certify) struct Vector {
    pub entries: Vec<BigInt>,
    pub exponent: i64,
}

/// `rows · 2^exponent`, all of one length.
#[derive(Debug, Clone)]
pub(in crate::certify) struct Matrix {
    pub rows: Vec<Vec<BigInt>>,
    pub exponent: i64,
    pub columns: usize,
    /// Where these are samples of several classes: rows are made of them, [`Classes`] says how.
    pub classes: Option<Classes>,
}

/// Over the lowest power of two that occurs.
fn scaled<'a>(
    numbers: impl Iterator<Item = &'a Dyadic> + Clone,
) -> Result<(Vec<BigInt>, i64), Failure> {
    let used = numbers.clone().filter(|x| !x.mantissa.is_zero());
    let exponent = used.clone().map(|x| x.exponent).min().unwrap_or(0);
    let bits = used.map(|x| x.mantissa.bits() + u64::try_from(x.exponent - exponent).unwrap_or(0));
    let total: u64 = bits.sum();
    if total > MOST_BITS {
        return Err(Failure::too_large("numbers of so different sizes"));
    }
    let entries = numbers.map(|x| {
        if x.mantissa.is_zero() {
            BigInt::zero()
        } else {
            x.over(exponent)
        }
    });
    Ok((entries.collect(), exponent))
}

impl Vector {
    pub(in crate::certify) fn of(list: &[Dyadic]) -> Result<Self, Failure> {
        let (entries, exponent) = scaled(list.iter())?;
        Ok(Self { entries, exponent })
    }

    /// Of this length, and no entry negative.
    pub(super) fn weights(list: &[Dyadic], length: usize, name: &str) -> Result<Self, Failure> {
        if list.len() != length {
            return Err(Failure::malformed(format!(
                "{} {name} for {length} rows",
                list.len()
            )));
        }
        if list.iter().any(Dyadic::is_negative) {
            return Err(Failure::refuted(format!("{name} ≥ 0")));
        }
        Self::of(list)
    }

    /// Of this length.
    pub(super) fn of_length(list: &[Dyadic], length: usize, name: &str) -> Result<Self, Failure> {
        if list.len() != length {
            return Err(Failure::malformed(format!(
                "{name} of length {} instead of {length}",
                list.len()
            )));
        }
        Self::of(list)
    }

    pub(in crate::certify) fn entry(&self, i: usize) -> Dyadic {
        Dyadic::new(self.entries[i].clone(), self.exponent)
    }

    pub(in crate::certify) fn sum(&self) -> Dyadic {
        Dyadic::new(self.entries.iter().sum(), self.exponent)
    }

    pub(in crate::certify) fn dot(&self, other: &Self) -> Dyadic {
        Dyadic::new(
            dot(&self.entries, &other.entries),
            self.exponent + other.exponent,
        )
    }

    pub(in crate::certify) fn square(&self) -> Dyadic {
        self.dot(self)
    }

    pub(in crate::certify) fn least(&self) -> Dyadic {
        Dyadic::new(
            self.entries.iter().min().cloned().unwrap_or_default(),
            self.exponent,
        )
    }

    /// `max |x_i|`.
    pub(super) fn largest(&self) -> Dyadic {
        Dyadic::new(
            self.entries
                .iter()
                .map(Signed::abs)
                .max()
                .unwrap_or_default(),
            self.exponent,
        )
    }

    /// `Σ |x_i|`.
    pub(super) fn length_1(&self) -> Dyadic {
        Dyadic::new(self.entries.iter().map(Signed::abs).sum(), self.exponent)
    }

    pub(in crate::certify) fn is_zero(&self) -> bool {
        self.entries.iter().all(Zero::is_zero)
    }

    /// Longest entry in bits.
    pub(in crate::certify) fn bits(&self) -> u64 {
        self.entries.iter().map(BigInt::bits).max().unwrap_or(0)
    }

    /// Entry by entry.
    pub(super) fn times(&self, other: &Self) -> Self {
        let pairs = self.entries.iter().zip(&other.entries);
        Self {
            entries: pairs.map(|(a, b)| a * b).collect(),
            exponent: self.exponent + other.exponent,
        }
    }

    /// Entry by entry.
    pub(super) fn power(&self, power: u32) -> Self {
        Self {
            entries: self.entries.iter().map(|x| x.pow(power)).collect(),
            exponent: self.exponent * i64::from(power),
        }
    }

    /// `(x ⊛ y)_k = Σ_i x_i y_{k−i mod D}`: the product of both as polynomials in t modulo `t^D − 1`, by one product of
    /// integers (Kronecker's substitution `t = 2^b`).
    pub(super) fn convolved(&self, other: &Self) -> Result<Self, Failure> {
        let length = self.entries.len();
        let entry =
            self.bits() + other.bits() + u64::from(usize::BITS - length.leading_zeros()) + 2;
        let entry = entry.div_ceil(32) * 32;
        if entry.saturating_mul(2 * length as u64) > MOST_PRODUCT {
            return Err(Failure::too_large("circular convolutions"));
        }
        let product = packed(&self.entries, entry) * packed(&other.entries, entry);
        let coefficients = unpacked(product, entry, 2 * length);
        let mut entries = coefficients[..length].to_vec();
        for (sum, wrapped) in entries.iter_mut().zip(&coefficients[length..]) {
            *sum += wrapped;
        }
        Ok(Self {
            entries,
            exponent: self.exponent + other.exponent,
        })
    }

    /// `x_{−i mod D}`.
    pub(super) fn reversed(&self) -> Self {
        let mut entries = self.entries.clone();
        if let Some(rest) = entries.get_mut(1..) {
            rest.reverse();
        }
        Self {
            entries,
            exponent: self.exponent,
        }
    }

    /// `Σ_i x_i x_{i+k}`: its transform is the squared modulus of that of x.
    pub(super) fn correlated(&self) -> Result<Self, Failure> {
        self.convolved(&self.reversed())
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        let pairs = self.entries.iter().zip(&other.entries);
        Self {
            entries: pairs.map(|(a, b)| a - b).collect(),
            exponent: self.exponent,
        }
    }

    /// The unit of convolution.
    pub(super) fn impulse(length: usize) -> Self {
        let mut entries = vec![BigInt::zero(); length];
        if let Some(first) = entries.first_mut() {
            *first += 1;
        }
        Self {
            entries,
            exponent: 0,
        }
    }
}

/// `Σ x_i 2^{b i}`.
fn packed(entries: &[BigInt], bits: u64) -> BigInt {
    // halves, so that the work is nearly linear
    match entries {
        [] => BigInt::zero(),
        [x] => x.clone(),
        entries => {
            let (low, high) = entries.split_at(entries.len() / 2);
            packed(low, bits) + (packed(high, bits) << (bits * low.len() as u64))
        }
    }
}

/// The `count` digits of `sum` in base `2^bits`, each between −2^{bits−1} and 2^{bits−1}.
fn unpacked(sum: BigInt, bits: u64, count: usize) -> Vec<BigInt> {
    if count <= 1 {
        return vec![sum; count];
    }
    let low = count / 2;
    let width = bits * low as u64;
    // rounded to the nearest multiple, so that what is left is within half of it
    let high = (&sum + (BigInt::from(1) << (width - 1))) >> width;
    let rest = sum - (&high << width);
    let mut digits = unpacked(rest, bits, low);
    digits.extend(unpacked(high, bits, count - low));
    digits
}

pub(in crate::certify) fn dot(a: &[BigInt], b: &[BigInt]) -> BigInt {
    a.iter()
        .zip(b)
        .filter(|(a, b)| !a.is_zero() && !b.is_zero())
        .map(|(a, b)| a * b)
        .sum()
}

impl Matrix {
    /// # Errors
    /// If it has no entry, or rows of different lengths.
    pub(in crate::certify) fn of(rows: &[Vec<Dyadic>]) -> Result<Self, Failure> {
        let columns = rows.first().map_or(0, Vec::len);
        if columns == 0 || rows.iter().any(|row| row.len() != columns) {
            return Err(Failure::malformed(
                "no samples, or rows of different lengths".into(),
            ));
        }
        let (entries, exponent) = scaled(rows.iter().flatten())?;
        let rows = entries.chunks(columns).map(<[BigInt]>::to_vec).collect();
        Ok(Self {
            rows,
            exponent,
            columns,
            classes: None,
        })
    }

    /// Of samples with these classes, if any.
    pub(super) fn of_classes(
        samples: &[Vec<Dyadic>],
        classes: Option<&Classes>,
    ) -> Result<Self, Failure> {
        let plain = Self::of(samples)?;
        classes.map_or(Ok(()), |classes| classes.fit(&plain))?;
        Ok(Self {
            classes: classes.cloned(),
            ..plain
        })
    }

    /// How many rows G has: N, or N(C − 1).
    pub(in crate::certify) fn count(&self) -> usize {
        (self.classes.as_ref()).map_or(self.rows.len(), Classes::count)
    }

    /// How long they are: D, or D·C.
    pub(in crate::certify) fn width(&self) -> usize {
        self.columns * self.classes.as_ref().map_or(1, |classes| classes.outputs)
    }

    /// `G x`.
    pub(in crate::certify) fn times(&self, x: &Vector) -> Vector {
        let entries = match &self.classes {
            Some(classes) => classes.products(self, &x.entries),
            None => self.rows.iter().map(|row| dot(row, &x.entries)).collect(),
        };
        Vector {
            entries,
            exponent: self.exponent + x.exponent,
        }
    }

    /// `Gᵀ a`.
    pub(in crate::certify) fn combined(&self, a: &Vector) -> Vector {
        if let Some(classes) = &self.classes {
            return Vector {
                entries: classes.combined(self, &a.entries),
                exponent: self.exponent + a.exponent,
            };
        }
        let mut entries = vec![BigInt::zero(); self.columns];
        for (row, a) in self
            .rows
            .iter()
            .zip(&a.entries)
            .filter(|(_, a)| !a.is_zero())
        {
            for (sum, x) in entries.iter_mut().zip(row) {
                *sum += a * x;
            }
        }
        Vector {
            entries,
            exponent: self.exponent + a.exponent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(list: &[i64]) -> Vector {
        Vector {
            entries: list.iter().map(|x| BigInt::from(*x)).collect(),
            exponent: 0,
        }
    }

    #[test]
    fn convolution_is_the_plain_sum() {
        let wave = |seed: i64, length: i64| -> Vec<i64> {
            (0..length)
                .map(|i| (i * i * 7919 + i * seed * 104_729) % 2001 - 1000)
                .collect()
        };
        for length in 1..=9 {
            let (x, y) = (wave(1, length), wave(3, length));
            let found = vector(&x).convolved(&vector(&y)).unwrap();
            let plain = |k: i64| -> i64 {
                (0..length)
                    .map(|i| x[i as usize] * y[(k - i).rem_euclid(length) as usize])
                    .sum()
            };
            let plain: Vec<BigInt> = (0..length).map(|k| BigInt::from(plain(k))).collect();
            assert_eq!(found.entries, plain, "{length}");
            assert_eq!(
                vector(&x)
                    .convolved(&Vector::impulse(length as usize))
                    .unwrap()
                    .entries,
                vector(&x).entries
            );
        }
        let found = vector(&[1, 2, -4]).correlated().unwrap();
        assert_eq!(found.entries, vector(&[21, -10, -10]).entries);
    }

    #[test]
    fn sizes_are_bounded() {
        let far = [
            "0x1p-16000".parse::<Dyadic>().unwrap(),
            "0x1p+16000".parse().unwrap(),
        ];
        let many = |times: usize| {
            far.iter()
                .cycle()
                .take(2 * times)
                .cloned()
                .collect::<Vec<_>>()
        };
        assert!(Vector::of(&far).is_ok());
        assert!(Vector::of(&many(20_000)).is_err());
        assert!(Vector::of(&many(200)).unwrap().correlated().is_err());
    }
}
