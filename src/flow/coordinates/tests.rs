//! Samples are their combinations; log-multipliers survive changes of coordinates.

use super::*;
use crate::flow::clock::log_time;
use nalgebra::dmatrix;

fn check(g: &DMatrix<f64>, p: &[f64], s: f64) -> Coordinates {
    let coordinates = Coordinates::choose((g, &[]), (p, s), &vec![1.0; g.ncols()], &[]).unwrap();
    let restored = coordinates.combine() * coordinates.vectors();
    let scale = g.amax();
    assert!((restored - g).amax() <= 1e-15 * scale);
    let again = Coordinates::of_choice(g, coordinates.choice()).unwrap();
    assert_eq!(again.combine(), coordinates.combine());
    assert_eq!(again.vectors(), coordinates.vectors());
    coordinates
}

#[test]
fn samples_are_their_combinations_and_dependent_ones_bring_no_coordinate() {
    let g = dmatrix![1.0, 1.0, 0.0; 1.0, -1.0, 0.0; 1.0, 0.3, 0.0; 1.0, 1.0, 0.0; 0.2, 0.1, 5.0];
    let coordinates = check(&g, &[0.0, 1.0, 0.5, 0.0, 2.0], 10.0);
    assert_eq!(
        coordinates.len(),
        3,
        "a third point of a line and a duplicate"
    );
    assert_eq!(coordinates.anchor(), 4);
    let square = dmatrix![1.0, 1.0; 1.0, -1.0; -1.0, 1.0; -1.0, -1.0];
    assert_eq!(check(&square, &[0.0; 4], 10.0).len(), 3);
}

#[test]
fn differences_of_nearly_equal_samples_keep_their_digits() {
    for distance in [1e-3, 1e-6, 1e-9, 1e-12] {
        let g = dmatrix![1.0, 0.5, 0.25; 1.0, 0.5 + distance, 0.25; 0.3, 1.0, 2.0];
        let coordinates = check(&g, &[0.0, 0.0, -1.0], 20.0);
        let gap = g[(1, 1)] - g[(0, 1)];
        let t = coordinates.combine();
        let difference = (t.row(1) - t.row(0)) * coordinates.vectors();
        assert!((difference[1] / gap - 1.0).abs() < 1e-15, "{difference}");
    }
}

/// What is small in a small difference is not rounding.
#[test]
fn small_parts_of_small_differences_are_kept() {
    let (far, near) = (1e-12, 2f64.powi(-48));
    let g = dmatrix![2.0, 0.5, 0.25; 2.0, 0.5 + far, 0.25 + near; 0.25, 1.0, 2.0];
    let coordinates = check(&g, &[0.0, 0.0, -1.0], 20.0);
    let t = coordinates.combine();
    let difference = (t.row(1) - t.row(0)) * coordinates.vectors();
    assert!((difference[2] / near - 1.0).abs() < 1e-12, "{difference}");
}

#[test]
fn differences_in_features_that_hardly_answer_have_vectors_of_their_own() {
    // the first two features are alive, and dependent there
    let g =
        dmatrix![2.0, 1.0, 1.0, 0.0; 1.0, 2.0, 0.0, 3.0; 3.0, 0.0, 1.0, 1.0; 0.0, 3.0, 1.0, -1.0];
    let coordinates =
        Coordinates::choose((&g, &[]), (&[0.0; 4], 30.0), &[1e12, 1e13, 1.0, 2.0], &[]).unwrap();
    assert!((coordinates.combine() * coordinates.vectors() - &g).amax() < 1e-14);
    for u in coordinates.vectors().row_iter().skip(2) {
        assert!(u.columns(0, 2).amax() < 1e-12 * u.amax(), "{u}");
    }
    let again = Coordinates::of_choice(&g, coordinates.choice()).unwrap();
    assert_eq!(again.vectors(), coordinates.vectors());
}

#[test]
fn log_multipliers_survive_the_change_of_coordinates() {
    let g = dmatrix![1.0, 0.2, -1.0; 0.3, 2.0, 1.0; -1.0, 0.5, 0.5; 2.0, 1.0, 0.0; 0.0, 0.0, 0.0];
    let (beta, tau) = (DVector::from_vec(vec![3.0, -1.0, 2.0]), 40.0);
    let p: Vec<f64> = (&g * &beta).iter().map(|m| tau - m).collect();
    let coordinates = Coordinates::choose((&g, &[]), (&p, 10.0), &[1.0; 3], &[]).unwrap();
    let anchor = p[coordinates.anchor()];
    let values = coordinates.substitute(anchor, |n| p[n] - anchor);
    let mut restored = vec![0.0; p.len()];
    coordinates.expand(&values, tau, &mut restored);
    for (p, restored) in p.iter().zip(&restored) {
        assert!((p - restored).abs() < 1e-12, "{p} {restored}");
    }
    let e = [1.0, 2.0, 3.0, 4.0, 5.0];
    let mut a = vec![0.0; coordinates.len()];
    coordinates.pull(&e, &mut a);
    let z = coordinates.vectors().tr_mul(&DVector::from_vec(a));
    assert!((z - g.tr_mul(&DVector::from_row_slice(&e))).amax() < 1e-12);
}

#[test]
fn a_coordinate_can_be_taken_from_the_relation_to_the_clock() {
    let g = dmatrix![1.0, 0.2; 0.3, 2.0; -1.0, 3.5; 2.0, 1.0];
    let (beta, tau) = (DVector::from_vec(vec![12.0, 9.0]), log_time(3.0));
    let p: Vec<f64> = (&g * &beta).iter().map(|m| tau - m).collect();
    let mut coordinates = Coordinates::choose((&g, &[]), (&p, 3.0), &[1.0; 2], &[]).unwrap();
    let full = coordinates.clone();
    assert_eq!(full.len(), 3);
    let anchor = p[full.anchor()];
    coordinates.use_relation(&full.substitute(anchor, |n| p[n] - anchor));
    assert_eq!((coordinates.len(), coordinates.vectors().nrows()), (2, 2));
    let values = coordinates.substitute(anchor, |n| p[n] - anchor);
    let mut restored = vec![0.0; p.len()];
    coordinates.expand(&values, tau, &mut restored);
    for (p, restored) in p.iter().zip(&restored) {
        assert!((p - restored).abs() < 1e-11, "{p} {restored}");
    }
    // z is the same
    let e = DVector::from_vec(vec![1.0, 2.0, 3.0, 4.0]);
    let mut a = vec![0.0; 2];
    coordinates.pull(e.as_slice(), &mut a);
    let z = coordinates.vectors().tr_mul(&DVector::from_vec(a));
    assert!((z - g.tr_mul(&e)).amax() < 1e-12);
    let again = Coordinates::of_choice(&g, coordinates.choice()).unwrap();
    assert_eq!(again.combine(), coordinates.combine());
}

#[test]
fn coordinates_are_needed_where_samples_being_learned_are_nearly_dependent() {
    let line = dmatrix![1.0, 1.0, 0.0; 1.0, -1.0, 0.0; 1.0, 0.3, 0.0; 0.2, 0.1, 5.0];
    let needed =
        |g: &DMatrix<f64>, p: &[f64]| are_dependent(g, p, &learned(p.iter().copied(), 10.0));
    assert!(needed(&line, &[0.0; 4]));
    assert!(!needed(&line, &[0.0, -1e3, 0.0, 0.0]), "no longer learned");
    let close = dmatrix![1.0, 0.5, 0.0; 1.0, 0.5 + 1e-9, 0.0];
    assert!(needed(&close, &[0.0; 2]));
    let apart = dmatrix![1.0, 0.5, 0.0; 0.0, 0.5, 1.0; -1.0, 0.5, 3.0];
    assert!(!needed(&apart, &[0.0; 3]));
}

#[test]
fn coordinates_are_those_of_what_is_not_held() {
    // the first two contradict each other, the fourth is the third but for what is held
    let (first, second) = ([1.0, -1.0, 0.0, 0.0], [-0.5, 0.5, 0.0, 0.0]);
    let others = [
        [1.0, 2.0, 1.0, 0.0],
        [3.0, 0.0, 1.0, 0.0],
        [0.0, 1.0, 0.0, 1.0],
    ];
    let rows = [first, second, others[0], others[1], others[2]];
    let g = DMatrix::from_fn(5, 4, |n, d| rows[n][d]);
    let response = [1e10, 1.0, 1e8, 1e-4];
    let mut coordinates = Coordinates::choose(
        (&g, &[0, 1]),
        (&[9.0, 9.0, 0.1, 0.0, -0.2], 12.0),
        &response,
        &[],
    )
    .unwrap();
    let beta = DVector::from_vec(vec![0.25, -0.25, 0.0, 0.0]);
    coordinates.hold(&g, &beta);
    assert_eq!(coordinates.len(), 2, "the tie brings none");
    let rest = coordinates.combine() * coordinates.vectors();
    for n in [0, 1] {
        assert_eq!(rest.row(n).amax(), 0.0);
        assert!(coordinates.is_zero(n));
    }
    assert_eq!(rest.row(2), rest.row(3));
    let held = coordinates.held();
    assert_eq!(held.nrows(), 1);
    for u in rest.row_iter() {
        let product: f64 = (0..4).map(|d| u[d] * response[d] * held[(0, d)]).sum();
        let powers_of_four = 1e-2 * response[0];
        assert!(product.abs() < powers_of_four, "{product}");
    }
    let inside = &g - &rest;
    for (n, row) in inside.row_iter().enumerate() {
        assert!((row[0] + row[1]).abs() < 1e-15 && row.columns(2, 2).amax() < 1e-15);
        assert!((coordinates.shift()[n] - (row * &beta)[0]).abs() < 1e-15);
    }
    let mut again = Coordinates::of_choice(&g, coordinates.choice()).unwrap();
    again.hold(&g, &beta);
    assert_eq!(again.vectors(), coordinates.vectors());
    assert_eq!(again.shift(), coordinates.shift());
}

/// Four pairs 1e-12 apart in six dimensions: multiples of 1e12 of their differences do not leave rounding that looks
/// like a seventh.
#[test]
fn differences_of_pairs_span_no_more_than_there_is() {
    let mut draws = crate::dataset::standard_normals("pairs", 3);
    let once = DMatrix::from_fn(4, 6, |_, _| draws.next().unwrap());
    let g = DMatrix::from_fn(8, 6, |n, d| {
        once[(n % 4, d)]
            + if n < 4 {
                0.0
            } else {
                1e-12 * draws.next().unwrap()
            }
    });
    let p = [0.0, -0.1, -0.2, -900.0, 0.0, -0.1, -0.2, -900.0];
    let response = [1.0, 1e-6, 1e-8, 1.0, 1.0, 1.0];
    let coordinates = Coordinates::choose((&g, &[]), (&p, 20.0), &response, &[]).unwrap();
    assert_eq!(coordinates.len(), 7, "an anchor and six differences");
    assert!(coordinates.relation.is_some());
}

/// A sample far away that is a large multiple of a small difference of samples being learned comes before it.
#[test]
fn no_sample_is_a_large_multiple_of_a_small_difference() {
    let g = dmatrix![1.0, 0.5, 0.0; 1.0, 0.5 + 1e-9, 0.0; 2.0, 1.5, 0.0; 0.0, 0.0, 1.0];
    let (p, s) = ([0.0, -3.0, -5e4, -0.1], 20.0);
    let of = |first: &[usize]| {
        let chosen = Coordinates::choose((&g, &[]), (&p, s), &[1.0; 3], first).unwrap();
        let anchor = chosen.anchor();
        let values = chosen.substitute(p[anchor], |n| p[n] - p[anchor]);
        let (cancelled, better) = chosen.promoted(&values, &p, s);
        (cancelled, better)
    };
    let (cancelled, better) = of(&[]);
    assert!(cancelled > 1e4, "{cancelled}");
    assert!(of(&better).0 < PROMOTED);
}

/// Of nearly equal samples that do not pull, the difference says less than the relation.
#[test]
fn coordinates_follow_from_the_relation_as_well() {
    let g = dmatrix![1.0, 0.5; 1.0 + 1e-9, 0.5 + 2e-9; -0.3, 1.0];
    let (beta, tau) = (DVector::from_vec(vec![2.0e9, 1.5e9]), 3e9);
    let p: Vec<f64> = (&g * &beta).iter().map(|m| tau - m).collect();
    let mut coordinates = Coordinates::choose((&g, &[]), (&p, 22.0), &[1.0; 2], &[]).unwrap();
    let anchor = p[coordinates.anchor()];
    coordinates.use_relation(&coordinates.clone().substitute(anchor, |n| p[n] - anchor));
    let [a, b] = [
        coordinates.solve((anchor, tau), |n| p[n] - anchor).unwrap(),
        coordinates.substitute(anchor, |n| p[n] - anchor),
    ];
    assert_eq!(a.len(), 2);
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} {b}");
    }
}
