//! The entry points of the tables, made from the list of float operations. A proof is made only in functions compiled
//! for its features, so each table needs these functions of its own.

/// `entry_points!(proof, features)` makes the module `entry`: each operation compiled for these features, and the
/// products of float weights. `proof` is a type that functions compiled for these features can make.
macro_rules! entry_points {
    ($proof:path, $features:literal) => {
        /// The float operations, compiled for the features of the table.
        pub(super) mod entry {
            use $crate::activations::{Activations, QuantizedRowsMut};
            use $crate::attention::{Attend, AttentionState, KvType};
            use $crate::delta::DeltaStep;
            use $crate::lanes::elementwise::*;
            use $crate::matrix::Matrix;
            use $crate::recurrence::{CausalConv, StateStep};
            use $crate::table::RopeStyle;
            use $crate::tiles::TileMut;
            use $proof as Proof;

            /// The products of float weights.
            #[target_feature(enable = $features)]
            pub(crate) fn float_matmul(w: &Matrix<'_>, x: &Activations<'_>, out: &mut TileMut<'_>, _: &mut [u8]) {
                $crate::lanes::float::matmul(Proof::new(), w, x, out);
            }

            $crate::operations::for_each_operation!([$crate::lanes::entry::compiled] $features);
        }
    };
}

/// What [`entry_points`] does with the list.
macro_rules! compiled {
    ($features:literal $(fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?
        = $module:ident::$specification:ident, $lanes:ident::$function:ident($($value:expr),*);)*) => {
        $(
            #[target_feature(enable = $features)]
            pub(crate) fn $name($($arg: $ty),*) $(-> $ret)? {
                $crate::lanes::$lanes::$function(Proof::new(), $($value),*)
            }
        )*
    };
}

/// The [`Operations`] of a module of [`entry_points`], in a function compiled for its features.
macro_rules! operations {
    ($entry:path) => {{
        use $entry as entry;
        $crate::operations::for_each_operation!([$crate::lanes::entry::named] entry)
    }};
}

/// What [`operations`] does with the list.
macro_rules! named {
    ($entry:ident $(fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?
        = $module:ident::$specification:ident, $lanes:ident::$function:ident($($value:expr),*);)*) => {
        $crate::operations::Operations { $($name: $entry::$name,)* }
    };
}

pub(crate) use {compiled, entry_points, named, operations};
