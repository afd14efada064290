// Requests to the server.

// Raises an error with a text for the person; 409, a change of an old version, is an answer.
export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error(
      "The program does not answer. Start it again with the same command, and open the address " +
        "that it prints; what is saved is kept.",
    );
  }
  if (!answer.ok && answer.status !== 409) throw new Error(await answer.text());
  return answer;
}

// The class ids of "mask/<rank>" or "proposal/<rank>", a byte for each pixel.
export const classIds = async (path) => new Uint8Array(await (await ask(path)).arrayBuffer());

// Changes an image with `ids`, or null to leave its mask, and gives the answer's status.
export async function change(image, action, ids) {
  const answer = await ask(`decide/${image.rank}?action=${action}&version=${image.version}`, {
    method: "POST",
    body: ids,
  });
  Object.assign(image, await answer.json());
  return answer.status;
}
