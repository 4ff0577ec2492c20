// One passage of a MUSHRA test: all sounds beside the reference, a slider each.
class MushraScreen {
  static all(test, listener) {
    return shuffled(test.trials, `${test.id} ${listener}`).map((trial) => ({ id: trial.id, trial }));
  }

  static help = "<kbd>space</kbd> plays, <kbd>0</kbd> is the reference, <kbd>1</kbd> to <kbd>9</kbd> are the sounds, arrows move a slider, <kbd>enter</kbd> goes on";

  constructor(test, screen, listener, answer) {
    this.test = test; this.trial = screen.trial; this.answer = answer;
    answer.ratings = answer.ratings || {};
    answer.heard = answer.heard || [];
    this.order = shuffled(screen.trial.stimuli, `${test.id} ${listener} ${screen.id}`);
  }

  async open(root) {
    const names = [this.trial.reference, ...this.order];
    const buffers = Object.fromEntries(await Promise.all(names.map(async (id) => [id, await decoded(id, this.test.rate)])));
    root.innerHTML = `<div class="player"></div><div class="rating"><button class="reference" style="grid-column: 1 / -1">Reference</button></div>
      <div class="rating"><span></span><div class="words">${this.test.quality.map((word) => `<span>${word}</span>`).join("")}</div></div><div class="rows"></div>`;
    this.player = new Player(root.querySelector(".player"), buffers, this.test.rate, this.trial.reference, buffers[this.trial.reference], true);
    this.reference = root.querySelector(".reference");
    this.reference.onclick = () => this.hear(0);
    this.rows = this.order.map((id, at) => this.row(root.querySelector(".rows"), id, at));
    for (const id of this.answer.heard) this.player.everHeard.add(id);
    this.player.onchange = () => this.show();
    this.show();
  }

  row(parent, id, at) {
    const row = document.createElement("div");
    row.className = "rating";
    row.innerHTML = `<button>${at + 1}</button><input type="range" min="0" max="100" step="1" aria-label="rating of sound ${at + 1}"><output></output>`;
    parent.append(row);
    const slider = row.querySelector("input");
    slider.value = id in this.answer.ratings ? this.answer.ratings[id] : 0;
    row.querySelector("button").onclick = () => this.hear(at + 1);
    // only what is heard is rated: whoever takes a slider hears its sound
    slider.onpointerdown = slider.onfocus = () => { if (this.player.heard !== id) this.player.choose(id); };
    slider.oninput = () => {
      if (this.player.heard !== id) this.player.choose(id);
      this.answer.ratings[id] = Number(slider.value);
      this.show();
    };
    return { row, slider, id };
  }

  async hear(number) {
    this.player.choose(number ? this.order[number - 1] : this.trial.reference);
    if (!this.player.isPlaying) await this.player.toggle();
  }

  key(key) {
    if (/^[0-9]$/.test(key) && Number(key) <= this.order.length) {
      this.hear(Number(key));
      if (Number(key)) this.rows[Number(key) - 1].slider.focus();
    }
  }

  show() {
    this.reference.setAttribute("aria-pressed", String(this.player.heard === this.trial.reference));
    for (const { row, id } of this.rows) {
      const rating = this.answer.ratings[id];
      row.classList.toggle("heard", this.player.heard === id);
      row.classList.toggle("unset", rating === undefined);
      row.querySelector("button").setAttribute("aria-pressed", String(this.player.heard === id));
      row.querySelector("output").textContent = rating === undefined ? "–" : rating;
    }
    this.answer.heard = [...this.player.everHeard];
    this.onchange();
  }

  missing() {
    const unheard = [this.trial.reference, ...this.order].filter((id) => !this.player.everHeard.has(id)).length;
    const unrated = this.order.filter((id) => this.answer.ratings[id] === undefined).length;
    if (unheard) return `${unheard} sound${unheard > 1 ? "s" : ""} not heard yet`;
    return unrated ? `${unrated} sound${unrated > 1 ? "s" : ""} not rated yet` : "";
  }

  static rows(screen, answer) {
    return screen.trial.stimuli.map((id) => ({ trial: screen.trial.id, repeat: 1, stimulus: id, rating: answer.ratings[id], seconds: answer.seconds }));
  }
}
