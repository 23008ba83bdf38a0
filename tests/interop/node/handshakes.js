// Connects by libdatachannel as often as asked, and prints how each attempt ended: the last state of the connection, or
// the refusal. Arguments: a JSON object with endpoint, token and times.
import rtc from "node-datachannel";
import { offerOf, openPeer } from "./libdatachannel.js";
import { publish } from "./whip.js";

const { endpoint, token, times } = JSON.parse(process.argv[2] ?? "{}");
const PATIENCE_MS = 12_000;

/** @param {number} number */
async function attempt(number) {
  const { peer, tracks } = openPeer(`p${number}`);
  const settled = new Promise((resolve) =>
    peer.onStateChange((state) => ["connected", "failed", "closed"].includes(state) && resolve(state)),
  );
  const session = await publish(endpoint, token, await offerOf(peer));
  peer.setRemoteDescription(session.sdp, "answer");
  const state = await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, "timeout"))]);
  await session.leave();
  for (const track of tracks) track.close();
  peer.close();
  return state;
}

for (let number = 0; number < times; number += 1) {
  const state = await attempt(number).catch((/** @type {Error} */ error) => error.message);
  process.stdout.write(`${state}\n`);
}
rtc.cleanup();
process.exit(0);
