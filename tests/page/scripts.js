// Run by test_scripts.py: what goes wrong is an exception.

import assert from "node:assert/strict";
import { fitted, kept, moved, resized, sideFor, toPhoto, within, zoomed } from "./geometry.js";
import { meaning } from "./keys.js";
import { Newest } from "./newest.js";
import { parted } from "./server.js";
import { choose, failure, told, word } from "./words.js";

const photo = { width: 4000, height: 3000 }, stage = { width: 800, height: 800 };
const close = (one, other) => assert.ok(Math.abs(one - other) < 1e-6, `${one} is not ${other}`);

// Seen whole, in the middle.
const whole = fitted(photo, stage);
assert.deepEqual(whole, { x: 0, y: 100, scale: 0.2 });
assert.deepEqual(toPhoto(whole, { x: 0, y: 100 }, photo), { x: 0, y: 0 });
assert.equal(toPhoto(whole, { x: 10, y: 99 }, photo), null);
assert.equal(toPhoto(whole, { x: 800, y: 300 }, photo), null);

// What lies below the finger stays there, unless a gap would be seen.
const at = { x: 300, y: 420 }, near = zoomed(whole, 4, at, photo, stage);
close(near.scale, 0.8);
const before = toPhoto(whole, at, photo), after = toPhoto(near, at, photo);
close(before.x, after.x);
close(before.y, after.y);
close(zoomed(near, 1 / 100, at, photo, stage).scale, whole.scale);
close(zoomed(near, 1e6, at, photo, stage).scale, 8);
const corner = moved(near, 1e5, 1e5, photo, stage);
assert.deepEqual([corner.x, corner.y], [0, 0]);
const other = moved(near, -1e5, -1e5, photo, stage);
assert.deepEqual([other.x, other.y], [800 - 3200, 800 - 2400]);
close(moved(near, 7, -9, photo, stage).x, near.x + 7);
close(kept({ x: 5, y: 5, scale: 0.1 }, photo, stage).x, 200);
assert.deepEqual(within({ x: -3, y: 99999 }, photo), { x: 0, y: 2999 });

// A stage of another size.
const less = { width: 800, height: 300 }, more = { width: 1600, height: 1600 };
assert.deepEqual(resized(whole, photo, stage, less), fitted(photo, less));
assert.deepEqual(resized(whole, photo, stage, more), fitted(photo, more));
close(resized(near, photo, stage, less).scale, near.scale);
assert.deepEqual(resized(zoomed(whole, 1.5, at, photo, stage), photo, stage, more), fitted(photo, more));

// No more pixels than are seen, nor than there are.
assert.equal(sideFor(whole, photo, 1, 1400), 800);
assert.equal(sideFor(whole, photo, 2, 1400), 1400);
assert.equal(sideFor(near, photo, 1, 4000), 3200);
assert.equal(sideFor({ scale: 8 }, { width: 500, height: 300 }, 2, 4000), 600);

// One request at a time; the newest of each word wins, and a failure keeps nothing back.
const asked = [], ends = [];
const changes = new Newest((change) => new Promise((done, fail) => { asked.push(change); ends.push({ done, fail }); }));
const all = changes.ask({ vividness: 0.1 });
assert.equal(changes.ask({ vividness: 0.2, model: "a" }), null);
changes.ask({ vividness: 0.3 });
assert.deepEqual(asked, [{ vividness: 0.1 }]);
ends[0].fail(new Error("no"));
await new Promise((done) => setTimeout(done, 1));
assert.deepEqual(asked[1], { vividness: 0.3, model: "a" });
let idle = false;
const waited = changes.idle().then(() => { idle = true; });
await new Promise((done) => setTimeout(done, 1));
assert.equal(idle, false);
ends[1].done();
await all;
await waited;
assert.equal(idle, true);
const failing = changes.ask({ vividness: 0.4 });
ends[2].fail(new Error("told"));
await assert.rejects(failing, /told/);
assert.equal(changes.running, null);

// Keys.
const on = { undo: 1, redo: 2, remove: 3, forget: 4, ask: 5, nudge: (dx, dy) => [dx, dy], zoom: (by) => by, beside: (by) => by, hold: (is) => is };
const key = (name, more = {}, onStage = "stage", inField = false) => meaning({ key: name, ...more }, onStage, inField, on);
assert.equal(key("z", { ctrlKey: true }), 1);
assert.equal(key("Z", { metaKey: true, shiftKey: true }), 2);
assert.equal(key("y", { ctrlKey: true }), 2);
assert.equal(key("z", { ctrlKey: true }, "", true), 1);
assert.equal(key("Delete"), 3);
assert.equal(key("Delete", {}, "", true), null);
assert.deepEqual(key("ArrowUp")(), [0, -1]);
assert.deepEqual(key("ArrowRight", { shiftKey: true }, "mark")(), [5, 0]);
assert.equal(key("ArrowUp", {}, ""), null);
assert.equal(key("+")(), 1.5);
assert.equal(key("0")(), 0);
assert.equal(key("[")(), -1);
assert.equal(key("]")(), 1);
assert.equal(key("Enter"), 5);
assert.equal(key("Enter", {}, "mark"), null);
assert.equal(key(" ")(), true);
assert.equal(key("q"), null);

// Words.
assert.equal(choose(["fr-FR", "de-AT", "en"]), "de");
assert.equal(word("undo"), "Rückgängig");
assert.equal(word("point", { number: 2, color: "#ff0000" }), "Punkt 2: #ff0000");
assert.equal(told("first of 3 pages"), "das erste von 3 Bildern");
assert.equal(told("nobody knows this"), "nobody knows this");
assert.equal(failure({ code: "large", message: "too much" }, "a.jpg"), "a.jpg ist zu groß.");
assert.equal(failure({ code: "error", message: "The disk is full." }, "a.jpg"), "a.jpg: Die Festplatte ist voll.");
assert.equal(failure({ code: "error", message: "The disk is full." }, ""), "Die Festplatte ist voll.");
const torn = { code: "damaged", message: "take it as far as it goes: --damaged" };
assert.match(failure(torn, "a.jpg"), /^a.jpg: [^-]+ beschädigt .+ von seiner Quelle\.$/); // a button says the rest
assert.equal(failure({ code: "settings", message: "JSON is malformed" }, "a.json"), "a.json: keine Datei mit Einstellungen, wie es NAME.opsin.json ist.");
assert.equal(choose(["fr"]), "en");
assert.equal(told("first of 3 pages"), "first of 3 pages");
assert.equal(word("error.nobody-knows"), "");

// An answer: JSON, then a picture that may hold ends of lines.
const { document, jpeg } = parted(new TextEncoder().encode('{"id":"ü"}\na\nb'));
assert.equal(document.id, "ü");
assert.equal(new TextDecoder().decode(jpeg), "a\nb");

console.log("all is well");
