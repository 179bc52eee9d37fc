//! What the monitor and those who attach say to each other.
//!
//! The header is that of Docker's streams: a kind, three zeros, and a length in network byte
//! order. Docker knows the first three kinds.

use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::AsFd;

use rustix::termios::{Winsize, tcsetwinsize};

/// Of a frame's header, in bytes.
const HEADER: usize = 8;

/// No frame is longer, in bytes.
pub const LONGEST: usize = 32 * 1024;

// ANCHOR: kinds
/// What a frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To the container: what was typed.
    Input = 0,
    /// From the container's standard output.
    Output = 1,
    /// From the container's standard error.
    Error = 2,
    /// To the container: there is no more to type.
    Close = 3,
    /// To the container: the terminal has so many rows and columns, two bytes each.
    Resize = 4,
    /// To the container: a signal, by its number.
    Signal = 5,
    /// The command runs.
    Started = 6,
    /// The command could not be run: an exit code, and a text.
    Failed = 7,
    /// The command has ended: its exit code.
    Ended = 8,
    /// To the monitor: no output, please. I only want to know the end.
    Hush = 9,
    /// From the monitor: so many bytes of what was typed have gone in, four bytes in network byte order.
    Taken = 10,
}
// ANCHOR_END: kinds

const ALL: [Kind; 11] = [
    Kind::Input,
    Kind::Output,
    Kind::Error,
    Kind::Close,
    Kind::Resize,
    Kind::Signal,
    Kind::Started,
    Kind::Failed,
    Kind::Ended,
    Kind::Hush,
    Kind::Taken,
];

/// So many bytes may be on their way in, and no more: whoever types waits for [`Kind::Taken`] before. A container that
/// does not read its input would otherwise stop the line, and with it all that is said on it: the output, the signals.
pub const UNDER_WAY: usize = LONGEST;

/// A frame as it travels.
pub fn frame(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(LONGEST)];
    let length = (payload.len() as u32).to_be_bytes();
    [&[kind as u8, 0, 0, 0], &length[..], payload].concat()
}

/// Obeys [`Kind::Resize`]. A size of nothing, which a terminal without one has, changes nothing.
pub fn resize(terminal: impl AsFd, payload: &[u8]) {
    let &[a, b, c, d] = payload else { return };
    let (ws_row, ws_col) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    if (ws_row, ws_col) != (0, 0) {
        let _ = tcsetwinsize(terminal, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 });
    }
}

/// Frames out of a stream of bytes, which may end anywhere.
#[derive(Debug, Default)]
pub struct Frames(Vec<u8>);

impl Frames {
    /// Reads once. False at the end of the stream.
    ///
    /// # Errors
    /// Those of reading; WouldBlock is one.
    pub fn read_from(&mut self, stream: &mut impl Read) -> Result<bool> {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer)?;
        self.0.extend(&buffer[..length]);
        Ok(length > 0)
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// The other side does not speak this language.
    pub fn take(&mut self) -> Result<Option<(Kind, Vec<u8>)>> {
        let Some(header) = self.0.first_chunk::<HEADER>() else { return Ok(None) };
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let kind = ALL.get(usize::from(header[0])).filter(|_| length <= LONGEST);
        let Some(kind) = kind.copied() else { return Err(Error::from(ErrorKind::InvalidData)) };
        if self.0.len() < HEADER + length {
            return Ok(None);
        }
        let payload = self.0[HEADER..HEADER + length].to_vec();
        self.0.drain(..HEADER + length);
        Ok(Some((kind, payload)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_whole_wherever_the_stream_is_cut() {
        let stream = [frame(Kind::Output, b"abc"), frame(Kind::Ended, &[7]), frame(Kind::Hush, b"")].concat();
        for cut in 0..stream.len() {
            let mut frames = Frames::default();
            let mut heard = Vec::new();
            for mut part in [&stream[..cut], &stream[cut..]] {
                while frames.read_from(&mut part).unwrap() {}
                while let Some(frame) = frames.take().unwrap() {
                    heard.push(frame);
                }
            }
            let wanted = [(Kind::Output, b"abc".to_vec()), (Kind::Ended, vec![7]), (Kind::Hush, vec![])];
            assert_eq!(heard, wanted, "cut at {cut}");
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for mut nonsense in [&[200, 0, 0, 0, 0, 0, 0, 0][..], &[1, 0, 0, 0, 255, 0, 0, 0]] {
            let mut frames = Frames::default();
            frames.read_from(&mut nonsense).unwrap();
            frames.take().unwrap_err();
        }
    }
}
