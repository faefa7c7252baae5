use proptest::prelude::*;

use super::*;

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
fn what_cannot_be_read_is_left_to_the_library() {
    let headers = |payload: &[u8]| frame(HEADERS, END_HEADERS, payload);
    let path = indexed_name(4, b"/a#b");
    for sent in [
        headers(&[0x04, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff]),
        headers(&[0x04, 9, b'#']),
        headers(&[0x04, 0x82, 0xff, 0xff]),
        frame(HEADERS, END_HEADERS | PADDED, &[200, 0x04]),
        frame(HEADERS, END_HEADERS | PRIORITY, &[1]),
        [frame(HEADERS, 0, &path), frame(0, 0, b""), headers(&path)].concat(),
        [frame(HEADERS, 0, &vec![0; MAX_FRAME + 1]), headers(&path)].concat(),
        [
            frame(HEADERS, 0, &path),
            frame(CONTINUATION, 0, &vec![0; MAX_FRAME]).repeat(9),
        ]
        .concat(),
        frame(HEADERS, 0, &path),
        b"\x00\x00".to_vec(),
    ] {
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
    assert_eq!(ready.len(), 100_001 * HEAD);
}

proptest! {
    /// Bytes that are no frames, in particular: none is lost, and no cut matters.
    #[test]
    fn a_cut_changes_nothing(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 1..50_usize) {
        let sent = [frame(HEADERS, END_HEADERS, &bytes), frame(0, 0, &bytes), bytes.clone(), bytes].concat();
        let whole = followed(&sent, sent.len());
        prop_assert_eq!(&followed(&sent, cut), &whole);
        if !sent.iter().any(|byte| crate::edge::target::is_never_in_a_uri(*byte) && *byte != b'^') {
            prop_assert_eq!(whole, sent);
        }
    }

    #[test]
    fn huffman_coding_is_read_as_it_was_written(value in prop::collection::vec(any::<u8>(), 0..30)) {
        let field = huffman(0x04, &value);
        let read = path(&field).expect("a field");
        prop_assert_eq!(read, (Some(value), field.len()));
    }

    #[test]
    fn integers_are_read_as_they_were_written(length in 0..20_000_usize) {
        let mut text = Vec::new();
        write_string(&vec![0; length], &mut text);
        let (read, before) = integer(&text, 7).expect("an integer");
        prop_assert_eq!((read, text.len()), (length, before + length));
    }
}
