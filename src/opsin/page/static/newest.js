// One request at a time: what is asked for meanwhile is put together, and the newest of each wins.

export class Newest {
  // `send` takes what is asked for, an object, and gives a promise.
  constructor(send) {
    this.send = send;
    this.waiting = null;
    this.running = null;
  }

  // Asks for something. The promise is of all that is asked for until nothing waits; null if one
  // was given already.
  ask(change) {
    this.waiting = { ...this.waiting, ...change };
    if (this.running) return null;
    this.running = this.run().finally(() => { this.running = null; });
    return this.running;
  }

  // A failure does not keep what is newer from being asked for; the last one is told at the end.
  async run() {
    let failed = null;
    while (this.waiting) {
      const change = this.waiting;
      this.waiting = null;
      try {
        await this.send(change);
        failed = null;
      } catch (error) {
        failed = error;
      }
    }
    if (failed) throw failed;
  }

  // Waits until all that was asked for is done.
  async idle() {
    while (this.running) await this.running.catch(() => {});
  }
}
