//! The history an integrator stores in a mark, with its type erased.

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// An integrator's part of a mark: bytes whose format only the integrator knows.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Past(Vec<u8>);

impl Past {
    /// Serialised by serde; `None` if that fails, which never happens for structures of numbers, lists and options.
    pub(super) fn of(past: &impl Serialize) -> Option<Self> {
        postcard::to_allocvec(past).ok().map(Self)
    }

    /// The value [`Self::of`] was called with; `None` if it was of another type.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        match postcard::take_from_bytes(&self.0) {
            Ok((past, [])) => Some(past),
            _ => None,
        }
    }
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Past({} bytes)", self.0.len())
    }
}

// As one block of bytes: serde treats a `Vec<u8>` as a list with one element per byte.
impl Serialize for Past {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Past {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Block;
        impl Visitor<'_> for Block {
            type Value = Past;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a block of bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Past, E> {
                Ok(Past(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Block)
    }
}
