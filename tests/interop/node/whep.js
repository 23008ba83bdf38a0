/** A WHEP server of Meetecho's in front of a mount point of Janus' streaming plug-in: `node whep.js '{"address": ..., ...}'`. */

import { register } from "node:module";

// Janode's transport over Unix sockets is a native module that is not built here; WebSockets need none of it.
const hook = `export const resolve = async (name, context, next) =>
  name === "unix-dgram" ? { url: "data:text/javascript,export const createSocket = null", shortCircuit: true } : next(name, context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
const { JanusWhepServer } = await import("janus-whep-server");

/** @type {{ address: string, port: number, mountpoint: number, token: string }} */
const { address, port, mountpoint, token } = JSON.parse(process.argv[2] ?? "{}");
const server = new JanusWhepServer({ janus: { address }, rest: { port, basePath: "/whep" } });
await server.start();
// It takes every Janus of 1.x for one that answers offers; the streaming plug-in of 1.1.2 makes one of its own instead,
// which it would hand on as an answer.
server.multistream = false;
server.createEndpoint({ id: "board", mountpoint, token });
process.stdout.write("ready\n");
process.stdin.on("end", () => process.exit(0)).resume();
