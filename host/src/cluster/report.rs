//! What a rank tells rank 0 of its work (`--trace`): its times, and the memory of its process.

use super::handshake::{Answer, Answers, decode, encode};
use super::message::{Malformed, Reader, Writer};
use super::meter::{Meter, Times};
use crate::machine::memory::{Resident, resident};

/// The report of one rank.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    times: Times,
    /// Where the system says so.
    resident: Option<Resident>,
}

impl Report {
    /// The report up to now; times count anew from now on.
    pub(super) fn new(meter: &Meter) -> Self {
        Self { times: meter.take(), resident: resident() }
    }

    fn write(&self, to: &mut Writer) {
        self.times.write(to);
        to.byte(u8::from(self.resident.is_some()));
        if let Some(Resident { files, own, read }) = self.resident {
            to.number(files).number(own).option(read);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let times = Times::read(from)?;
        let resident = match from.flag()? {
            true => Some(Resident { files: from.number()?, own: from.number()?, read: from.option()? }),
            false => None,
        };
        Ok(Self { times, resident })
    }

    /// The lines about a rank.
    pub(super) fn lines(&self, rank: &str) -> String {
        let mut lines = self.times.lines(rank);
        if let Some(Resident { files, own, read }) = self.resident {
            let read = read.map_or(String::new(), |read| format!(", {read} bytes read from disk"));
            lines += &format!("trace: {rank} memory  {files} bytes of files, {own} bytes of its own{read}\n");
        }
        lines
    }
}

impl Answers for Report {
    fn encode(answer: &Answer<Self>) -> Vec<u8> {
        encode(answer, Self::write)
    }

    fn decode(message: &[u8]) -> Result<Answer<Self>, Malformed> {
        decode(message, Self::read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_as_they_were_written() {
        let resident = |read| Some(Resident { files: 70, own: 80, read });
        for resident in [None, resident(None), resident(Some(90))] {
            let report = Report { times: Times::default(), resident };
            let bytes = Report::encode(&Ok(report.clone()));
            assert_eq!(Report::decode(&bytes), Ok(Ok(report.clone())));
            assert!((0..bytes.len()).all(|n| Report::decode(&bytes[..n]) == Err(Malformed)));
            let lines = report.lines("rank 1");
            assert_eq!(lines.contains("rank 1 memory  70 bytes of files, 80 bytes of its own"), resident.is_some());
            let read = resident.and_then(|resident| resident.read);
            assert_eq!(lines.contains("own, 90 bytes read from disk\n"), read.is_some());
            assert_eq!(lines.contains("disk"), read.is_some(), "what is not known is not shown");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_knows_its_memory() {
        let touched = vec![7u8; 64 << 20];
        let resident = resident().unwrap();
        assert!(resident.own >= 60 << 20, "{resident:?} with {} touched", touched.len());
    }
}
