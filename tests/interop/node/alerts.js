// A client of the alerts socket (ws): prints each message, and at last `close CODE`. Arguments: address, what to do (see below), a
// token, and how long a stalled client reads nothing, in milliseconds.
import { once } from "node:events";
import { WebSocket } from "ws";

const [address = "", act = "", token = "", pauseMs = "0"] = process.argv.slice(2);
const subprotocols = act === "other-subprotocol" ? ["foo", "bar"] : ["sidewitness.alerts.v1"];
const options = { rejectUnauthorized: false };
const socket = new WebSocket(address, subprotocols, options);
const print = (/** @type {string} */ line) => process.stdout.write(`${line}\n`);
let messages = 0;
socket.on("message", (data) => {
  messages += 1;
  if (act !== "stall") print(String(data));
  if (act === "ping" && messages === 2) socket.close();
});
socket.on("error", (error) => print(`error ${error.message}`));
socket.on("close", (code) => print(`close ${code}`));
await once(socket, "open");
if (act === "nonsense") socket.send("nonsense");
if (act === "ping" || act === "stall") {
  socket.send(JSON.stringify({ type: "subscribe", token, after: null, states: act === "stall" }));
}
if (act === "ping") {
  socket.send('{"type":"ping"}');
}
if (act === "stall") {
  await once(socket, "message");
  socket.pause();
  print("stalled");
  setTimeout(() => socket.resume(), Number(pauseMs));
}
