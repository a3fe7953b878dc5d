// What the server is asked. Errors are a `Problem`, with a word for what it is and a sentence.

export class Problem extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

// The session: what is open, which models there are.
export async function begin(token) {
  return (await asked("/api/session", { method: "POST", body: JSON.stringify({ token }) })).json();
}

export async function alive() {
  await asked("/api/alive");
}

// A picture and what its photograph now is: {document, url}. The URL is of a blob.
export async function picture(path, side, { method = "POST", body, ...words } = {}) {
  const answer = await asked(`${path}?${new URLSearchParams({ side, ...words })}`, { method, body });
  const { document, jpeg } = parted(new Uint8Array(await answer.arrayBuffer()));
  return { document, url: URL.createObjectURL(new Blob([jpeg], { type: "image/jpeg" })) };
}

export async function json(path, how) {
  return (await asked(path, how)).json();
}

export async function remove(path) {
  await asked(path, { method: "DELETE" });
}

export async function image(path) {
  return URL.createObjectURL(await (await asked(path)).blob());
}

// A line of JSON, then the picture.
export function parted(bytes) {
  const end = bytes.indexOf(10);
  return { document: JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))), jpeg: bytes.subarray(end + 1) };
}

async function asked(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Problem("network", "The server does not answer.");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Problem(told.code || "error", told.error || `The server has failed (${answer.status}).`);
}
