/** A WHIP client (RFC 9725) around any peer: its offer goes out, and the session ends when asked to. */

/**
 * Sends an offer.
 * @param {string} endpoint
 * @param {string} token
 * @param {string} offer
 * @returns {Promise<{ sdp: string, leave: () => Promise<unknown> }>} the answer, and what ends the session
 */
export async function publish(endpoint, token, offer) {
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(endpoint, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/sdp" },
    body: offer,
  });
  if (answer.status !== 201) throw new Error(`refused: ${answer.status} ${await answer.text()}`);
  const session = new URL(answer.headers.get("Location") ?? "", endpoint);
  return { sdp: await answer.text(), leave: () => fetch(session, { method: "DELETE", headers }) };
}

/** Says that the connection stands, and waits until a line comes in or the input ends. */
export async function connectedUntilTold() {
  process.stdout.write("connected\n");
  await new Promise((resolve) => {
    process.stdin.once("data", resolve);
    process.stdin.once("end", resolve);
  });
}
