/** Server-sent events of an answer (HTML Living Standard section 9.2), as they come. */

/**
 * @param {Response} response
 * @returns {AsyncGenerator<{event: string, data: string}>}
 */
export async function* events(response) {
  if (response.body === null) {
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      return;
    }
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      yield event(block);
    }
  }
}

/** @param {string} block */
function event(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [field, ...value] = line.split(": ");
    if (field === "event") {
      name = value.join(": ");
    } else if (field === "data") {
      data.push(value.join(": "));
    }
  }
  return { event: name, data: data.join("\n") };
}
