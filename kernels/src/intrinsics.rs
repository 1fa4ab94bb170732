//! How the methods of proofs are written on every instruction set: one expression of intrinsics each.

/// Methods of a proof, which exists only where its instructions do.
macro_rules! ops {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? $body:block)*) => {
        $(
            $(#[$meta])*
            #[inline(always)]
            $vis fn $name(self, $($arg: $ty),*) $(-> $ret)? {
                // SAFETY: `self` proves the features that these intrinsics need (see `proof.rs`); loads and stores go
                // through references to arrays of exactly the accessed size.
                unsafe { $body }
            }
        )*
    };
}

/// [`Lanes::add_to_tile`](crate::lanes::Lanes::add_to_tile) compiled for the features of a proof.
macro_rules! add_to_tile {
    ($proof:ty, $features:literal) => {
        #[inline(always)]
        fn add_to_tile(self, products: &$crate::lanes::products::Products<'_>, sums: &mut [V; MAX_SUMS]) {
            #[inline(never)]
            #[target_feature(enable = $features)]
            fn add(products: &$crate::lanes::products::Products<'_>, sums: &mut [V; MAX_SUMS]) {
                $crate::lanes::products::add_to_tile(<$proof>::new(), products, sums);
            }
            // SAFETY: `self` proves the features that the function is compiled for.
            unsafe { add(products, sums) }
        }
    };
}

/// [`Lanes::add_weights`](crate::lanes::Lanes::add_weights) compiled for the features of a proof.
macro_rules! add_weights {
    ($proof:ty, $features:literal) => {
        #[inline(always)]
        fn add_weights<W: $crate::formats::float::Float, const R: usize, const T: usize>(
            self,
            rows: &[&[u8]; R],
            x: &[&[[f32; 16]]; T],
            sums: &mut [[V; T]; R],
        ) {
            #[inline(never)]
            #[target_feature(enable = $features)]
            fn add<W: $crate::formats::float::Float, const R: usize, const T: usize>(
                rows: &[&[u8]; R],
                x: &[&[[f32; 16]]; T],
                sums: &mut [[V; T]; R],
            ) {
                $crate::lanes::products::add_weights::<_, W, R, T>(<$proof>::new(), rows, x, sums);
            }
            // SAFETY: `self` proves the features that the function is compiled for.
            unsafe { add::<W, R, T>(rows, x, sums) }
        }
    };
}

/// [`Wide::unpack`](crate::formats::wide::Wide::unpack) compiled for the features of a proof.
macro_rules! unpack {
    ($proof:ty, $features:literal) => {
        #[inline(always)]
        fn unpack<P: $crate::formats::staging::Plain, B: $crate::formats::wide::WideBlock<P>>(
            self,
            block: &[u8],
            plain: &mut [P],
        ) {
            #[inline(never)]
            #[target_feature(enable = $features)]
            fn unpack<P: $crate::formats::staging::Plain, B: $crate::formats::wide::WideBlock<P>>(
                block: &[u8],
                plain: &mut [P],
            ) {
                bytemuck::from_bytes::<B>(block).unpack_wide(<$proof>::new(), plain);
            }
            // SAFETY: `self` proves the features that the function is compiled for.
            unsafe { unpack::<P, B>(block, plain) }
        }
    };
}

pub(crate) use {add_to_tile, add_weights, ops, unpack};
