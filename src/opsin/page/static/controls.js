// The controls of the page: what is clicked, dragged, dropped and typed, and what is done then.

import { listen } from "./keys.js";

const get = (id) => document.getElementById(id);

// `does` has what the page can do; see `main.js`.
export function wire(does) {
  const { photo, stage } = does;
  slider("vividness", does.change);
  slider("strength", does.change);
  slider("matching", does.change);
  chosen("files", (files) => does.open(files));
  chosen("referencefile", ([file]) => does.load("reference", file));
  chosen("savedfile", ([file]) => does.load("touchup", file));
  for (const [id, field] of [["add", "files"], ["choose", "files"], ["pick", "referencefile"], ["open", "savedfile"]]) {
    click(id, () => get(field).click());
  }
  click("close", does.close);
  click("undo", () => does.step("undo"));
  click("redo", () => does.step("redo"));
  click("in", () => stage.zoom(1.5));
  click("out", () => stage.zoom(1 / 1.5));
  click("fit", () => stage.fit());
  click("clear", () => does.change({ palette: [], strength: 1, matching: 1 }));
  click("several", does.several);
  click("run", () => does.job.start(get("alike").checked ? photo().id : ""));
  click("stop", () => does.job.stop());
  click("dismiss", does.dismiss);
  click("allthesame", does.again);
  click("language", does.language);
  get("said").addEventListener("change", () => does.change({ words: get("said").value.trim() }));
  get("confidence").addEventListener("change", does.confidence);
  get("model").addEventListener("change", () => does.change({ model: get("model").value }));
  get("color").addEventListener("input", () => does.color(get("color").value, does.pointName()));
  get("wanted").addEventListener("change", () => {
    const colors = (photo().palette && photo().palette.colors) || [];
    does.change({ palette: [...colors, get("wanted").value] });
  });
  const hold = (on) => stage.cut(on ? 100 : Number(get("compare").value));
  get("compare").addEventListener("input", () => hold(false));
  get("hold").addEventListener("pointerdown", () => hold(true));
  for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
    get("hold").addEventListener(end, () => hold(false));
  }
  listen({
    undo: () => photo() && does.step("undo"),
    redo: () => photo() && does.step("redo"),
    remove: does.remove,
    zoom: (factor) => photo() && (factor ? stage.zoom(factor) : stage.fit()),
    hold,
    beside: does.beside,
    nudge: (dx, dy) => photo() && does.nudge(dx, dy),
    ask: does.ask,
    forget: does.forget,
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dropping", kind === "dragover");
      if (kind === "drop") dropped([...event.dataTransfer.files], event.target, does);
    });
  }
}

// Settings are loaded, a photograph beside the picture is a reference; all else is opened.
function dropped(files, target, does) {
  const saved = files.find((one) => one.name.endsWith(".json"));
  if (saved) does.load("touchup", saved);
  else if (does.photo() && target.closest("aside")) does.load("reference", files[0]);
  else does.open(files);
}

// What is dragged is one gesture until it is let go.
function slider(id, change) {
  let gesture = "";
  get(id).addEventListener("input", () => {
    gesture = gesture || `${id}-${performance.now()}`;
    change({ [id]: Number(get(id).value), gesture });
  });
  get(id).addEventListener("change", () => { gesture = ""; });
}

function chosen(id, act) {
  get(id).addEventListener("change", () => {
    act([...get(id).files]);
    get(id).value = "";
  });
}

function click(id, act) {
  get(id).addEventListener("click", act);
}
