use proptest::prelude::*;

use super::*;
use crate::edge::wire::header_fields::{PATH, write_string};

const STREAM: [u8; 4] = [0, 0, 0, 1];

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    Frame::write(kind, flags, &STREAM, payload, &mut frame);
    frame
}

/// A literal field with an indexed name.
fn indexed_name(first: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![first];
    write_string(value, &mut field);
    field
}

fn huffman(first: u8, value: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    httlib_huffman::encode(value, &mut coded).expect("bytes");
    let mut field = vec![first, 0x80 | u8::try_from(coded.len()).expect("short")];
    field.extend(coded);
    field
}

fn followed(bytes: &[u8], cut: usize) -> Vec<u8> {
    let (mut paths, mut ready) = (Http2Paths::default(), Vec::new());
    for piece in bytes.chunks(cut) {
        paths.follow(piece, &mut ready);
    }
    ready.extend(paths.end());
    ready
}

/// Whatever is before and after the path, and however it is cut.
fn assert_marked(path: &[u8], marked: &[u8]) {
    let (method, scheme) = (vec![0x82], vec![0x86]);
    let fields = [method.clone(), path.to_vec(), scheme.clone()].concat();
    let expected = [method, marked.to_vec(), scheme].concat();
    let around = [frame(4, 0, &[0; 6]), frame(0, 1, b"# is data")];
    let [before, after] = &around;
    let [sent, wanted] = [fields, expected].map(|fields| {
        let headers = frame(HEADERS, END_HEADERS, &fields);
        [before.clone(), headers, after.clone()].concat()
    });
    for cut in [1, 2, 7, 1_000] {
        assert_eq!(followed(&sent, cut), wanted, "cut {cut}");
    }
}

fn named(first: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![first];
    write_string(PATH, &mut field);
    write_string(value, &mut field);
    field
}

#[test]
fn each_literal_path_is_marked_and_indexed_as_it_was() {
    for (first, kept) in [
        (0x44, 0x40),
        (0x45, 0x40),
        (0x04, 0),
        (0x05, 0),
        (0x14, 0x10),
    ] {
        let marked = named(kept, b"/a^b");
        assert_marked(&indexed_name(first, b"/a#b"), &marked);
        assert_marked(&huffman(first, b"/a#b"), &marked);
    }
    for kept in [0x40, 0, 0x10] {
        assert_marked(&named(kept, b"/a#b"), &named(kept, b"/a^b"));
    }
    let long = vec![b'a'; 20_000];
    let (path, marked) = ([&long[..], b"#"].concat(), [&long[..], b"^"].concat());
    let sent = frame(HEADERS, END_HEADERS, &[]);
    assert_eq!(followed(&sent, 5), sent);
    let fields = indexed_name(4, &path);
    let (first, second) = fields.split_at(16_000);
    let sent = [frame(HEADERS, 1, first), frame(CONTINUATION, 4, second)].concat();
    let fields = named(0, &marked);
    let (first, second) = fields.split_at(MAX_FRAME);
    let wanted = [frame(HEADERS, 1, first), frame(CONTINUATION, 4, second)].concat();
    assert_eq!(followed(&sent, 1_000), wanted);
}

#[test]
fn padding_goes_and_priority_stays() {
    let fields = indexed_name(4, b"/a#b");
    let priority = [0, 0, 0, 3, 16];
    let payload = [&[2][..], &priority, &fields, &[0, 0]].concat();
    let sent = frame(HEADERS, END_HEADERS | PADDED | PRIORITY, &payload);
    let wanted = [&priority[..], &named(0, b"/a^b")].concat();
    let wanted = frame(HEADERS, END_HEADERS | PRIORITY, &wanted);
    assert_eq!(followed(&sent, 3), wanted);
}

#[test]
fn what_needs_no_mark_passes_as_it_is() {
    let mut other = vec![0x40];
    write_string(b"x-note", &mut other);
    write_string(b"/a#b", &mut other);
    for path in [
        vec![0x84],
        vec![0xbe],
        indexed_name(4, b"/a?b=c"),
        huffman(0x44, b"/a/b?c=%20"),
        other,
        // A change of the table's size.
        vec![0x3f, 0xe1, 0x1f],
    ] {
        assert_marked(&path, &path);
    }
}

#[test]
fn what_cannot_be_followed_ends_the_connection() {
    let headers = |payload: &[u8]| frame(HEADERS, END_HEADERS, payload);
    let path = indexed_name(4, b"/a#b");
    let itself = [0x80, 0, 0, 1, 16];
    let mut another = frame(CONTINUATION, END_HEADERS, b"");
    another[8] = 3;
    for sent in [
        headers(&[0x04, 9, b'#']),
        frame(HEADERS, END_HEADERS | PADDED, &[200, 0x04]),
        frame(HEADERS, END_HEADERS | PRIORITY, &[1]),
        frame(HEADERS, END_HEADERS | PRIORITY, &itself),
        frame(PUSH_PROMISE, END_HEADERS, &path),
        frame(CONTINUATION, END_HEADERS, &path),
        [frame(HEADERS, 0, &path), frame(0, 0, b"")].concat(),
        [frame(HEADERS, 0, &path), headers(&path)].concat(),
        [frame(HEADERS, 0, &path), another].concat(),
        frame(HEADERS, 0, &vec![0; MAX_FRAME + 1]),
        [
            frame(HEADERS, 0, &path),
            frame(CONTINUATION, 0, &vec![0; MAX_FRAME]).repeat(5),
        ]
        .concat(),
    ] {
        let before = frame(4, 0, &[0; 6]);
        let released = followed(&[&before[..], &sent, &headers(&path)].concat(), 1_000);
        let released = released.strip_suffix(&REFUSED).expect("the end");
        let begun = released.strip_prefix(&before[..]).expect("all before");
        // At most frames of a block without its end.
        assert!(
            sent.starts_with(begun) && begun != sent,
            "{sent:?}: {begun:?}"
        );
    }
    for sent in [frame(HEADERS, 0, &path), b"\x00\x00".to_vec()] {
        assert_eq!(followed(&sent, 1_000), sent);
    }
}

#[test]
fn few_bytes_are_held_however_many_frames_a_block_has() {
    let (mut paths, mut ready) = (Http2Paths::default(), Vec::new());
    paths.follow(&frame(HEADERS, 0, &[]), &mut ready);
    for _ in 0..100_000 {
        paths.follow(&frame(CONTINUATION, 0, &[]), &mut ready);
        assert!(paths.held.len() <= MAX_BLOCK);
    }
    assert!(ready.ends_with(&REFUSED) && ready.len() <= MAX_BLOCK + HEAD);
    assert_eq!(paths.held, Vec::<u8>::new());
}

proptest! {
    /// Bytes that are no frames, in particular: none is lost before the connection ends, and no cut matters.
    #[test]
    fn a_cut_changes_nothing(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 1..50_usize) {
        let sent = [frame(HEADERS, END_HEADERS, &bytes), frame(0, 0, &bytes), bytes.clone(), bytes].concat();
        let whole = followed(&sent, sent.len());
        prop_assert_eq!(&followed(&sent, cut), &whole);
        if !sent.iter().any(|byte| crate::edge::target::is_never_in_a_uri(*byte) && *byte != b'^') {
            let passed = whole.strip_suffix(&REFUSED).unwrap_or(&whole);
            prop_assert!(sent.starts_with(passed));
        }
    }
}
