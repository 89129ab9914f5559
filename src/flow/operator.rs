//! The bridge to diffsol: the flow as its equations, with a Newton matrix that is never formed.
//!
//! diffsol assembles `1·a + b·J` in a matrix type supplied by the caller. [`NewtonMatrix`] remembers a, b and the
//! point of linearisation; [`NewtonLinearSolver`] turns it into a [`FactorisedStep`]. Operations on single entries
//! have no meaning for such an operator; diffsol asks for them only for mass matrices, sensitivities and adjoints,
//! which a flow does not have.

use super::system::{FactorisedStep, System};
use diffsol::matrix::sparsity::{Dense, DenseRef};
use diffsol::{
    ConstantOp, LaError, LaLinearOp, Matrix, MatrixCommon, NalgebraContext, NalgebraVec,
    NonLinearOp, NonLinearOpJacobian, OdeEquations, OdeEquationsRef, Op, ParameterisedOp, Scale,
    UnitCallable, Vector,
};
use std::ops::Mul;
use std::sync::Arc;

pub(super) type State = NalgebraVec<f64>;
type Index = <State as Vector>::Index;

/// The values of a state.
pub(super) fn values(y: &State) -> &[f64] {
    y.batch_as_slice(0)
}

/// `a·1 + b·J(y, t)` as an operator.
#[derive(Clone)]
pub struct NewtonMatrix {
    size: usize,
    context: NalgebraContext,
    identity: f64,
    jacobian: f64,
    at: Option<Linearisation>,
}

#[derive(Clone)]
struct Linearisation {
    system: Arc<System>,
    y: Vec<f64>,
    t: f64,
}

impl std::fmt::Debug for NewtonMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}·1 + {}·J, size {}",
            self.identity, self.jacobian, self.size
        )
    }
}

impl NewtonMatrix {
    fn empty(size: usize, context: NalgebraContext) -> Self {
        Self {
            size,
            context,
            identity: 0.0,
            jacobian: 0.0,
            at: None,
        }
    }
}

/// Called where diffsol wants single entries, which this operator does not have.
fn no_entries() -> ! {
    panic!("a Newton operator has no entries: flows have neither mass matrices nor sensitivities")
}

impl MatrixCommon for NewtonMatrix {
    type V = State;
    type T = f64;
    type C = NalgebraContext;
    type Inner = ();

    fn nrows(&self) -> usize {
        self.size
    }
    fn ncols(&self) -> usize {
        self.size
    }
    fn inner(&self) -> &() {
        &()
    }
}

impl Mul<Scale<f64>> for NewtonMatrix {
    type Output = Self;
    fn mul(mut self, factor: Scale<f64>) -> Self {
        self.identity *= factor.value();
        self.jacobian *= factor.value();
        self
    }
}

impl Mul<Scale<f64>> for &NewtonMatrix {
    type Output = NewtonMatrix;
    fn mul(self, factor: Scale<f64>) -> NewtonMatrix {
        self.clone() * factor
    }
}

impl Matrix for NewtonMatrix {
    type Sparsity = Dense<Self>;
    type SparsityRef<'a> = DenseRef<'a, Self>;

    fn sparsity(&self) -> Option<Self::SparsityRef<'_>> {
        None
    }
    fn context(&self) -> &NalgebraContext {
        &self.context
    }
    fn inner_mut(&mut self) -> &mut () {
        no_entries()
    }
    fn partition_indices_by_zero_diagonal(&self) -> (Index, Index) {
        no_entries()
    }
    fn gemv(&self, alpha: f64, x: &State, beta: f64, y: &mut State) {
        let mut product = vec![0.0; self.size];
        if let Some(at) = &self.at {
            at.system
                .jacobian_product(&at.y, at.t, values(x), &mut product);
        }
        let x = values(x);
        for (i, y) in y.batch_as_mut_slice(0).iter_mut().enumerate() {
            *y = alpha * (self.identity * x[i] + self.jacobian * product[i]) + beta * *y;
        }
    }
    fn copy_from(&mut self, other: &Self) {
        self.clone_from(other);
    }
    fn zeros(nrows: usize, _ncols: usize, context: NalgebraContext) -> Self {
        Self::empty(nrows, context)
    }
    fn new_from_sparsity(
        nrows: usize,
        _ncols: usize,
        _sparsity: Option<Self::Sparsity>,
        context: NalgebraContext,
    ) -> Self {
        Self::empty(nrows, context)
    }
    fn from_diagonal(v: &State) -> Self {
        let first = values(v).first().copied().unwrap_or(1.0);
        assert!(
            values(v).iter().all(|x| *x == first),
            "only multiples of the identity occur in explicit equations"
        );
        Self {
            identity: first,
            ..Self::empty(v.len(), *v.context())
        }
    }
    fn set_column(&mut self, _j: usize, _v: &State) {
        no_entries()
    }
    fn add_column_to_vector(&self, _j: usize, _v: &mut State) {
        no_entries()
    }
    fn add_columns_to_batched_vector(&self, _v: &mut State) {
        no_entries()
    }
    fn set_data_with_indices(&mut self, _dst: &Index, _src: &Index, _data: &State) {
        no_entries()
    }
    fn gather(&mut self, _other: &Self, _indices: &Index) {
        no_entries()
    }
    fn scale_add_and_assign(&mut self, x: &Self, beta: f64, y: &Self) {
        self.identity = x.identity + beta * y.identity;
        self.jacobian = x.jacobian + beta * y.jacobian;
        self.at = y.at.clone().or_else(|| x.at.clone());
    }
    fn triplet_iter(
        &self,
    ) -> (
        impl Iterator<Item = (usize, usize)> + '_,
        impl Iterator<Item = f64> + '_,
    ) {
        if self.size > 0 {
            no_entries()
        }
        (std::iter::empty(), std::iter::empty())
    }
    fn try_from_triplets(
        _nrows: usize,
        _ncols: usize,
        _indices: Vec<(usize, usize)>,
        _values: Vec<f64>,
        _context: NalgebraContext,
    ) -> Result<Self, LaError> {
        Err(LaError::Other(
            "a Newton operator cannot be built from entries".into(),
        ))
    }
}

/// Solves linear systems with a [`NewtonMatrix`] by the system's own factorisation.
#[derive(Default)]
pub(super) struct NewtonLinearSolver {
    factor: Option<Box<dyn FactorisedStep>>,
    /// a in `a(1 − cJ)`.
    scale: f64,
}

impl diffsol_la::LinearSolver<NewtonMatrix> for NewtonLinearSolver {
    fn set_linearisation<
        C: LaLinearOp<V = State, T = f64, M = NewtonMatrix, C = NalgebraContext>,
    >(
        &mut self,
        op: &C,
    ) {
        let mut matrix = NewtonMatrix::empty(op.nrows(), *op.context());
        op.matrix_inplace(&mut matrix);
        self.scale = matrix.identity;
        self.factor = matrix.at.map(|at| {
            at.system
                .linearise(&at.y, at.t, -matrix.jacobian / matrix.identity)
        });
    }

    fn set_sparsity<C: LaLinearOp<V = State, T = f64, M = NewtonMatrix, C = NalgebraContext>>(
        &mut self,
        _op: &C,
    ) {
        self.factor = None;
    }

    fn solve_in_place(&self, b: &mut State) -> Result<(), LaError> {
        let factor = self
            .factor
            .as_ref()
            .ok_or_else(|| LaError::Other("Newton matrix not set".into()))?;
        let b = b.batch_as_mut_slice(0);
        factor.solve(b);
        if self.scale != 1.0 {
            b.iter_mut().for_each(|x| *x /= self.scale);
        }
        Ok(())
    }

    fn solve_transpose_in_place(&self, _b: &mut State) -> Result<(), LaError> {
        Err(LaError::Other(
            "transposed Newton solves are needed for adjoints only".into(),
        ))
    }
}

/// The flow as diffsol equations.
pub(super) struct Equations {
    pub system: Arc<System>,
    start: Vec<f64>,
    context: NalgebraContext,
}

impl Equations {
    pub(super) fn new(system: Arc<System>, start: Vec<f64>) -> Self {
        Self {
            system,
            start,
            context: NalgebraContext::default(),
        }
    }
}

/// Right-hand side or initial value, borrowed from [`Equations`].
pub(super) struct Part<'a>(&'a Equations);

macro_rules! operator {
    ($type:ty, $self:ident => $equations:expr) => {
        impl Op for $type {
            type T = f64;
            type V = State;
            type M = NewtonMatrix;
            type C = NalgebraContext;
            fn context(&$self) -> &NalgebraContext {
                &$equations.context
            }
            fn nstates(&$self) -> usize {
                $equations.start.len()
            }
            fn nout(&$self) -> usize {
                $equations.start.len()
            }
            fn nparams(&$self) -> usize {
                0
            }
        }
    };
}
operator!(Equations, self => self);
operator!(Part<'_>, self => self.0);

impl NonLinearOp for Part<'_> {
    fn call_inplace(&self, x: &State, t: f64, y: &mut State) {
        self.0.system.rhs(values(x), t, y.batch_as_mut_slice(0));
    }
}

impl NonLinearOpJacobian for Part<'_> {
    fn jac_mul_inplace(&self, x: &State, t: f64, v: &State, y: &mut State) {
        self.0
            .system
            .jacobian_product(values(x), t, values(v), y.batch_as_mut_slice(0));
    }
    fn jacobian_inplace(&self, x: &State, t: f64, y: &mut NewtonMatrix) {
        y.identity = 0.0;
        y.jacobian = 1.0;
        y.at = Some(Linearisation {
            system: Arc::clone(&self.0.system),
            y: values(x).to_vec(),
            t,
        });
    }
}

impl ConstantOp for Part<'_> {
    fn call_inplace(&self, _t: f64, y: &mut State) {
        y.batch_as_mut_slice(0).copy_from_slice(&self.0.start);
    }
}

type Absent<'a> = ParameterisedOp<'a, UnitCallable<NewtonMatrix>>;

impl<'a> OdeEquationsRef<'a> for Equations {
    type Mass = Absent<'a>;
    type Rhs = Part<'a>;
    type Root = Absent<'a>;
    type Init = Part<'a>;
    type Out = Absent<'a>;
    type Reset = Absent<'a>;
}

impl OdeEquations for Equations {
    fn rhs(&self) -> Part<'_> {
        Part(self)
    }
    fn mass(&self) -> Option<Absent<'_>> {
        None
    }
    fn root(&self) -> Option<Absent<'_>> {
        None
    }
    fn init(&self) -> Part<'_> {
        Part(self)
    }
    fn out(&self) -> Option<Absent<'_>> {
        None
    }
    fn set_params(&mut self, _p: &State) {}
    fn get_params(&self, _p: &mut State) {}
}
