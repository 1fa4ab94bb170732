//! Moves a conversation into a larger session.

use super::Session;

impl Session<'_> {
    /// Takes over the slots of `older`, a session of the same model, kernels and options except for a shorter context.
    /// Everything computed afterwards equals, bit for bit, what this session would compute had it processed all tokens
    /// itself. Returns false, and leaves this session empty, where that would not hold: the angles of positions depend
    /// on the context's length (the long and short factors of RoPE), or other options differ.
    pub fn adopt(&mut self, older: &Session<'_>) -> bool {
        self.reset();
        let (new, old) = (&self.plan, &older.plan);
        let fits = core::ptr::eq(new.model, old.model)
            && core::ptr::eq(new.kernels, old.kernels)
            && new.options.kv_type == old.options.kv_type
            && new.options.n_ctx >= old.options.n_ctx
            && new.options.n_slots == old.options.n_slots
            && new.options.n_spare_pages >= old.options.n_spare_pages
            && new.options.n_snapshots == old.options.n_snapshots
            && new.options.has_checkpoints == old.options.has_checkpoints
            && new.options.n_batch == old.options.n_batch
            && new.options.n_outputs == old.options.n_outputs
            && self.frequencies == older.frequencies;
        let mut blocks = self.memory.blocks.iter_mut().zip(&older.memory.blocks);
        if !fits || !blocks.all(|(new, old)| new.adopt(old)) {
            self.reset();
            return false;
        }
        self.memory.logits.values_mut().copy_from_slice(older.memory.logits.values());
        self.memory.pages.adopt(&older.memory.pages);
        self.last_output = older.last_output;
        true
    }
}
