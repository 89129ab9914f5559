//! Matrices of predictors with several outputs, and the square ones that are made of them, without rounding.

use super::Failure;
use super::vectors::{Vector, dot};
use num_bigint::BigInt;
use num_traits::{One, Signed, Zero};

/// Most products of machine words that one computation here takes, roughly: seconds.
const MOST_WORK: u64 = 1 << 32;

/// A D × C matrix as vectors: its columns, or its rows where these are fewer.
pub(super) struct Vectors {
    list: Vec<Vec<BigInt>>,
    are_rows: bool,
}

/// Rows of integers, symmetric.
type Square = Vec<Vec<BigInt>>;

impl Vectors {
    /// Of a matrix given column by column.
    pub(super) fn of(z: &Vector, outputs: usize) -> Self {
        let dimension = z.entries.len() / outputs;
        let columns: Vec<Vec<BigInt>> = z.entries.chunks(dimension).map(<[_]>::to_vec).collect();
        let are_rows = dimension < outputs;
        Self {
            list: if are_rows { turned(&columns) } else { columns },
            are_rows,
        }
    }

    /// How many vectors there are, and how long they are.
    pub(super) fn sizes(&self) -> (u64, u64) {
        let length = self.list.first().map_or(0, Vec::len);
        (self.list.len() as u64, length as u64)
    }

    /// `ZᵀZ`, or `ZZᵀ` where that is smaller.
    pub(super) fn gram(&self) -> Square {
        let products = |v: &Vec<BigInt>| self.list.iter().map(|w| dot(v, w)).collect();
        self.list.iter().map(products).collect()
    }

    /// `Z P`, or `P Z`, column by column.
    pub(super) fn times(&self, p: &Square) -> Vec<BigInt> {
        let combined = |factors: &Vec<BigInt>| {
            let mut sum = vec![BigInt::zero(); self.sizes().1 as usize];
            for (factor, vector) in factors.iter().zip(&self.list) {
                for (sum, x) in sum.iter_mut().zip(vector) {
                    *sum += factor * x;
                }
            }
            sum
        };
        let list: Vec<Vec<BigInt>> = p.iter().map(combined).collect();
        let columns = if self.are_rows { turned(&list) } else { list };
        columns.concat()
    }
}

fn turned(list: &[Vec<BigInt>]) -> Vec<Vec<BigInt>> {
    let length = list.first().map_or(0, Vec::len);
    (0..length)
        .map(|i| list.iter().map(|vector| vector[i].clone()).collect())
        .collect()
}

/// Fails where products would take too long: so many of numbers of so many bits.
pub(super) fn bounded_work(products: u64, bits: u64) -> Result<(), Failure> {
    if products.saturating_mul(bits.max(1)) > MOST_WORK {
        return Err(Failure::too_large("matrices"));
    }
    Ok(())
}

/// The product of two matrices that commute and are symmetric.
fn product(a: &Square, b: &Square) -> Square {
    let row = |a: &Vec<BigInt>| b.iter().map(|b| dot(a, b)).collect();
    a.iter().map(row).collect()
}

/// `S^{2^k − 1}`, k ≥ 1.
pub(super) fn power(s: &Square, k: u32) -> Square {
    (1..k).fold(s.clone(), |p, _| product(&product(&p, &p), s))
}

/// Whether `xᵀMx ≥ 0` for every x, of a symmetric matrix: `LDLᵀ` without fractions.
///
/// After pivots K the entry (i, j) is the minor of M with rows K, i and columns K, j (Sylvester's identity), which the
/// pivot before divides; over the minor of K, which is positive, it is an entry of the Schur complement. A zero on the
/// diagonal of that needs a row of zeros, and then counts for nothing.
pub(super) fn is_semidefinite(mut m: Square) -> bool {
    let mut previous = BigInt::one();
    for k in 0..m.len() {
        let (done, rest) = m.split_at_mut(k + 1);
        let row = &done[k];
        let pivot = &row[k];
        if pivot.is_negative() || (pivot.is_zero() && row[k + 1..].iter().any(|x| !x.is_zero())) {
            return false;
        }
        if pivot.is_zero() {
            continue;
        }
        for (i, below) in rest.iter_mut().enumerate() {
            let i = k + 1 + i;
            // the upper triangle is all that is read
            for j in i..row.len() {
                below[j] = (pivot * &below[j] - &row[i] * &row[j]) / &previous;
            }
        }
        previous = pivot.clone();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square<const N: usize>(rows: [[i64; N]; N]) -> Square {
        rows.map(|row| row.map(BigInt::from).to_vec()).to_vec()
    }

    #[test]
    fn semidefinite_matrices_are_told_from_others() {
        assert!(is_semidefinite(square([[4, 2], [2, 1]])));
        assert!(!is_semidefinite(square([[4, 3], [3, 2]])));
        assert!(is_semidefinite(square([[0, 0, 0], [0, 2, 2], [0, 2, 2]])));
        assert!(!is_semidefinite(square([[0, 1], [1, 5]])));
        // of rank one, then a pivot that is zero between others: 5 = 1 + 4 is needed in the corner
        let of = |corner: i64| square([[1, 2, 1], [2, 4, 2], [1, 2, corner]]);
        assert!(is_semidefinite(of(1)) && is_semidefinite(of(5)) && !is_semidefinite(of(0)));
        assert!(!is_semidefinite(square([[1, 2, 1], [2, 4, 3], [1, 3, 9]])));
        assert!(!is_semidefinite(square([[-1]])) && is_semidefinite(square([[0]])));
    }

    /// Gram matrices are semidefinite, and not once anything is taken from a vanishing direction.
    #[test]
    fn gram_matrices_are_semidefinite() {
        for (long, short) in [(5, 3), (2, 4), (3, 3)] {
            let z = Vector {
                entries: (0..long * short)
                    .map(|i: i64| BigInt::from((i * i * 7919 + 13 * i) % 101 - 50))
                    .collect(),
                exponent: 0,
            };
            let vectors = Vectors::of(&z, short as usize);
            let gram = vectors.gram();
            assert_eq!(gram.len() as i64, long.min(short));
            assert!(is_semidefinite(gram.clone()));
            let cubed = power(&gram, 2);
            assert_eq!(cubed, product(&gram, &product(&gram, &gram)));
            // Z ZᵀZ from the definition, column by column
            let (d, c) = (long as usize, short as usize);
            let entry = |i: usize, j: usize| &z.entries[j * d + i];
            let expected: Vec<BigInt> = (0..c * d)
                .map(|at| {
                    let (j, i) = (at / d, at % d);
                    let all = (0..c).flat_map(|k| (0..d).map(move |l| (k, l)));
                    all.map(|(k, l)| entry(i, k) * entry(l, k) * entry(l, j))
                        .sum()
                })
                .collect();
            assert_eq!(vectors.times(&gram), expected);
        }
    }
}
