// All photographs at their full size: begun, stopped, gone on with, and their ZIP.

import * as server from "./server.js";
import { failure, word } from "./words.js";

const OFTEN = 500; // milliseconds between looks at what is done
const get = (id) => document.getElementById(id);

export class Job {
  // `tried` does something and says what goes wrong.
  constructor(tried) {
    this.tried = tried;
    this.now = { state: "none", failures: [], made: 0, left: 0 };
    this.looking = 0;
  }

  // As the photograph with the id `like`, or each as it is.
  start(like) {
    return this.asked({ method: "POST", body: JSON.stringify({ like }) });
  }

  stop() {
    return this.asked({ method: "DELETE" });
  }

  // Looks once, and again and again while it goes on; nobody is told where there is no answer.
  async look() {
    const now = await server.json("/api/job").catch(() => this.now);
    this.take(now);
  }

  asked(how) {
    return this.tried(async () => this.take(await server.json("/api/job", how)));
  }

  take(now) {
    this.now = now;
    this.draw();
    clearTimeout(this.looking);
    if (now.state === "running") this.looking = setTimeout(() => this.look(), OFTEN);
  }

  draw() {
    const { state, total, done, now, failures, made, left } = this.now, running = state === "running";
    get("run").hidden = running;
    get("run").textContent = word(state === "stopped" ? "goOn" : "colorAll");
    get("going").hidden = !running;
    get("alike").disabled = running;
    get("progress").max = total || 1;
    get("progress").value = done || 0;
    get("progressed").textContent = running ? word("progress", { done: Math.min(done + 1, total), total, name: now }) : "";
    get("failed").replaceChildren(...failures.map(({ name, code, error }) => {
      const line = document.createElement("li");
      line.textContent = failure({ code, message: error }, name);
      return line;
    }));
    get("all").hidden = running || !made;
    get("all").textContent = word("downloadAll", { count: made });
    get("missing").hidden = running || !made || !left;
    get("missing").textContent = word("left", { count: left, button: get("run").textContent });
  }
}
