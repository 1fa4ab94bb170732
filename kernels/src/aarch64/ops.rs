//! How a token's methods are written: one expression of intrinsics each.

/// Methods of a token type that exists only where its instructions do.
macro_rules! ops {
    ($($(#[$meta:meta])* fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? $body:block)*) => {
        $(
            $(#[$meta])*
            #[inline(always)]
            fn $name(self, $($arg: $ty),*) $(-> $ret)? {
                // SAFETY: `self` is made only by a function compiled for the features these intrinsics need, so they
                // exist; loads and stores go through references to arrays of exactly the accessed size.
                unsafe { $body }
            }
        )*
    };
}
pub(super) use ops;
