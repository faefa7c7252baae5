use proptest::prelude::*;

use super::*;

fn text(text: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    write_string(text, &mut written);
    written
}

fn huffman(text: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    httlib_huffman::encode(text, &mut coded).expect("bytes");
    let length = u8::try_from(coded.len()).expect("short");
    [vec![0x80 | length], coded].concat()
}

/// A literal whose name is written out.
fn named(first: u8, name: &[u8], value: &[u8]) -> Vec<u8> {
    [vec![first], text(name), text(value)].concat()
}

/// A literal whose name is a reference; `first` has the whole index.
fn referring(first: u8, value: &[u8]) -> Vec<u8> {
    [vec![first], text(value)].concat()
}

const NEWEST: u8 = 0x7e;
const SECOND: u8 = 0x7f;

#[test]
fn a_path_is_known_by_an_index_of_the_dynamic_table() {
    let mut fields = HeaderFields::default();
    let note = named(0x40, b"x-note", b"/a#b");
    let block = [named(0x40, b":path", b"/a"), note].concat();
    assert_eq!(fields.mark(&block), Ok(None));
    assert_eq!(fields.mark(&referring(NEWEST, b"/b#c")), Ok(None));
    let third = [vec![SECOND, 1], text(b"/c#d")].concat();
    let marked = named(0x40, b":path", b"/c^d");
    assert_eq!(fields.mark(&third), Ok(Some(marked)));
    // Huffman coding in name and value; never indexed by the newest entry.
    let coded = [vec![0x40], huffman(b":path"), huffman(b"/a")].concat();
    assert_eq!(fields.mark(&coded), Ok(None));
    let never = [vec![0x1f, 47], huffman(b"/a#b")].concat();
    let marked = named(0x10, b":path", b"/a^b");
    assert_eq!(fields.mark(&never), Ok(Some(marked)));
}

#[test]
fn entries_leave_the_table_as_the_protocol_says() {
    let path = named(0x40, b":path", b"/a");
    let refers = |fields: &mut HeaderFields| fields.mark(&referring(NEWEST, b"/b#c"));
    let marked = Ok(Some(named(0x40, b":path", b"/b^c")));
    // An entry has 32 bytes more than its name and value.
    for (value, is_kept) in [(4_096 - 32 - 1 - 39, true), (4_096 - 32 - 1 - 38, false)] {
        let mut fields = HeaderFields::default();
        let filling = named(0x40, b"x", &vec![b'v'; value]);
        assert_eq!(fields.mark(&[path.clone(), filling].concat()), Ok(None));
        assert_eq!(fields.table.len(), if is_kept { 2 } else { 1 });
    }
    // Too large an entry empties it.
    let mut fields = HeaderFields::default();
    let huge = named(0x40, b"x", &vec![b'v'; 4_096]);
    assert_eq!(fields.mark(&[path.clone(), huge].concat()), Ok(None));
    assert_eq!(refers(&mut fields), Err(Unreadable));
    // To 39 bytes, which is the entry's size, and to 38; more than the library announces.
    for (size, outcome) in [
        (&[0x3f, 8][..], marked),
        (&[0x3f, 7], Err(Unreadable)),
        (&[0x3f, 0xe2, 0x1f], Err(Unreadable)),
    ] {
        let mut fields = HeaderFields::default();
        assert_eq!(fields.mark(&path), Ok(None));
        let resized = fields.mark(size).and_then(|_| refers(&mut fields));
        assert_eq!(resized, outcome);
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_unreadable() {
    let unreadable: [&[u8]; 9] = [
        &named(0x40, b"", b"v"),
        // Padding: a whole byte, zeros, and the code of the string's end.
        &[0x04, 0x81, 0xff],
        &[0x04, 0x81, 0x00],
        &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff],
        &[0x04, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x04, 9, b'#'],
        // Names of entries that are not there.
        &referring(NEWEST, b"v"),
        &[0x0f, 0xff, 0xff, 0x7f, 0],
        &[0x44],
    ];
    for block in unreadable {
        assert_eq!(
            HeaderFields::default().mark(block),
            Err(Unreadable),
            "{block:?}"
        );
    }
}

proptest! {
    #[test]
    fn huffman_coding_is_read_as_it_was_written(value in prop::collection::vec(any::<u8>(), 0..30)) {
        let coded = huffman(&value);
        let read = Text::read(&coded).expect("a string");
        prop_assert_eq!((read.decoded(), read.length), (Some(value), coded.len()));
    }

    #[test]
    fn integers_are_read_as_they_were_written(length in 0..20_000_usize) {
        let text = text(&vec![0; length]);
        let (read, before) = integer(&text, 7).expect("an integer");
        prop_assert_eq!((read, text.len()), (length, before + length));
    }
}
