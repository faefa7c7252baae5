use proptest::prelude::*;

use super::*;

fn scanned(input: &[u8], cut: usize) -> (String, Scanner) {
    let mut scanner = Scanner::new();
    let mut output = input.to_vec();
    for piece in output.chunks_mut(cut.max(1)) {
        let _ = scanner.scan(piece);
    }
    (
        String::from_utf8(output).expect("marked bytes are ASCII"),
        scanner,
    )
}

fn assert_scanned(input: &[u8], expected: &str) {
    for cut in [1, 2, 3, 7, 4_096] {
        assert_eq!(scanned(input, cut).0, expected, "in pieces of {cut}");
    }
}

#[test]
fn illegal_bytes_in_a_target_are_marked() {
    assert_scanned(
        b"GET /a#b?c\"\x80\x01 HTTP/1.1\r\nhost: a#b\r\n\r\n",
        "GET /a^b?c^^^ HTTP/1.1\r\nhost: a#b\r\n\r\n",
    );
    assert_scanned(
        b"\r\n\r\nPUT #x HTTP/1.1\r\nA:b\r\n\r\n",
        "\r\n\r\nPUT ^x HTTP/1.1\r\nA:b\r\n\r\n",
    );
    assert_scanned(b"PRI /#x HTTP/1.1\r\n\r\n", "PRI /^x HTTP/1.1\r\n\r\n");
}

#[test]
fn a_bare_line_feed_in_a_head_is_marked() {
    for (input, expected) in [
        (
            "GET / HTTP/1.1\nA: b\r\n\r\n",
            "GET / HTTP/1.1\0A: b\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\0C: d\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nA: b\r\n\n",
            "GET / HTTP/1.1\r\nA: b\r\n\0",
        ),
        (
            "GET / HTTP/1.1\r\nA\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
        ),
        ("GET /\nHTTP/1.1\r\n\r\n", "GET /\0HTTP/1.1\r\n\r\n"),
        ("\nGET / HTTP/1.1\r\n\r\n", "\0GET / HTTP/1.1\r\n\r\n"),
        (
            "PUT / HTTP/1.1\r\ncontent-length: 1\n\r\nx",
            "PUT / HTTP/1.1\r\ncontent-length: 1\0\r\nx",
        ),
    ] {
        assert_scanned(input.as_bytes(), expected);
    }
    let body = "PUT / HTTP/1.1\r\ncontent-length: 4\r\n\r\na\nb\nGET / HTTP/1.1\r\n\r\n";
    assert_scanned(body.as_bytes(), body);
}

#[test]
fn a_bare_line_feed_in_chunk_sizes_and_trailers_is_marked() {
    const HEAD: &str = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    for (input, expected) in [
        ("1\nx\r\n0\r\n\r\n", "1\0x\r\n0\r\n\r\n"),
        // The library itself refuses this.
        ("1;a\nx\r\n0\r\n\r\n", "1;a\nx\r\n0\r\n\r\n"),
        ("0 \n\r\n", "0 \n\r\n"),
        (
            "0\r\n\nGET /#x HTTP/1.1\r\n\r\n",
            "0\r\n\0GET /#x HTTP/1.1\r\n\r\n",
        ),
        ("0\r\na: b\n\r\n", "0\r\na: b\0\r\n"),
        ("0\r\na: b\r\n\n", "0\r\na: b\r\n\0"),
    ] {
        assert_scanned(
            format!("{HEAD}{input}").as_bytes(),
            &format!("{HEAD}{expected}"),
        );
    }
    let whole = format!("{HEAD}1;a=b\r\n\n\r\n0\r\na: b\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    assert_scanned(whole.as_bytes(), &whole);
}

#[test]
fn it_says_where_the_library_refuses_a_head() {
    const CHUNKED: &str = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    for (good, rest) in [
        ("GET / HTTP/1.1\r\nA: b\r\n\n", ""),
        ("GET / HTTP/1.1\n", "A: b\r\n\r\n"),
        ("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\n", "GET"),
        ("GET /\r\n", ""),
        ("GET\r\n", "A: b"),
        ("PUT / HTTP/1.1\r\ncontent-length: +", "1\r\n\r\n"),
        (&format!("{CHUNKED}0\r\na: b\r\n\n"), "x"),
        (&format!("{CHUNKED}0;a\n"), "\r\n"),
    ] {
        let mut bytes = [good, rest].concat().into_bytes();
        let mut scanner = Scanner::new();
        assert_eq!(scanner.scan(&mut bytes), Some(good.len()), "{good:?}");
        let mut one_by_one = Scanner::new();
        let mut bytes = [good, rest].concat().into_bytes();
        let found = bytes.iter_mut().position(|byte| {
            let byte = std::slice::from_mut(byte);
            one_by_one.scan(byte).is_some()
        });
        assert_eq!(found, Some(good.len() - 1), "{good:?}");
    }
    for fine in [
        "GET / HTTP/1.1\r\nA: b\r\n\r\n",
        "PUT / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\n",
    ] {
        let mut bytes = fine.as_bytes().to_vec();
        assert_eq!(Scanner::new().scan(&mut bytes), None, "{fine:?}");
    }
}

#[test]
fn every_pipelined_request_is_looked_at() {
    assert_scanned(
        b"POST /#1 HTTP/1.1\r\nContent-Length: 4\r\n\r\n#\n#\nGET /#2 HTTP/1.1\r\n\r\nGET /#3 HTTP/1.1\r\n\r\n",
        "POST /^1 HTTP/1.1\r\nContent-Length: 4\r\n\r\n#\n#\nGET /^2 HTTP/1.1\r\n\r\nGET /^3 HTTP/1.1\r\n\r\n",
    );
}

#[test]
fn a_body_is_never_touched() {
    let line = "GET /#x HTTP/1.1\r\n\r\n";
    let length = line.len();
    for head in [
        format!("PUT / HTTP/1.1\r\nconTENT-length:{length} \r\nA: b\r\n\r\n{line}"),
        format!(
            "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{line}\r\n0\r\n\r\n"
        ),
        format!(
            "PUT / HTTP/1.1\r\ntransfer-encoding:chunked\r\n\r\n\
             2\r\nA#\r\n{length:X} ;x=\"#\"\r\n{line}\r\n0\r\nGET /#t: HTTP/1.1\r\n\r\n"
        ),
    ] {
        assert_scanned(
            format!("{head}GET /#y HTTP/1.1\r\n\r\n").as_bytes(),
            &format!("{head}GET /^y HTTP/1.1\r\n\r\n"),
        );
    }
}

#[test]
fn a_length_said_twice_is_marked() {
    assert_scanned(
        b"PUT / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "PUT / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encodin!: chunked\r\n\r\n0\r\n\r\n",
    );
    assert_scanned(
        b"PUT / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\nCONTENT-LENGTH: 5\r\n\r\n0\r\n\r\n",
        "PUT / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\nCONTENT-LENGT!: 5\r\n\r\n0\r\n\r\n",
    );
    assert_scanned(
        b"PUT / HTTP/1.1\r\nContent-Length: 1\r\na: b\r\ncontent-length: 1\r\n\r\nx",
        "PUT / HTTP/1.1\r\nContent-Length: 1\r\na: b\r\ncontent-lengt!: 1\r\n\r\nx",
    );
}

#[test]
fn http_2_is_not_looked_at() {
    let connection = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /#x HTTP/1.1\r\n";
    assert_scanned(connection.as_bytes(), connection);
}

#[test]
fn heads_and_their_ends_are_known() {
    for (input, in_head, between) in [
        ("", false, true),
        ("P", true, false),
        ("GET / HT", true, false),
        ("GET / HTTP/1.1\r\n", true, false),
        ("GET / HTTP/1.1\r\na: b\r\n", true, false),
        ("GET / HTTP/1.1\r\n\r", true, false),
        ("GET / HTTP/1.1\r\n\r\n", false, true),
        ("PUT / HTTP/1.1\r\ncontent-length: 2\r\n\r\nx", false, false),
        ("PUT / HTTP/1.1\r\ncontent-length: 2\r\n\r\nxx", false, true),
        (
            "PUT / HTTP/1.1\r\ncontent-length: 2\r\n\r\nxxG",
            true,
            false,
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false, false),
    ] {
        let scanner = scanned(input.as_bytes(), 1).1;
        assert_eq!(
            (scanner.is_in_head(), scanner.is_between_requests()),
            (in_head, between),
            "`{input}`"
        );
    }
}

proptest! {
    #[test]
    fn how_the_bytes_are_cut_changes_nothing(
        input in "((GET|PRI|PUT) /[a#\"]{0,3} HTTP/1.1\r\n(content-length: [0-9]\r\n|transfer-encoding: chunked\r\n)?\r\n([0-3a]\r\n[#x]{0,3}\r\n)?){0,4}",
        cut in 1_usize..9,
    ) {
        prop_assert_eq!(scanned(input.as_bytes(), cut).0, scanned(input.as_bytes(), usize::MAX).0);
    }
}
