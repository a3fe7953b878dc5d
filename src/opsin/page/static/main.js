// The page: what the user does becomes a change, and its answer becomes the picture.

import { Answers } from "./answers.js";
import { Newest } from "./newest.js";
import { Job } from "./job.js";
import { within } from "./geometry.js";
import { wire } from "./controls.js";
import * as panel from "./panel.js";
import * as server from "./server.js";
import { Stage } from "./stage.js";
import { choose, failure, translate, word } from "./words.js";

const LIVE = 1400; // pixels of the longer side while something changes,
const SHARP = 4000; // and once it rests, where the photograph is looked at closely
const REST = 400; // milliseconds
const ENDING = ["network", "session", "many", "full"];
const AT_ONCE = ["points", "vividness", "strength", "matching"];
const SIGN = 4 * 60_000; // between signs that the page is open
const get = (id) => document.getElementById(id);

const page = { photographs: [], models: [], limits: {}, current: null, thumbnails: {} };
let place = null; // that is asked for: {x, y}
let selected = null; // number of the point whose color is chosen
let suggestions = [];
let side = 0; // of the picture that is shown
let resting = 0;
let retry = null;
let busy = 0;

const stage = new Stage({
  place: (at) => ask(at),
  select: (index) => select(index),
  move: (index, at, gesture) => movePoint(index, at, gesture),
  view: () => rest(),
});
const changes = new Newest(send);
const answers = new Answers(get("answers"), (answer) => change({ answer }));
const job = new Job(tried);
const path = (id = page.current) => `/api/photographs/${id}`;
const photo = () => page.photographs.find((one) => one.id === page.current);

wire({
  photo, stage, change, open, load, close, step, beside, color, nudge, confidence, language, again, several, job,
  dismiss: () => say(""),
  remove: () => selected !== null && removePoint(selected),
  ask: () => place && ask(place),
  forget: () => { forget(); draw(); },
  pointName: () => `color-${selected}`,
});
const begun = start();

async function start() {
  choose([localStorage.getItem("language"), ...navigator.languages].filter(Boolean));
  translate(document);
  const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
  if (token) history.replaceState(null, "", "/"); // not to be seen, nor kept as a bookmark
  await tried(async () => {
    Object.assign(page, await server.begin(token));
    job.take(page.job);
    for (const one of page.photographs.filter((one) => one.width)) thumbnail(one.id);
    const last = sessionStorage.getItem("current");
    const first = page.photographs.find((one) => one.id === last) || page.photographs[0];
    if (first) await show(first.id);
    setInterval(() => tried(server.alive), SIGN);
  });
}

// Photographs ------------------------------------------------------------------------------------

async function open(files, damaged = false) {
  await begun; // what is dropped at once waits for its session
  const failures = [], torn = [];
  let over = false; // what has failed would fail for the others, too
  for (const [index, file] of files.entries()) {
    say(word("opening", { name: file.name, number: index + 1, count: files.length }), null, "told");
    await tried(() => openOne(file, damaged), {
      name: file.name,
      failed: (text, code) => {
        failures.push(text);
        if (code === "damaged") torn.push(file);
        over = ENDING.includes(code);
      },
    });
    const left = files.slice(index + 1).map((one) => one.name);
    if (over && left.length) failures.push(word("notOpened", { names: left.join(", ") }));
    if (over) break;
  }
  say(failures.join("\n"), torn.length ? () => open(torn, true) : null);
}

async function openOne(file, damaged) {
  if (file.size > page.limits.upload) throw new server.Problem("large", "");
  const words = { name: file.name, ...(damaged && { damaged: 1 }) };
  const answer = await server.picture("/api/photographs", LIVE, { body: file, ...words });
  await changes.idle(); // what waits is for the photograph before
  page.photographs.push(answer.document);
  turnTo(answer.document.id);
  got(answer, LIVE);
  before();
  thumbnail(answer.document.id);
}

async function show(id) {
  await changes.idle();
  turnTo(id);
  await tried(async () => {
    const wanted = LIVE;
    got(await server.picture(path(id), wanted, { method: "GET" }), wanted);
    before();
    if (!page.thumbnails[id]) thumbnail(id);
  });
}

function turnTo(id) {
  page.current = id;
  sessionStorage.setItem("current", id || "");
  forget();
  answers.forget();
  get("start").hidden = Boolean(id);
  get("work").hidden = !id;
  if (!id) return tabs();
  stage.show(photo());
  draw();
}

async function close() {
  const id = page.current, at = page.photographs.indexOf(photo());
  if (!confirm(word("closing", { name: photo().name }))) return;
  await changes.idle();
  await tried(async () => {
    await server.remove(path(id));
    page.photographs.splice(at, 1);
    const next = page.photographs[Math.min(at, page.photographs.length - 1)];
    if (next) await show(next.id);
    else turnTo(null);
  });
}

function beside(by) {
  const at = page.photographs.indexOf(photo()) + by;
  if (page.photographs[at]) show(page.photographs[at].id);
}

async function thumbnail(id) {
  const url = await server.image(`${path(id)}/thumbnail`).catch(() => "");
  if (!url) return;
  page.thumbnails[id] = url;
  tabs();
}

// Changes ----------------------------------------------------------------------------------------

// Asks for what is new; of changes that come while one is under way the newest of each kind counts.
function change(what) {
  if (!photo()) return;
  Object.assign(photo(), atOnce(what));
  const instead = what.palette ? { answer: null } : what.answer ? { palette: null, strength: null } : {};
  tried(() => changes.ask({ act: "change", gesture: "", ...instead, ...what }));
  draw();
}

// Of what is asked for, that which is seen before it is answered.
function atOnce(what) {
  return Object.fromEntries(AT_ONCE.filter((key) => what && what[key] != null).map((key) => [key, what[key]]));
}

async function send({ act, file, ...what }) {
  const wanted = Math.min(LIVE, stage.side(LIVE)), id = page.current;
  const body = file || JSON.stringify(what);
  const answer = await server.picture(`${path(id)}/${act}`, wanted, { body, ...(file && { name: file.name }) });
  if (id === page.current) got(answer, wanted);
}

async function step(act) {
  await changes.idle();
  forget();
  await tried(() => changes.ask({ act }));
}

async function load(act, file) {
  if (!file || !photo()) return;
  await changes.idle();
  await tried(() => changes.ask({ act, file }), { name: file.name });
}

// The picture that was asked for, and what its photograph now is.
function got({ document, url }, wanted) {
  const at = page.photographs.findIndex((one) => one.id === document.id);
  page.photographs[at] = { ...document, ...atOnce(changes.waiting) }; // what waits is newer than the answer
  side = wanted;
  stage.measure(document);
  stage.put(stage.after, url);
  stage.after.alt = document.name;
  if (get("confidence").checked) confidence();
  draw();
  if (job.now.made) job.look();
  rest();
}

async function before() {
  const id = page.current;
  const url = await server.image(`${path(id)}/before?side=${LIVE}`).catch(() => "");
  if (id === page.current) stage.put(stage.before, url);
}

async function confidence() {
  const id = page.current, wanted = get("confidence").checked;
  stage.sure.hidden = !wanted;
  if (!wanted) return;
  await tried(async () => {
    const url = await server.image(`${path(id)}/confidence?side=${LIVE}`);
    if (id === page.current) stage.put(stage.sure, url);
  });
}

// Once nothing moves for a while, the picture as sharp as it is looked at.
function rest() {
  clearTimeout(resting);
  const id = page.current, wanted = stage.side(SHARP);
  if (!id || wanted <= Math.max(side, LIVE)) return;
  resting = setTimeout(() => tried(async () => {
    if (changes.running) return rest();
    const answer = await server.picture(path(id), wanted, { method: "GET" });
    if (id === page.current && !changes.running) got(answer, wanted);
  }), REST);
}

// Other answers, as the photograph is now.
async function several() {
  await changes.idle();
  await tried(() => answers.ask(photo()));
}

// Points -----------------------------------------------------------------------------------------

async function ask(at) {
  place = at;
  selected = null;
  suggestions = [];
  draw();
  await suggest(at);
}

async function suggest({ x, y }) {
  const id = page.current;
  await tried(async () => {
    const found = (await server.json(`${path(id)}/suggest?${new URLSearchParams({ x, y })}`)).colors;
    const now = selected === null ? place : point(selected);
    if (id !== page.current || !now || now.x !== x || now.y !== y) return;
    suggestions = found;
    draw();
  });
}

function point(index) {
  const found = photo().points[index];
  return found && { x: found[0], y: found[1] };
}

function select(index) {
  if (!photo().points[index]) return;
  place = null;
  selected = index;
  suggestions = [];
  draw();
  suggest(point(index));
}

function color(value, gesture = "") {
  const points = [...photo().points];
  if (selected === null && place) {
    selected = points.length;
    points.push([place.x, place.y, value]);
    place = null;
  } else if (selected !== null) points[selected] = [...points[selected].slice(0, 2), value];
  else return;
  change({ points, gesture });
}

function movePoint(index, at, gesture) {
  const points = [...photo().points];
  points[index] = [at.x, at.y, points[index][2]];
  place = null;
  selected = index;
  change({ points, gesture });
}

function removePoint(index) {
  const points = photo().points.filter((_, at) => at !== index);
  forget();
  change({ points });
}

function forget() {
  place = selected = null;
  suggestions = [];
}

// Keys: the place that is asked for, or the point that is selected, goes by a hundredth.
function nudge(dx, dy) {
  const by = Math.max(photo().width, photo().height) / 100;
  const from = selected !== null ? point(selected) : place || { x: photo().width / 2, y: photo().height / 2 };
  const to = within({ x: from.x + dx * by, y: from.y + dy * by }, photo());
  if (selected !== null) movePoint(selected, to, `nudge-${selected}-${photo().points[selected][2]}`);
  else {
    place = to;
    suggestions = [];
    draw();
  }
}

// What is seen -----------------------------------------------------------------------------------

function draw() {
  const now = photo();
  if (!now) return tabs();
  if (selected !== null && !now.points[selected]) forget();
  panel.show(now, page.models, selected, {
    select,
    remove: removePoint,
    unpick: (value) => change({ palette: now.palette.colors.filter((one) => one !== value) }),
  });
  answers.draw(now);
  if (now.width) stage.mark(now.points, place, selected);
  if (place || selected !== null) {
    panel.showSwatches(suggestions, selected === null ? null : now.points[selected][2], color);
  } else panel.noPlace();
  tabs();
}

function tabs() {
  panel.showTabs(page.photographs, page.current, page.thumbnails, show);
}

function say(text, again = null, kind = "error") {
  get("message").hidden = !text;
  get("message").className = kind;
  get("message").firstElementChild.textContent = text;
  get("allthesame").hidden = !again;
  retry = again;
}

// Does something; what goes wrong is said on the page, or told to `failed` with its code.
async function tried(act, { name = "", failed = (text) => say(text) } = {}) {
  get("busy").hidden = ++busy === 0;
  try {
    await act();
  } catch (error) {
    if (!(error instanceof server.Problem)) throw error;
    failed(failure(error, name), error.code);
    if (error.code !== "network" && photo()) restore();
  } finally {
    get("busy").hidden = --busy === 0;
  }
}

function again() {
  const act = retry;
  say("");
  if (act) act();
}

function language() {
  localStorage.setItem("language", choose([document.documentElement.lang === "de" ? "en" : "de"]));
  translate(document);
  job.draw();
  draw();
}

// What the server has, after something that it has refused.
async function restore() {
  const id = page.current;
  const answer = await server.picture(path(id), LIVE, { method: "GET" }).catch(() => null);
  if (answer && id === page.current) got(answer, LIVE);
}
