//! Puts the chunks of a `StreamResults` answer together, within bounds: a stream may be endless, may send
//! empty chunks for ever, and may lie about their order.

use bulkhead_kit::nats::BUFFER_MAXIMUM_BYTES;
use bulkhead_wire::ResultsChunk;

use crate::answer::AnswerFault;

/// The largest whole that is put together, in bytes: as much as a tenant's buffer holds.
pub(super) const RESULTS_MAXIMUM_BYTES: usize = BUFFER_MAXIMUM_BYTES;
/// More chunks than this are an endless stream.
const CHUNKS_MAXIMUM: i32 = 4096;

/// The chunks so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    data: Vec<u8>,
    next_index: i32,
    total: Option<i32>,
}

/// All chunks, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assembled {
    /// The whole.
    pub(super) data: Vec<u8>,
    /// The agent's sequence after it.
    pub(super) sequence: String,
}

impl Assembly {
    /// Takes the next chunk; gives the whole when it was the last.
    ///
    /// # Errors
    /// The chunk is out of order, or the whole is too large.
    pub(super) fn push(&mut self, chunk: ResultsChunk) -> Result<Option<Assembled>, AnswerFault> {
        let ResultsChunk { data, is_final, chunk_index, total_chunks, current_sequence, .. } = chunk;
        if chunk_index != self.next_index {
            return Err(malformed(format!("chunk {chunk_index} came where {} was due", self.next_index)));
        }
        if *self.total.get_or_insert(total_chunks) != total_chunks {
            return Err(malformed("the number of chunks changed on the way".to_owned()));
        }
        self.next_index += 1;
        if self.next_index > CHUNKS_MAXIMUM {
            return Err(malformed(format!("more than {CHUNKS_MAXIMUM} chunks")));
        }
        let bytes = self.data.len() + data.len();
        if bytes > RESULTS_MAXIMUM_BYTES {
            return Err(AnswerFault::Oversized { bytes, limit: RESULTS_MAXIMUM_BYTES });
        }
        self.data.extend_from_slice(&data);
        if !is_final {
            return Ok(None);
        }
        if total_chunks != self.next_index {
            return Err(malformed(format!("{total_chunks} chunks were announced, {} came", self.next_index)));
        }
        Ok(Some(Assembled { data: std::mem::take(&mut self.data), sequence: current_sequence }))
    }
}

fn malformed(problem: String) -> AnswerFault {
    AnswerFault::Malformed(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(index: i32, total: i32, data: &[u8]) -> ResultsChunk {
        ResultsChunk {
            data: data.to_vec(),
            is_final: index + 1 == total,
            chunk_index: index,
            total_chunks: total,
            current_sequence: "7".into(),
            timestamp: 0,
        }
    }

    #[test]
    fn chunks_in_order_are_the_whole() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.push(chunk(0, 2, b"[1,")), Ok(None));
        let whole = assembly.push(chunk(1, 2, b"2]")).unwrap();
        assert_eq!(whole, Some(Assembled { data: b"[1,2]".to_vec(), sequence: "7".into() }));
    }

    #[test]
    fn lies_about_order_and_number_are_refused() {
        let early_end = ResultsChunk { is_final: true, ..chunk(0, 2, b"x") };
        for chunks in [
            vec![chunk(1, 2, b"x")],
            vec![chunk(0, 3, b"x"), chunk(2, 3, b"x")],
            vec![chunk(0, 3, b"x"), chunk(0, 3, b"x")],
            vec![chunk(0, 3, b"x"), chunk(1, 4, b"x")],
            vec![chunk(-1, 2, b"x")],
            vec![early_end],
        ] {
            let mut assembly = Assembly::default();
            let fault = chunks.into_iter().find_map(|chunk| assembly.push(chunk).err());
            assert_eq!(fault.unwrap().code(), "malformed-answer");
        }
    }

    #[test]
    fn an_endless_stream_ends_here() {
        let mut assembly = Assembly::default();
        let fault = (0..).find_map(|index| assembly.push(chunk(index, i32::MAX, b"")).err()).unwrap();
        assert_eq!(fault.code(), "malformed-answer");
        let mut assembly = Assembly::default();
        let megabyte = vec![b'x'; 1024 * 1024];
        let fault = (0..).find_map(|index| assembly.push(chunk(index, i32::MAX, &megabyte)).err()).unwrap();
        assert_eq!(fault.code(), "oversized-answer");
    }
}
