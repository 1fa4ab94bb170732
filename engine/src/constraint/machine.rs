//! Runs a grammar: states, and what a byte or a token makes of them.
//!
//! A state is everything that an answer can be in the middle of: a set of nodes of the network, each with a stack of
//! the calls and repetitions that are not finished. Stacks are linked lists with shared tails, and equal stacks are
//! one, so that states can be compared and numbered. What a byte makes of a state is computed once and kept in a table:
//! where no stack grows, the machine turns into the deterministic automaton of the grammar while it runs.
//!
//! Repetitions are counted on the stack. The network of `[a-z]{1,1000}` is therefore as small as that of `[a-z]+`.

use super::grammar::{Grammar, Node, UNBOUNDED};
use super::runs::Link;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// The state without any way on.
pub(super) const DEAD: u32 = 0;
/// The state at the beginning of an answer.
pub(super) const START: u32 = 1;
/// A transition that has not been computed.
const UNKNOWN: u32 = u32::MAX;
/// Number of the empty stack.
const EMPTY: u32 = 0;
/// A repetition that is needed more often than any one token can repeat it.
const MANY: u32 = u32::MAX;

/// Nodes with stacks in one state, at most. Only a highly ambiguous grammar has more.
const MAX_THREADS: usize = 4096;
/// Calls and repetitions in one stack, at most.
const MAX_STACK: u32 = 1 << 10;
/// States and stack frames that are kept before the tables are made anew.
const MAX_STATES: usize = 8192;
const MAX_FRAMES: usize = 1 << 16;
/// Nodes visited for one token, at most.
const MAX_WORK: usize = 1 << 21;

/// A node and a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Thread {
    pub(super) node: u32,
    stack: u32,
}

/// A call or a repetition on a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Frame {
    /// Of a call, the node behind it; of a repetition, its node.
    node: u32,
    /// How often the repetition may and must be repeated after this time.
    left: u32,
    needed: u32,
    below: u32,
}

/// What is known of a stack.
#[derive(Clone, Copy, Debug)]
struct Stack {
    top: Frame,
    depth: u32,
    /// Whether there is a bounded `left` or a `needed`.
    is_counted: bool,
}

#[derive(Clone, Debug)]
struct State {
    threads: Arc<[Thread]>,
    is_counted: bool,
    link: Option<Link>,
    /// Where bytes lead that are in the sets of the same threads, as bits; bytes of many classes are in the same.
    moves: Vec<(u64, u32)>,
}

/// The states of a grammar that answers have come to.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    stacks: Vec<Stack>,
    stack_numbers: BTreeMap<Frame, u32>,
    states: Vec<State>,
    state_numbers: BTreeMap<Arc<[Thread]>, u32>,
    /// By state and class of bytes.
    transitions: Vec<u32>,
    /// Numbers of states and frames above which the tables are made anew.
    limits: (usize, usize),
    /// Nodes visited since the last [`Machine::rest`].
    work: usize,
    has_given_up: bool,
    scratch: Scratch,
}

/// Memory for one call of [`Machine::close`].
#[derive(Clone, Debug, Default)]
struct Scratch {
    open: Vec<Thread>,
    seen: BTreeSet<Thread>,
}

impl Machine {
    pub(super) fn new(grammar: &Grammar) -> Self {
        let frame = Frame { node: 0, left: 0, needed: 0, below: 0 };
        let mut machine = Self {
            stacks: vec![Stack { top: frame, depth: 0, is_counted: false }],
            stack_numbers: BTreeMap::new(),
            states: Vec::new(),
            state_numbers: BTreeMap::new(),
            transitions: Vec::new(),
            limits: (MAX_STATES, MAX_FRAMES),
            work: 0,
            has_given_up: false,
            scratch: Scratch::default(),
        };
        machine.number(grammar, Vec::new());
        machine.scratch.open.push(Thread { node: grammar.root(), stack: EMPTY });
        let start = machine.close(grammar);
        // A grammar has an answer, so the start is not the dead state, unless it is too ambiguous.
        if machine.number(grammar, start) == DEAD {
            machine.states.push(machine.states[DEAD as usize].clone());
            machine.transitions.extend(vec![DEAD; grammar.n_classes()]);
        }
        machine
    }

    /// The state behind a byte.
    pub(super) fn step(&mut self, grammar: &Grammar, state: u32, byte: u8) -> u32 {
        self.step_class(grammar, state, usize::from(grammar.class(byte)))
    }

    /// The state behind a byte of a class.
    pub(super) fn step_class(&mut self, grammar: &Grammar, state: u32, class: usize) -> u32 {
        let at = state as usize * grammar.n_classes() + class;
        if self.transitions[at] != UNKNOWN {
            return self.transitions[at];
        }
        let byte = grammar.representative(class);
        let threads = Arc::clone(&self.states[state as usize].threads);
        let next_of = |thread: &Thread| match grammar.node(thread.node) {
            Node::Byte { set, next } if grammar.set(set).contains(byte) => Some(Thread { node: next, ..*thread }),
            _ => None,
        };
        let bit = |(i, thread)| u64::from(next_of(thread).is_some()) << i;
        // States of more threads are rare.
        let moving =
            (threads.len() <= 64).then(|| threads.iter().enumerate().map(bit).fold(0_u64, |all, bit| all | bit));
        let known = self.states[state as usize].moves.iter().find(|(known, _)| Some(*known) == moving);
        let next = match (moving, known) {
            (Some(0), _) => DEAD,
            (_, Some(&(_, next))) => next,
            (_, None) => {
                self.scratch.open.extend(threads.iter().filter_map(next_of));
                let threads = self.close(grammar);
                let next = self.number(grammar, threads);
                self.states[state as usize].moves.extend(moving.map(|moving| (moving, next)));
                next
            }
        };
        self.transitions[at] = next;
        next
    }

    /// The state behind a token that is taken as a whole, and not as its bytes, together with `others`. Only a node
    /// with this very token takes one that ends generation.
    pub(super) fn step_token(
        &mut self,
        grammar: &Grammar,
        state: u32,
        (token, is_end): (u32, bool),
        others: u32,
    ) -> u32 {
        let threads = Arc::clone(&self.states[state as usize].threads);
        self.scratch.open.extend(threads.iter().filter_map(|thread| match grammar.node(thread.node) {
            Node::Token { id, is_negated, next } if (id == token) != is_negated && !(is_negated && is_end) => {
                Some(Thread { node: next, ..*thread })
            }
            _ => None,
        }));
        if self.scratch.open.is_empty() {
            return others;
        }
        let mut threads = self.close(grammar);
        threads.extend_from_slice(&self.states[others as usize].threads);
        threads.sort_unstable();
        threads.dedup();
        self.number(grammar, threads)
    }

    /// The tokens that may come as a whole, and whether all others than that one may.
    pub(super) fn tokens(&self, grammar: &Grammar, state: u32) -> impl Iterator<Item = (u32, bool)> {
        self.states[state as usize].threads.iter().filter_map(|thread| match grammar.node(thread.node) {
            Node::Token { id, is_negated, .. } => Some((id, is_negated)),
            _ => None,
        })
    }

    /// Whether an answer may end in a state. A thread at the end of the root stays in the state for that.
    pub(super) fn can_end(&self, state: u32) -> bool {
        self.states[state as usize].threads.first().is_some_and(|thread| *thread == Self::END)
    }

    /// Whether an answer can go on in a state.
    pub(super) fn can_go_on(&self, state: u32) -> bool {
        self.states[state as usize].threads.iter().any(|thread| *thread != Self::END)
    }

    /// The end of the root: the node with the number 0 and no stack, the smallest of all.
    const END: Thread = Thread { node: 0, stack: EMPTY };

    /// What a state does with one character.
    pub(super) fn link(&mut self, grammar: &Grammar, state: u32) -> Link {
        if let Some(link) = self.states[state as usize].link {
            return link;
        }
        let link = Link::new(grammar, self, state);
        self.states[state as usize].link = Some(link);
        link
    }

    /// A state that is the same for tokens of at most `n_bytes` bytes, and for as many counts as possible: a repetition
    /// takes a byte at least, so counts above `n_bytes` cannot be used up.
    pub(super) fn unbounded(&mut self, grammar: &Grammar, state: u32, n_bytes: u32) -> u32 {
        if !self.states[state as usize].is_counted {
            return state;
        }
        let change = |frame: Frame| match grammar.node(frame.node) {
            Node::Repeat { .. } => Frame {
                left: if frame.left > n_bytes { UNBOUNDED } else { frame.left },
                needed: if frame.needed > n_bytes { MANY } else { frame.needed },
                ..frame
            },
            _ => frame,
        };
        let threads = self
            .frames(state)
            .into_iter()
            .map(|(node, frames)| Thread { node, stack: self.stack_of(grammar, frames.into_iter().map(change)) });
        let threads = sorted(threads);
        self.number(grammar, threads)
    }

    /// Makes the tables anew if they have become large; the states in `live` stay, with new numbers. Returns whether
    /// numbers have changed.
    pub(super) fn tidy(&mut self, grammar: &Grammar, live: &mut [u32]) -> bool {
        if self.states.len() <= self.limits.0 && self.stacks.len() <= self.limits.1 {
            return false;
        }
        let mut new = Self::new(grammar);
        new.work = self.work;
        new.has_given_up = self.has_given_up;
        for state in live.iter_mut() {
            let threads = self.frames(*state).into_iter();
            let threads = threads.map(|(node, frames)| Thread { node, stack: new.stack_of(grammar, frames) });
            let threads = sorted(threads);
            *state = new.number(grammar, threads);
        }
        // Whatever is needed at the moment fits twice, so that the tables are not made anew at once.
        new.limits = (MAX_STATES.max(2 * new.states.len()), MAX_FRAMES.max(2 * new.stacks.len()));
        *self = new;
        true
    }

    /// The threads of a state, each with its stack from the bottom.
    fn frames(&self, state: u32) -> Vec<(u32, Vec<Frame>)> {
        let with_frames = |thread: &Thread| {
            let mut frames = Vec::new();
            let mut stack = thread.stack;
            while stack != EMPTY {
                frames.push(self.stacks[stack as usize].top);
                stack = frames[frames.len() - 1].below;
            }
            frames.reverse();
            (thread.node, frames)
        };
        self.states[state as usize].threads.iter().map(with_frames).collect()
    }

    /// The stack with these frames, from the bottom. They were a stack already, so that they are not too many.
    fn stack_of(&mut self, grammar: &Grammar, frames: impl IntoIterator<Item = Frame>) -> u32 {
        frames.into_iter().fold(EMPTY, |below, frame| self.stack(grammar, Frame { below, ..frame }).unwrap_or(below))
    }

    /// About so many bytes of memory are taken by the tables. Numbers of stacks and states are kept twice, once to find
    /// them.
    pub(super) fn n_bytes(&self) -> usize {
        let threads = self.states.iter().map(|state| state.threads.len()).sum::<usize>() * size_of::<Thread>();
        let (states, stacks) = (self.states.len() * size_of::<State>(), self.stacks.len() * size_of::<Stack>());
        threads + 2 * (states + stacks) + self.transitions.len() * size_of::<u32>()
    }

    /// Begins the count of the work for a token.
    pub(super) fn rest(&mut self) {
        self.work = 0;
    }

    /// Whether the grammar was too ambiguous for this machine; the state since then is dead.
    pub(super) fn has_given_up(&self) -> bool {
        self.has_given_up
    }

    /// The number of a stack with this top, or `None` if it is too deep.
    fn stack(&mut self, grammar: &Grammar, top: Frame) -> Option<u32> {
        if let Some(&number) = self.stack_numbers.get(&top) {
            return Some(number);
        }
        let below = self.stacks[top.below as usize];
        if below.depth == MAX_STACK {
            return None;
        }
        let is_repeat = matches!(grammar.node(top.node), Node::Repeat { .. });
        let left = if is_repeat { top.left } else { UNBOUNDED };
        let number = self.stacks.len() as u32;
        self.stacks.push(Stack {
            top,
            depth: below.depth + 1,
            is_counted: below.is_counted || left != UNBOUNDED || !matches!(top.needed, 0 | MANY),
        });
        self.stack_numbers.insert(top, number);
        Some(number)
    }

    /// Follows all edges without bytes from the threads in `scratch.open`; sorted.
    fn close(&mut self, grammar: &Grammar) -> Vec<Thread> {
        let mut scratch = core::mem::take(&mut self.scratch);
        let Scratch { open, seen } = &mut scratch;
        let mut closed = Vec::new();
        while let Some(thread) = open.pop() {
            if !seen.insert(thread) {
                continue;
            }
            self.work += 1;
            if seen.len() > MAX_THREADS || self.work > MAX_WORK {
                self.has_given_up = true;
                closed.clear();
                open.clear();
                break;
            }
            let Thread { node, stack } = thread;
            let top = self.stacks[stack as usize].top;
            match grammar.node(node) {
                Node::Byte { .. } | Node::Token { .. } => closed.push(thread),
                Node::Split { first, last } => {
                    open.extend(grammar.branches(first, last).iter().map(|&node| Thread { node, stack }));
                }
                Node::End if stack == EMPTY => closed.push(thread),
                Node::End => open.push(Thread { node: top.node, stack: top.below }),
                Node::Call { rule, next } => {
                    // Behind a call that ends a rule there is nothing to come back to.
                    let stack = match grammar.node(next) {
                        Node::End => Some(stack),
                        _ => self.stack(grammar, Frame { node: next, left: 0, needed: 0, below: stack }),
                    };
                    open.extend(stack.map(|stack| Thread { node: grammar.rule(rule), stack }));
                }
                Node::Repeat { body, min, max, next } => {
                    if min == 0 {
                        open.push(Thread { node: next, stack });
                    }
                    let left = if max == UNBOUNDED { max } else { max - 1 };
                    let frame = Frame { node, left, needed: min.saturating_sub(1), below: stack };
                    open.extend(self.stack(grammar, frame).map(|stack| Thread { node: body, stack }));
                }
                Node::Again { repeat } => {
                    let Node::Repeat { body, next, .. } = grammar.node(repeat) else { continue };
                    if top.needed == 0 {
                        open.push(Thread { node: next, stack: top.below });
                    }
                    if top.left > 0 {
                        let left = if top.left == UNBOUNDED { UNBOUNDED } else { top.left - 1 };
                        let needed = if top.needed == MANY { MANY } else { top.needed.saturating_sub(1) };
                        let frame = Frame { left, needed, ..top };
                        open.extend(self.stack(grammar, frame).map(|stack| Thread { node: body, stack }));
                    }
                }
            }
        }
        seen.clear();
        self.scratch = scratch;
        closed.sort_unstable();
        closed
    }

    /// The number of the state with these threads, sorted.
    fn number(&mut self, grammar: &Grammar, threads: Vec<Thread>) -> u32 {
        if let Some(&number) = self.state_numbers.get(threads.as_slice()) {
            return number;
        }
        let is_counted = threads.iter().any(|thread| self.stacks[thread.stack as usize].is_counted);
        let number = self.states.len() as u32;
        let threads: Arc<[Thread]> = threads.into();
        self.state_numbers.insert(Arc::clone(&threads), number);
        self.states.push(State { threads, is_counted, link: None, moves: Vec::new() });
        let unknown = if number == DEAD { DEAD } else { UNKNOWN };
        self.transitions.resize(self.transitions.len() + grammar.n_classes(), unknown);
        number
    }
}

fn sorted(threads: impl Iterator<Item = Thread>) -> Vec<Thread> {
    let mut threads: Vec<Thread> = threads.collect();
    threads.sort_unstable();
    threads.dedup();
    threads
}
