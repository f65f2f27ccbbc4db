// Sends requests with the OpenAI JavaScript SDK and says when each thing happened.
//
// One JSON line in, one JSON line out. The first line says where the SDK is and carries the key;
// "send" asks for one request at a time, "interrupt" ends the one in flight; when stdin ends, so
// does this process. Times are process.hrtime in nanoseconds.

import { Console } from "node:console";
import diagnostics from "node:diagnostics_channel";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import readline from "node:readline";
import tls from "node:tls";

globalThis.console = new Console(process.stderr); // stdout is ours alone
const now = () => Number(process.hrtime.bigint());
const HOUR_MS = 3_600_000;

let OpenAI, Agent, key, most;
let live = null; // the marks of the request in flight
let controller = null;
const kept = new Map();

// The Agent of the undici inside Node, whose fetch the SDK uses. Node does not export it, but the
// global dispatcher is one; a separately installed undici need not fit this Node's fetch.
function builtInAgent() {
  new Headers(); // loads undici
  const found = [1, 2, 3].map((n) => globalThis[Symbol.for(`undici.globalDispatcher.${n}`)]);
  return found.find((dispatcher) => dispatcher !== undefined).constructor;
}

// --- Connections: opened here, so that each phase has its mark

function connector(pin, family) {
  return (options, callback) => {
    const marks = live;
    const secure = options.protocol === "https:";
    if (!secure) return callback(new Error("only https:// is spoken: a key goes over TLS"));
    marks.connecting = now();
    marks.phase = pin || net.isIP(options.hostname) ? "tcp" : "dns";
    const socket = (secure ? tls : net).connect({
      host: pin?.host ?? options.hostname,
      port: pin?.port ?? (options.port || (secure ? 443 : 80)),
      servername: net.isIP(options.hostname) ? "" : options.hostname,
      ALPNProtocols: ["http/1.1"],
      family,
      highWaterMark: 16384,
    });
    socket.setNoDelay(true);
    marks.opening = socket;
    const reach = (mark, phase) => (marks[mark] = now()) && (marks.phase = phase);
    socket.once("lookup", (error) => error || reach("lookup", "tcp"));
    socket.once("connect", () => reach("connect", "tls"));
    socket.once("error", (error) => callback?.(error));
    socket.once(secure ? "secureConnect" : "connect", () => {
      reach("secure", "send");
      const done = callback;
      callback = null; // later errors are undici's business
      done(null, socket);
    });
  };
}

function newSeat({ base, pin, family }) {
  const agent = new Agent({
    connect: connector(pin, family),
    connections: 1,
    pipelining: 1,
    keepAliveTimeout: HOUR_MS, // undici's own 4 s would re-open connections between rounds
    keepAliveMaxTimeout: HOUR_MS,
    headersTimeout: 0, // one deadline for the whole request is kept below
    bodyTimeout: 0,
  });
  const client = new OpenAI({
    apiKey: key ?? "none",
    baseURL: base,
    organization: null,
    project: null,
    maxRetries: 0,
    timeout: HOUR_MS,
    logLevel: "off",
    defaultHeaders: { "accept-encoding": "identity" },
    fetch: (url, init) => tapped(agent, url, init),
  });
  return { agent, client };
}

function seatFor(asked) {
  if (asked.cold) return newSeat(asked);
  const name = JSON.stringify([asked.endpoint, asked.base]);
  if (!kept.has(name)) kept.set(name, newSeat(asked));
  return kept.get(name);
}

function forget(seat) {
  seat.agent.destroy().catch(() => {});
  live.opening?.destroy();
  for (const [name, other] of kept) if (other === seat) kept.delete(name);
}

// --- The tap: every byte goes through and is kept, with the time at which fetch gave it

async function tapped(agent, url, init) {
  const response = await fetch(url, { ...init, dispatcher: agent, redirect: "manual" });
  live.status = response.status;
  live.headers = Object.fromEntries(response.headers);
  live.given = now();
  live.phase = "body";
  live.complete = response.body === null;
  if (live.complete) return response;
  const bytes = keptBytes(response.body, live);
  if (response.ok && (live.headers["content-type"] ?? "").startsWith("text/event-stream")) {
    response.body[Symbol.asyncIterator] = () => bytes;
    return response;
  }
  const body = [];
  for await (const piece of bytes) body.push(piece);
  return new Response(Buffer.concat(body), { status: response.status, headers: response.headers });
}

async function* keptBytes(body, marks) {
  let size = 0;
  for await (const piece of body.values()) {
    size += piece.length;
    if (size > most) throw Object.assign(new Error(`a body of more than ${most} bytes`), { code: "TOO_LARGE" });
    marks.pieces.push([now(), piece]);
    yield piece;
  }
  marks.complete = true;
}

diagnostics.subscribe("undici:client:sendHeaders", ({ socket }) => {
  if (live === null) return;
  live.sent = now();
  live.phase = "ttfb";
  live.peer = socket.remoteAddress;
  live.tls = socket.getProtocol?.();
});
diagnostics.subscribe("undici:request:bodySent", () => live && (live.sent = now()));
diagnostics.subscribe("undici:request:headers", () => live && (live.head ??= now()));

// --- One request

async function call(client, asked, signal) {
  const options = { signal };
  if (!asked.key) options.headers = { Authorization: null };
  if (asked.kind === "chat") return client.chat.completions.create(asked.body, options);
  if (asked.kind === "responses") return client.responses.create(asked.body, options);
  return client.models.list(options);
}

async function send(asked) {
  const seat = seatFor(asked);
  controller = new AbortController();
  const marks = { pieces: [], events: [], phase: "send", complete: false };
  live = marks;
  const timer = setTimeout(() => controller.abort("deadline"), asked.timeout_ms);
  marks.began = now();
  try {
    const answer = await call(seat.client, asked, controller.signal);
    if (asked.stream) for await (const _ of answer) marks.events.push(now());
  } catch (error) {
    marks.error = described(error);
  }
  marks.ended = now();
  clearTimeout(timer);
  if (controller.signal.aborted) marks.aborted = controller.signal.reason;
  if (asked.cold || !marks.complete) forget(seat);
  live = controller = null;
  return told(marks);
}

// What the SDK threw and what it wrapped: system's, undici's and the parser's codes stand deepest.
function described(error) {
  const links = [];
  for (let link = error; link instanceof Object && links.length < 8; link = link.cause) links.push(link);
  const root = links.at(-1);
  const code = links.map((link) => link.code).findLast((found) => typeof found === "string");
  return { code, name: root?.name, message: String(root?.message ?? error) };
}

function told({ opening, pieces, ...marks }) {
  return { ...marks, pieces: pieces.map(([at, piece]) => [at, Buffer.from(piece).toString("base64")]) };
}

// --- The conversation with the parent

function hello({ modules, secret, max_body }) {
  const require = createRequire(path.join(modules, "from-here.js"));
  const found = require("openai");
  OpenAI = found.OpenAI ?? found.default ?? found;
  Agent = builtInAgent();
  key = secret;
  most = max_body;
  return { ready: true, node: process.version, undici: process.versions.undici };
}

const answers = { hello, send };
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

readline
  .createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const message = JSON.parse(line);
    if (message.op === "interrupt") return controller?.abort("interrupt");
    try {
      say(await answers[message.op](message));
    } catch (error) {
      say({ failed: described(error) });
    }
  })
  .on("close", () => process.exit(0));
