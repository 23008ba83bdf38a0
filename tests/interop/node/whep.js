/** A WHEP server of Meetecho's in front of a mount point of Janus' streaming plug-in: `node whep.js '{"address": ..., ...}'`. */

import { JanusWhepServer } from "janus-whep-server";

/** @type {{ address: string, port: number, mountpoint: number, token: string }} */
const { address, port, mountpoint, token } = JSON.parse(process.argv[2] ?? "{}");
const server = new JanusWhepServer({ janus: { address }, rest: { port, basePath: "/whep" } });
await server.start();
server.createEndpoint({ id: "board", mountpoint, token });
process.stdout.write("ready\n");
process.stdin.on("end", () => process.exit(0)).resume();
