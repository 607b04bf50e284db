// Checks the gateway with the official client of Socket.IO; see conformance.py.
import assert from "node:assert/strict";
import { io } from "socket.io-client";

const url = process.argv[2];
const TRANSPORTS = { websocket: ["websocket"], polling: ["polling"], upgrade: ["polling", "websocket"] };
const EVENT_ID = 7;
let checks = 0;

/** Waits for one event, for ten seconds. */
function next(emitter, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event}`)), 10_000);
    emitter.once(event, (...values) => {
      clearTimeout(timer);
      resolve(values[0]);
    });
  });
}

/** Connects, runs a check, and disconnects. */
async function check(name, namespace, options, run) {
  const socket = io(url + namespace, { forceNew: true, reconnection: false, ...options });
  try {
    await run(socket);
    checks += 1;
    console.log(`ok ${name}`);
  } finally {
    socket.disconnect();
  }
}

for (const namespace of ["/", "/seats"]) {
  for (const [name, transports] of Object.entries(TRANSPORTS)) {
    const where = `${namespace} ${name}`;
    await check(`${where}: all seats, then changes without a gap`, namespace, { transports }, async (socket) => {
      const first = next(socket, "seat_status_update");
      const changes = [];
      for (const event of ["seat_reserved", "seat_released"]) {
        socket.on(event, (change) => changes.push(change));
      }
      await next(socket, "connect");
      const joined = await socket.timeout(10_000).emitWithAck("join_screening", EVENT_ID);
      let revision = (await first).revision;
      assert.equal(joined.revision, revision);
      while (changes.length < 20) await new Promise((resolve) => setTimeout(resolve, 10));
      for (const change of changes) {
        assert.equal(change.after_revision, revision);
        revision = change.revision;
      }
    });
    await check(`${where}: an id that is none`, namespace, { transports }, async (socket) => {
      socket.emit("join_screening", "x");
      assert.equal((await next(socket, "error")).error, "validation_error");
      const answer = await socket.timeout(10_000).emitWithAck("join_screening", { screening_id: 0 });
      assert.equal(answer.error, "validation_error");
    });
    await check(`${where}: leaving`, namespace, { transports }, async (socket) => {
      await socket.timeout(10_000).emitWithAck("join_screening", EVENT_ID);
      await socket.timeout(10_000).emitWithAck("leave_screening", EVENT_ID);
      let count = 0;
      socket.onAny(() => (count += 1));
      await socket.timeout(10_000).emitWithAck("leave_screening", EVENT_ID);
      assert.equal(count, 0);
    });
    await check(`${where}: a bad token`, namespace, { transports, auth: { token: "x" } }, async (socket) => {
      assert.equal((await next(socket, "connect_error")).message, "invalid_token");
    });
  }
}
await check("a namespace that is none", "/nowhere", {}, async (socket) => {
  await next(socket, "connect_error");
});
await check("a message of 20 KB", "/", { transports: ["websocket"] }, async (socket) => {
  await next(socket, "connect");
  socket.emit("join_screening", "x".repeat(20_000));
  await next(socket, "disconnect");
});
console.log(`${checks} checks`);
process.exit(0);
