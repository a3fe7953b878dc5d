// The keyboard. Keys that an element needs itself, as a slider its arrows, are left to it.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STRIDE = 5; // with shift

// `on` has undo, redo, remove, zoom(factor), hold(on), beside(by), nudge(dx, dy), ask and forget.
export function listen(on) {
  document.addEventListener("keydown", (event) => {
    const act = meaning(event, isOnStage(event.target), isField(event.target), on);
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && isOnStage(event.target)) on.hold(false);
  });
}

// What a key does, a function; null for nothing of ours.
export function meaning(event, onStage, inField, on) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") return event.shiftKey ? on.redo : on.undo;
    return key === "y" ? on.redo : null;
  }
  if (inField || event.altKey) return null;
  if (key in ARROWS && onStage) {
    const [dx, dy] = ARROWS[key].map((one) => one * (event.shiftKey ? STRIDE : 1));
    return () => on.nudge(dx, dy);
  }
  const zooms = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 0 };
  if (key in zooms) return () => on.zoom(zooms[key]);
  if (key === "[" || key === "]") return () => on.beside(key === "[" ? -1 : 1);
  if (key === "Delete" || key === "Backspace") return on.remove;
  if (key === "Escape") return on.forget;
  if (onStage === "stage" && key === "Enter") return on.ask;
  if (onStage === "stage" && key === " ") return () => on.hold(true);
  return null;
}

// "stage" for the stage itself, "mark" for a point on it; "" elsewhere.
function isOnStage(target) {
  if (target.id === "stage") return "stage";
  return target.closest && target.closest("#marks") ? "mark" : "";
}

function isField(target) {
  return ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName);
}
