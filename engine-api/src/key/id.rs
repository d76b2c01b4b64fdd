//! Numbers that are local to a store.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The number as it stands in keys: big-endian, so that keys are in its order.
            pub const fn to_be_bytes(self) -> [u8; 4] {
                self.0.to_be_bytes()
            }

            /// The number that stands in a key.
            pub const fn from_be_bytes(bytes: [u8; 4]) -> Self {
                Self(u32::from_be_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A data instance: one named collection of keys. Numbers begin at 1.
    InstanceId
}
id! {
    /// A version. Numbers begin at 1; 0 stands for "none" and is what unversioned data is stored under.
    VersionId
}
id! {
    /// A client. Reserved: it is always 0.
    ClientId
}
id! {
    /// A repo: one DAG of versions and the instances that it versions. Numbers begin at 1.
    RepoId
}
