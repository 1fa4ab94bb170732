//! Tensor infos: name, shape, type and where the data lies.

use super::{Cursor, Error, ErrorKind};
use nanocamelid_kernels::formats::{self, WeightType};

/// Least number of bytes of one info: empty name (8), dimension count (4), type (4), offset (8).
pub(super) const MIN_BYTES: usize = 24;

/// One tensor of the file.
#[derive(Clone, Copy, Debug)]
pub struct TensorInfo<'a> {
    /// For example `blk.0.attn_q.weight`.
    pub name: &'a str,
    /// Extents, fastest-varying first as in the file; unused ones are 1.
    pub dims: [u64; 4],
    /// How many of `dims` the file gives.
    pub n_dims: usize,
    /// The file's number for the type. The engine may be unable to compute with this type.
    pub ggml_type: u32,
    /// The part of the model that the tensor lies in, from 0.
    pub part: u16,
    /// Start of the data, in bytes from the start of that file.
    pub offset: u64,
    /// Where this info lies in that file, for error messages.
    pub info_offset: u64,
    data: &'a [u8],
}

impl<'a> TensorInfo<'a> {
    pub(super) fn parse(cursor: &mut Cursor<'a>, alignment: u64) -> Result<Self, Error> {
        let info_offset = cursor.offset();
        let error = |kind: ErrorKind| kind.at(info_offset);
        let name = cursor.string()?;
        let n_dims = cursor.u32()?;
        if n_dims > 4 {
            return Err(error(ErrorKind::Dimensions(n_dims)));
        }
        let mut dims = [1; 4];
        for dim in &mut dims[..n_dims as usize] {
            *dim = cursor.u64()?;
        }
        let ggml_type = cursor.u32()?;
        let offset = cursor.u64()?;
        if !offset.is_multiple_of(alignment) {
            return Err(error(ErrorKind::TensorAlignment));
        }
        Ok(Self { name, dims, n_dims: n_dims as usize, ggml_type, part: 0, offset, info_offset, data: &[] })
    }

    /// Turns the offset within the data section into an offset in the file, and finds the tensor's bytes.
    pub(super) fn locate(&mut self, bytes: &'a [u8], data_offset: u64) -> Result<(), Error> {
        let error = |kind: ErrorKind| kind.at(self.info_offset);
        let (block_len, block_bytes) =
            formats::ggml_block(self.ggml_type).ok_or(error(ErrorKind::TensorType(self.ggml_type)))?;
        let overflow = error(ErrorKind::Overflow);
        let n = self.dims.iter().try_fold(1u64, |n, &dim| n.checked_mul(dim)).ok_or(overflow)?;
        if !self.dims[0].is_multiple_of(block_len as u64) {
            return Err(error(ErrorKind::PartialBlock));
        }
        let n_bytes = (n / block_len as u64).checked_mul(block_bytes as u64).ok_or(overflow)?;
        let start = data_offset.checked_add(self.offset).ok_or(overflow)?;
        let end = start.checked_add(n_bytes).ok_or(overflow)?;
        let out_of_file = error(ErrorKind::TensorOutOfFile);
        let start_index = usize::try_from(start).map_err(|_| out_of_file)?;
        let end_index = usize::try_from(end).map_err(|_| out_of_file)?;
        self.data = bytes.get(start_index..end_index).ok_or(out_of_file)?;
        self.offset = start;
        Ok(())
    }

    pub(super) fn of_part(self, part: u16) -> Self {
        Self { part, ..self }
    }

    /// The tensor's bytes in the file.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// The format, if this engine computes with it.
    pub fn weight_type(&self) -> Option<WeightType> {
        WeightType::from_ggml(self.ggml_type)
    }

    /// ggml's name for the type, whether the engine computes with the type or not.
    pub fn type_name(&self) -> &'static str {
        formats::ggml_name(self.ggml_type)
    }

    /// Number of values.
    pub fn n_values(&self) -> u64 {
        self.dims.iter().product()
    }
}
