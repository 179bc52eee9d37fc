//! Archives and compressed streams that are damaged, odd, or larger than they say.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use step07_images::digest::Digest;

use crate::archive::{Archive, Head, base256, octal};
use crate::bench::Bench;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn l14_headers_of_no_sense_are_named_by_their_byte() {
    let Some(mut bench) = Bench::new() else { return };
    let x = || Head::new(b'0', "x");
    let mut overflow = base256(1, 12);
    overflow[1] = 1;
    let cases: [(Head, &str); 8] = [
        (Head { size: b"0000000000g\0".to_vec(), ..x() }, "its size is no number"),
        (Head { size: b"00000 00001\0".to_vec(), ..x() }, "its size is no number"),
        (Head { size: overflow, ..x() }, "its size is no number"),
        (Head { size: vec![0xff; 12], ..x() }, "its size is negative"),
        (Head { mode: b"rw-r--r-".to_vec(), ..x() }, "its mode is no number"),
        (Head { uid: b"-1\0\0\0\0\0\0".to_vec(), ..x() }, "its uid is no number"),
        (Head { time: b"yesterday\0\0\0".to_vec(), ..x() }, "its time is no number"),
        (
            Head { device: (b"zero\0\0\0\0".to_vec(), octal(0, 8)), ..Head::new(b'3', "x") },
            "its device is no number",
        ),
    ];
    for (head, why) in cases {
        // After a good entry of two blocks.
        let error = bench.refused(Archive::new().file("good", "content").head(&head, b"").end());
        assert_eq!(error, format!("layer 1: bad tar header at byte 1024: {why}"));
    }
    let mut block = x().block();
    block[0] = b'y';
    let error = bench.refused(Archive::new().raw(&block).end());
    assert_eq!(error, "layer 1: bad tar header at byte 0: its checksum does not match");
    let error = bench.refused([b"no archive at all".repeat(100), vec![0; 1024]].concat());
    assert_eq!(error, "layer 1: bad tar header at byte 0: its checksum is no number");
    let error = bench.refused(Archive::new().head(&Head::new(b'V', "label"), b"").end());
    assert_eq!(error, "layer 1: label has the type 'V', which is not supported");
    let error = bench.refused(Archive::new().pax(&[("path", b"x")]).end());
    assert_eq!(error, "layer 1: bad tar header at byte 1024: the archive ends after an extended header");
    let error =
        bench.refused(Archive::new().file_like(Head::new(b'x', "x"), "12 path=x\n").file("x", "").end());
    assert_eq!(error, "layer 1: bad tar header at byte 0: an extended header's record has a wrong length");
}

#[test]
fn l14_a_pax_size_is_the_size() {
    let Some(mut bench) = Bench::new() else { return };
    // To whoever believes the header, the content is an entry.
    let smuggled = Archive::new().file("smuggled", "").open_end();
    let size = smuggled.len().to_string();
    let archive =
        Archive::new().pax(&[("size", size.as_bytes())]).head(&Head::new(b'0', "x"), &smuggled).file("y", "");
    bench.layer(archive.end());
    assert_eq!(bench.names(), ["x", "y"]);
    assert!(bench.tree()["x"].contains(" 512 "));
    for bad in ["-1", "9223372036854775808", "0x10", "1.5"] {
        let error = bench.refused(Archive::new().pax(&[("size", bad.as_bytes())]).file("x", "").end());
        assert!(error.ends_with("bad tar header at byte 0: its size is no number"), "{error}");
    }
}

#[test]
fn l14_only_files_have_content() {
    let Some(mut bench) = Bench::new() else { return };
    let sized =
        |kind| Head::new(kind, format!("kind{}", char::from(kind))).link("target").size(512).mode(0o755);
    let archive = Archive::new().file("target", "");
    let archive = b"1256".iter().fold(archive, |archive, kind| archive.head(&sized(*kind), b""));
    bench.layer(archive.end());
    assert_eq!(bench.names(), ["kind1", "kind2", "kind5", "kind6", "target"]);
}

#[test]
fn l14_pax_names_win_over_gnu_names_and_global_headers_change_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    let gnu = |archive: Archive, kind, name: &str| {
        archive.file_like(Head::new(kind, "././@LongLink"), format!("{name}\0"))
    };
    let both = |first_gnu: bool| {
        let pax = [("path", b"pax".as_slice()), ("linkpath", b"pax-target")];
        let archive = if first_gnu { Archive::new() } else { Archive::new().pax(&pax) };
        let archive = gnu(gnu(archive, b'L', "gnu"), b'K', "gnu-target");
        if first_gnu { archive.pax(&pax) } else { archive }
    };
    for first_gnu in [true, false] {
        bench.layer(both(first_gnu).symlink("header", "header-target").end());
        assert_eq!(bench.names(), ["pax"]);
        assert!(bench.tree()["pax"].ends_with(" -> pax-target"));
    }
    bench.layer(gnu(Archive::new(), b'L', &"long/".repeat(100)).directory("header").end());
    assert!(bench.names().contains(&"long/".repeat(100).trim_end_matches('/').to_owned()));

    let global = Archive::new().extended(b'g', &[("path", b"global"), ("size", b"512"), ("uid", b"7")]);
    bench.layer(global.file("plain", "").end());
    assert!(bench.tree()["plain"].starts_with("-0644 0:0 ") && !bench.names().contains(&"global".into()));
}

#[test]
fn l15_a_name_or_record_of_4_gib_is_refused_unread() {
    let Some(mut bench) = Bench::new() else { return };
    for kind in *b"xLK" {
        let head = Head { size: base256(4 << 30, 12), ..Head::new(kind, "x") };
        let error = bench.refused(Archive::new().file("x", "").head(&head, b"").end());
        let expected = "a name or records of 4294967296 bytes, where 1 MiB is the limit";
        assert_eq!(error, format!("layer 1: bad tar header at byte 512: {expected}"));
    }
}

#[test]
fn l17_sparse_files_are_refused_by_name() {
    let Some(mut bench) = Bench::new() else { return };
    let old = Archive::new().head(&Head::new(b'S', "holes"), b"").end();
    assert_eq!(bench.refused(old), "layer 1: holes is a sparse file, which is not supported");
    for key in ["GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.size"] {
        let archive = Archive::new().pax(&[(key, b"1")]).file("GNUSparseFile.0/holes", "1\n0\n1\n").end();
        assert!(bench.refused(archive).ends_with(" is a sparse file, which is not supported"));
    }
}

#[test]
fn l19_all_members_and_frames_are_read() {
    let Some(mut bench) = Bench::new() else { return };
    let archive = Archive::new().file("a", [b'a'; 5000]).file("b", [b'b'; 5000]).end();
    let diff_id = Digest::of(&archive);
    let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"skip"].concat();
    for cut in [0, 1, 512, 5000, 5632, archive.len()] {
        let (first, second) = archive.split_at(cut);
        let empty = gzip(b"");
        for blob in [
            [gzip(first), gzip(second)].concat(),
            [&empty, &gzip(first)[..], &empty, &gzip(second)].concat(),
            [zstd(first), zstd(second)].concat(),
            [&skippable, &zstd(first)[..], &skippable, &zstd(second), &skippable].concat(),
        ] {
            assert_eq!(bench.try_blob(&blob, &diff_id).as_deref(), Ok([].as_slice()), "cut at {cut}");
            assert_eq!(bench.names(), ["a", "b"]);
        }
    }
}

#[test]
fn l19_a_zstd_window_above_128_mib_is_refused() {
    let Some(mut bench) = Bench::new() else { return };
    // Frame header: a window of 2^(10 + exponent) bytes, then one empty last block (RFC 8878, section 3.1.1).
    let frame = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3, 1, 0, 0];
    let error = bench.try_blob(&frame(18), &Digest::of(b"")).unwrap_err();
    assert!(error.to_lowercase().contains("memory"), "{error}");
    assert_eq!(bench.try_blob(&frame(17), &Digest::of(b"")).as_deref(), Ok([].as_slice()));
}

#[test]
fn l20_what_follows_the_end_is_read_and_hashed() {
    let Some(mut bench) = Bench::new() else { return };
    let archive = Archive::new().file("x", "content").end();
    let behind = [&archive[..], b"bytes behind the archive's end"].concat();
    bench.layer(&behind);
    let error = bench.try_blob(&behind, &Digest::of(&archive)).unwrap_err();
    assert!(error.contains("the uncompressed content has the digest "), "{error}");

    // Behind the last member of gzip the bytes are the blob's, not the archive's.
    for padding in [&[0; 700][..], b"x", b"\x1f", b"garbage"] {
        let blob = [&gzip(&archive), padding].concat();
        let mut source = &blob[..];
        let into = tempfile::tempdir().unwrap();
        step07_images::layers::unpack(1, &mut source, &Digest::of(&archive), &[], into.path()).unwrap();
        assert_eq!(source, b"", "the blob was not read to its end");
    }

    let without_end = Archive::new().file("x", "content").open_end();
    bench.layer(&without_end);
    bench.layer([&without_end[..], &[0; 512]].concat());
    bench.layer(b"");
    let error = bench.refused(Archive::new().raw(&[0; 512]).file("x", "").end());
    assert_eq!(error, "layer 5: bad tar header at byte 0: an empty block, and then more");
}

#[test]
fn l20_the_compression_is_told_by_the_bytes() {
    let Some(mut bench) = Bench::new() else { return };
    let archive = Archive::new().file("x", "content").end();
    for blob in [archive.clone(), gzip(&archive), zstd(&archive)] {
        assert_eq!(bench.try_blob(&blob, &Digest::of(&archive)).as_deref(), Ok([].as_slice()));
    }
    let error = bench.refused(b"BZh91AY&SY");
    assert_eq!(error, "layer 4: compressed by bzip2: only gzip and zstd are supported");
    let error = bench.refused(b"\xfd7zXZ\0\0\0");
    assert_eq!(error, "layer 4: compressed by xz: only gzip and zstd are supported");
}

#[test]
fn l21_a_stream_that_is_cut_anywhere_is_an_unexpected_end() {
    let Some(mut bench) = Bench::new() else { return };
    let content: Vec<u8> =
        (0..3000u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let archive = Archive::new()
        .directory("d")
        .pax(&[("path", "a-name-that-is-long/".repeat(8).as_bytes())])
        .file("d/x", &content)
        .symlink("l", "d")
        .file("y", &content[..700])
        .end();
    let diff_id = Digest::of(&archive);
    let end = archive.len() - 1024;
    for cut in (0..end).step_by(512).chain((1..end).step_by(501)) {
        let error = bench.try_blob(&archive[..cut], &diff_id).unwrap_err();
        assert!(error.contains("unexpected end"), "cut at {cut}: {error}");
    }
    for blob in [gzip(&archive), zstd(&archive)] {
        for cut in (10..blob.len()).step_by(401).chain([blob.len() - 1]) {
            let error = bench.try_blob(&blob[..cut], &diff_id).unwrap_err();
            assert!(error.contains("unexpected end"), "cut at {cut} of {}: {error}", blob.len());
        }
        assert_eq!(bench.try_blob(&blob, &diff_id).as_deref(), Ok([].as_slice()));
    }
}

#[test]
fn l21_damaged_compression_is_one_error() {
    let Some(mut bench) = Bench::new() else { return };
    let archive = Archive::new().file("x", "content".repeat(1000)).end();
    for blob in [gzip(&archive), zstd(&archive)] {
        for at in 4..blob.len() {
            let mut blob = blob.clone();
            blob[at] ^= 0x55;
            // A flag or a time in gzip's header may be anything: then all is well.
            if let Err(error) = bench.try_blob(&blob, &Digest::of(&archive)) {
                assert_eq!(error.lines().count(), 1, "{error}");
            }
        }
    }
}

#[test]
fn l22_a_wrong_diff_id_is_refused() {
    let Some(mut bench) = Bench::new() else { return };
    let archive = Archive::new().file("x", "").end();
    let error = bench.try_blob(&archive, &Digest::of(b"")).unwrap_err();
    let (is, should) = (Digest::of(&archive), Digest::of(b""));
    assert_eq!(
        error,
        format!("layer 1: the uncompressed content has the digest {is}, the image says {should}")
    );
}
