// One pair of a DMOS test: the reference, half a second of silence, and the sound that is rated.
const PAIR_PAUSE_S = 0.5;

class DmosScreen {
  static all(test, listener) {
    const screens = test.trials.flatMap((trial) => trial.stimuli.map((stimulus) => ({ id: `${trial.id}-${stimulus}`, trial, stimulus })));
    return shuffled(screens, `${test.id} ${listener}`);
  }

  static help = "<kbd>space</kbd> plays, <kbd>5</kbd> to <kbd>1</kbd> rate, <kbd>enter</kbd> goes on";

  constructor(test, screen, listener, answer) {
    this.test = test; this.screen = screen; this.answer = answer;
  }

  async open(root) {
    const { reference } = this.screen.trial;
    const [first, second] = await Promise.all([reference, this.screen.stimulus].map((id) => decoded(id, this.test.rate)));
    root.innerHTML = `<div class="player"></div><div class="now"><span>Reference</span><span>Second sound</span></div><div class="choices">${this.test.categories
      .map(([value, text]) => `<button data-rating="${value}">${value}&ensp;${text}</button>`).join("")}</div>`;
    const pair = joined(first, second, PAIR_PAUSE_S, this.test.rate), drawn = joined(first, first, PAIR_PAUSE_S, this.test.rate);
    this.player = new Player(root.querySelector(".player"), { pair }, this.test.rate, "pair", drawn, false);
    const now = root.querySelectorAll(".now span");
    this.player.onposition = (at) => {
      now[0].classList.toggle("on", this.player.isPlaying && at < first.duration);
      now[1].classList.toggle("on", this.player.isPlaying && at >= first.duration + PAIR_PAUSE_S);
      if (this.player.isPlaying && at >= first.duration + PAIR_PAUSE_S && !this.answer.heard) { this.answer.heard = true; this.show(); }
    };
    this.buttons = [...root.querySelectorAll("[data-rating]")];
    for (const button of this.buttons) button.onclick = () => this.rate(Number(button.dataset.rating));
    this.player.onchange = () => this.show();
    this.show();
  }

  rate(value) {
    if (!this.answer.heard) return;
    this.answer.rating = value;
    this.show();
  }

  key(key) { if (/^[1-5]$/.test(key)) this.rate(Number(key)); }

  show() {
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(this.answer.rating === Number(button.dataset.rating)));
      button.disabled = !this.answer.heard;
    }
    this.onchange();
  }

  missing() {
    if (!this.answer.heard) return "not heard yet";
    return this.answer.rating ? "" : "not rated yet";
  }

  static rows(screen, answer) {
    return [{ trial: screen.trial.id, repeat: 1, stimulus: screen.stimulus, rating: answer.rating, seconds: answer.seconds }];
  }
}
