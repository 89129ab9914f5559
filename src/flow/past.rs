//! What an integrator leaves in a mark, without its type.

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// An integrator's part of a mark: bytes of a form that is the integrator's own affair.
#[derive(Clone, PartialEq, Eq)]
pub struct Past(Vec<u8>);

impl Past {
    /// As serde writes it; `None` if it cannot, which a structure of numbers, lists and options never meets.
    pub fn of(past: &impl Serialize) -> Option<Self> {
        postcard::to_allocvec(past).ok().map(Self)
    }

    /// What [`Self::of`] was made from; `None` if it was something else.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
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

// As one block of bytes: serde takes a `Vec<u8>` for a list, and each byte for an element.
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
