// One ABX trial: A and B are two sounds, X is one of them.
class AbxScreen {
  static all(test, listener) {
    const screens = test.trials.flatMap((trial) => trial.stimuli.flatMap((stimulus) =>
      Array.from({ length: test.repeats }, (_, repeat) => ({ id: `${trial.id}-${stimulus}-${repeat + 1}`, trial, stimulus, repeat: repeat + 1 }))));
    return shuffled(screens, `${test.id} ${listener}`);
  }

  static help = "<kbd>a</kbd>, <kbd>b</kbd> and <kbd>x</kbd> choose a sound, <kbd>space</kbd> plays, <kbd>enter</kbd> goes on";

  constructor(test, screen, listener, answer) {
    this.test = test; this.screen = screen; this.answer = answer;
    answer.heard = answer.heard || [];
    if (answer.x) return;
    // drawn anew for every listener and trial, and kept with the answer
    const pair = shuffled([screen.trial.reference, screen.stimulus], `${test.id} ${listener} ${screen.id} pair`);
    [answer.a, answer.b] = pair;
    answer.x = shuffled(pair, `${test.id} ${listener} ${screen.id} x`)[0];
  }

  async open(root) {
    const ids = [this.answer.a, this.answer.b, this.screen.trial.reference];
    const [first, second, reference] = await Promise.all(ids.map((id) => decoded(id, this.test.rate)));
    const buffers = { a: first, b: second, x: this.answer.x === this.answer.a ? first : second };
    root.innerHTML = `<div class="player"></div>
      <div class="buttons">${["a", "b", "x"].map((name) => `<button data-sound="${name}">${name.toUpperCase()}</button>`).join("")}</div>
      <div class="choices two"><button data-answer="a">X is A</button><button data-answer="b">X is B</button></div>`;
    this.player = new Player(root.querySelector(".player"), buffers, this.test.rate, "a", reference, true);
    this.sounds = [...root.querySelectorAll("[data-sound]")];
    this.answers = [...root.querySelectorAll("[data-answer]")];
    for (const button of this.sounds) button.onclick = () => this.hear(button.dataset.sound);
    for (const button of this.answers) button.onclick = () => { this.answer.answer = this.answer[button.dataset.answer]; this.show(); };
    for (const name of this.answer.heard) this.player.everHeard.add(name);
    this.player.onchange = () => this.show();
    this.show();
  }

  async hear(name) {
    this.player.choose(name);
    if (!this.player.isPlaying) await this.player.toggle();
  }

  key(key) { if (["a", "b", "x"].includes(key.toLowerCase())) this.hear(key.toLowerCase()); }

  show() {
    for (const button of this.sounds) button.setAttribute("aria-pressed", String(this.player.heard === button.dataset.sound));
    for (const button of this.answers)
      button.setAttribute("aria-pressed", String(this.answer.answer === this.answer[button.dataset.answer]));
    this.answer.heard = [...this.player.everHeard];
    this.onchange();
  }

  missing() {
    const unheard = ["a", "b", "x"].filter((name) => !this.player.everHeard.has(name));
    if (unheard.length) return `not heard yet: ${unheard.join(", ").toUpperCase()}`;
    return this.answer.answer ? "" : "not answered yet";
  }

  static rows(screen, answer) {
    const { a, b, x } = answer;
    return [{ trial: screen.trial.id, repeat: screen.repeat, a, b, x, answer: answer.answer, seconds: answer.seconds }];
  }
}
