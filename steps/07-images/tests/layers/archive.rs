//! Archives written by hand, block by block, so that they can say anything.

/// The fields of one header, as text or as any bytes.
#[derive(Clone)]
pub struct Head {
    pub kind: u8,
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub mode: Vec<u8>,
    pub uid: Vec<u8>,
    pub gid: Vec<u8>,
    pub size: Vec<u8>,
    pub time: Vec<u8>,
    pub device: (Vec<u8>, Vec<u8>),
}

impl Head {
    pub fn new(kind: u8, name: impl AsRef<[u8]>) -> Self {
        let zero = || octal(0, 8);
        Self {
            kind,
            name: name.as_ref().to_vec(),
            link: Vec::new(),
            mode: octal(0o644, 8),
            uid: zero(),
            gid: zero(),
            size: octal(0, 12),
            time: octal(1_600_000_000, 12),
            device: (zero(), zero()),
        }
    }

    pub fn mode(mut self, mode: u64) -> Self {
        self.mode = octal(mode, 8);
        self
    }

    pub fn owner(mut self, uid: u64, gid: u64) -> Self {
        (self.uid, self.gid) = (octal(uid, 8), octal(gid, 8));
        self
    }

    pub fn size(mut self, size: u64) -> Self {
        self.size = octal(size, 12);
        self
    }

    pub fn time(mut self, seconds: u64) -> Self {
        self.time = octal(seconds, 12);
        self
    }

    pub fn link(mut self, target: impl AsRef<[u8]>) -> Self {
        self.link = target.as_ref().to_vec();
        self
    }

    pub fn device(mut self, major: u64, minor: u64) -> Self {
        self.device = (base256(major, 8), base256(minor, 8));
        self
    }

    pub fn block(&self) -> [u8; 512] {
        let mut block = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name);
        put(100, &self.mode);
        put(108, &self.uid);
        put(116, &self.gid);
        put(124, &self.size);
        put(136, &self.time);
        put(148, b"        ");
        put(156, &[self.kind]);
        put(157, &self.link);
        put(257, b"ustar\x0000");
        put(329, &self.device.0);
        put(337, &self.device.1);
        let sum = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..156].copy_from_slice(&octal(sum, 8));
        block
    }
}

/// A number as a field of octal digits.
pub fn octal(number: u64, width: usize) -> Vec<u8> {
    format!("{number:0digits$o}\0", digits = width - 1).into_bytes()
}

/// A number as GNU tar writes it where octal digits do not suffice.
pub fn base256(number: u64, width: usize) -> Vec<u8> {
    let mut field = vec![0; width];
    let bytes = number.to_be_bytes();
    let common = width.min(bytes.len());
    field[width - common..].copy_from_slice(&bytes[bytes.len() - common..]);
    field[0] |= 0x80;
    field
}

/// An archive that grows.
#[derive(Clone, Default)]
pub struct Archive(Vec<u8>);

impl Archive {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// A header, and content of whatever length, padded.
    pub fn head(mut self, head: &Head, content: &[u8]) -> Self {
        self.0.extend(head.block());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.file_like(Head::new(b'0', name), content)
    }

    pub fn file_like(self, head: Head, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        self.head(&head.size(content.len() as u64), content)
    }

    pub fn directory(self, name: impl AsRef<[u8]>) -> Self {
        self.head(&Head::new(b'5', name).mode(0o755), b"")
    }

    pub fn symlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.head(&Head::new(b'2', name).link(target), b"")
    }

    pub fn hard_link(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.head(&Head::new(b'1', name).link(target), b"")
    }

    /// An extended header for the entry that follows.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        self.extended(b'x', records)
    }

    pub fn extended(self, kind: u8, records: &[(&str, &[u8])]) -> Self {
        let mut text = Vec::new();
        for (key, value) in records {
            // The length counts its own digits.
            let rest = key.len() + value.len() + 3;
            let length =
                (1..).map(|digits| rest + digits).find(|length| length.to_string().len() + rest == *length);
            text.extend(format!("{} {key}=", length.unwrap()).bytes());
            text.extend(*value);
            text.push(b'\n');
        }
        self.file_like(Head::new(kind, "PaxHeaders/x"), text)
    }

    /// The archive without the blocks that close it.
    pub fn open_end(self) -> Vec<u8> {
        self.0
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}
