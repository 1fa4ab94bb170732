//! How much of a model each rank gets when nobody says so: by speed, as far as memory allows.

/// A rank, as it has measured itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Strength {
    /// Bytes per second that it reads from memory.
    pub(super) speed: u64,
    /// Bytes of weights that it has room for.
    pub(super) room: u64,
}

/// The share of the fastest rank. Boards of one kind differ by less than half a step, and get the same share.
const FASTEST: u64 = 8;

/// Relative sizes of the shares of a model of `n_bytes`, each at least 1.
pub(super) fn choose(ranks: &[Strength], n_bytes: u64) -> Vec<u32> {
    let fastest = ranks.iter().map(|rank| rank.speed).max().unwrap_or(0).max(1);
    let of_speed = |rank: &Strength| (rank.speed * FASTEST + fastest / 2) / fastest;
    let mut shares: Vec<u64> = ranks.iter().map(|rank| of_speed(rank).clamp(1, FASTEST)).collect();
    // A share that is too large gives way, a step at a time, while the others have room.
    let bytes = |shares: &[u64], i: usize| n_bytes / shares.iter().sum::<u64>() * shares[i];
    for _ in 0..FASTEST as usize * ranks.len() {
        let full = (0..ranks.len()).find(|&i| shares[i] > 1 && bytes(&shares, i) > ranks[i].room);
        let has_room = (0..ranks.len()).any(|i| bytes(&shares, i) < ranks[i].room);
        match full {
            Some(i) if has_room => shares[i] -= 1,
            _ => break,
        }
    }
    let divisor = shares.iter().copied().fold(0, greatest_common_divisor).max(1);
    shares.into_iter().map(|share| u32::try_from(share / divisor).unwrap_or(1)).collect()
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn shares(ranks: &[(u64, u64)], n_bytes: u64) -> Vec<u32> {
        let ranks: Vec<Strength> = ranks.iter().map(|&(speed, room)| Strength { speed, room }).collect();
        choose(&ranks, n_bytes)
    }

    #[test]
    fn boards_of_one_kind_get_the_same() {
        assert_eq!(
            shares(&[(116 * GB / 10, 7 * GB), (112 * GB / 10, 6 * GB), (118 * GB / 10, 7 * GB)], 4 * GB),
            [1, 1, 1]
        );
    }

    #[test]
    fn faster_boards_get_more() {
        assert_eq!(shares(&[(12 * GB, 7 * GB), (6 * GB, 7 * GB), (3 * GB, 7 * GB)], 4 * GB), [4, 2, 1]);
        assert_eq!(shares(&[(10, GB), (0, GB)], GB), [8, 1], "everybody computes something");
    }

    #[test]
    fn nobody_gets_more_than_fits_while_others_have_room() {
        let shares = shares(&[(12 * GB, 7 * GB), (12 * GB, GB)], 6 * GB);
        assert!(6.0 * f64::from(shares[1]) / f64::from(shares[0] + shares[1]) <= 1.0, "{shares:?}");
    }

    #[test]
    fn where_nothing_fits_speed_decides() {
        assert_eq!(shares(&[(GB, 1), (GB, 1)], 6 * GB), [1, 1]);
        assert_eq!(shares(&[], 0), [0u32; 0]);
    }
}
